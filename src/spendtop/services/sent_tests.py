"""The requests that `send-test` sent: finding them by their mark, and taking them out of every figure again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from sqlalchemy import Connection, delete, select, update

from spendtop.domain.clock import Clock
from spendtop.domain.filters.filters import Comparison, FilterContext, Op, Pattern, PatternKind
from spendtop.domain.requests.request import TEST_PROPERTY
from spendtop.domain.windows import Calendar
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.totals import TotalsByDifference
from spendtop.services.recording.transaction import Recording
from spendtop.services.repricing.repricing import forget_changes
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, conditions
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span, in_slices
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable, RevisionTable

AT_ONCE = 200
"""Requests that one transaction takes out."""
_REQUEST = table_of(RequestTable)
_MARKED = Comparison(f"prop.{TEST_PROPERTY}", Op.EQ, Pattern(PatternKind.EXACT, "1"))


def sent_tests(store: Store, clock: Clock) -> list[int]:
    """Our ids of all requests with the mark."""
    selected = RequestQuery(_MARKED, None, None)

    def read(connection: Connection, part: Span) -> Sequence[int]:
        here = conditions(selected, FilterContext(clock(), Calendar()), connection)
        return (
            connection.execute(select(_REQUEST.c.id).where(*here, part.holds(_REQUEST.c.occurred_at))).scalars().all()
        )

    return sorted(request_id for part in in_slices(store, Span(None, None), read) for request_id in part)


def spend_of(connection: Connection, ids: Sequence[int]) -> Spend:
    """What the counted ones of these requests cost together."""
    parts = (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
    sums = select(*spend_sql.of_requests())
    spends = (
        spend_sql.to_spend(connection.execute(sums.where(_REQUEST.c.counted.is_(True), _REQUEST.c.id.in_(part))).one())
        for part in parts
    )
    return reduce(add, spends, Spend.nothing())


def take_out(connection: Connection, recording: Recording, ids: Sequence[int]) -> None:
    """Take requests out of the totals and limits by difference, and delete them. Their keys stay, so that one that
    comes again is still a duplicate."""
    wanted = select(_REQUEST).where(_REQUEST.c.id.in_(ids)).order_by(_REQUEST.c.id).with_for_update()
    recording.book.look_up(connection)
    totals = TotalsByDifference(recording.book)
    found = [from_row(row) for row in connection.execute(wanted)]
    for each in found:
        totals.remove(each.request)
    recording.correct(connection, totals, {})
    body, revision, gone = table_of(BodyTable), table_of(RevisionTable), [each.id for each in found]
    connection.execute(update(_REQUEST).where(_REQUEST.c.probable_twin_of.in_(gone)).values(probable_twin_of=None))
    for column in (body.c.request_id, revision.c.request_id, _REQUEST.c.id):
        connection.execute(delete(column.table).where(column.in_(gone)))
    forget_changes(connection, gone)
