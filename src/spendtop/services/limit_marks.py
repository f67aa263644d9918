"""Marks on limits that no recorded request left: a limit that is new, or was lowered, may be crossed already."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, exists, select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits import Limit, LimitState
from spendtop.domain.windows import WindowKind
from spendtop.services.limit_book import LimitBook
from spendtop.store.reads import limits as limit_reads
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import LimitMarkTable

_MARK = table_of(LimitMarkTable)
_ENTITIES_PER_LIMIT = 200


def mark_crossed(connection: Connection, limits: Sequence[Limit], book: LimitBook, now: int) -> None:
    """Mark those of `limits` that are past a threshold, so that the evaluator decides about them.

    A limit of one request only speaks about requests to come.
    """
    windowed = [limit for limit in limits if limit.window.kind is not WindowKind.REQUEST]
    uses = limit_reads.uses(connection, windowed, book.calendar, now, _ENTITIES_PER_LIMIT, book.ceilings)
    statement = insert_or_replace(LimitMarkTable, connection.dialect)
    values = [
        {"limit_name": use.limit.name, "entity": use.entity.raw, "hour": now - now % HOUR, "happened_at": now}
        for use in uses
        if use.state is not LimitState.OK
    ]
    statement.run_many(connection, [tuple(row[name] for name in statement.names) for row in values])


def are_left(connection: Connection) -> bool:
    """Whether there are marks that nobody has evaluated yet."""
    return bool(connection.execute(select(exists(select(_MARK.c.limit_name)))).scalar())
