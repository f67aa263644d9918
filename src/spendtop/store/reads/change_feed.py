"""What was committed after a position: new and changed requests and alerts, each at least once.

A collector's request ids grow in the order of its commits, so the position holds the last id of each collector. The
numbers of revisions are given before their commit: one that is missing may still come, and is waited for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.errors import UsageError
from spendtop.store.ids import SLOTS
from spendtop.store.reads.alerts.attention import AlertRow, changed_alerts
from spendtop.store.reads.requests.lists import newest_id
from spendtop.store.reads.rows import RequestRow, from_row, selected
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, RequestTable, RevisionTable

_BEHIND = 2 * MINUTE * SLOTS
"""How far, in ids, a collector that was not heard may be behind the newest id when it commits."""
_GAP = 10 * SECOND
"""How long a revision's number that is missing may still come, in µs."""
_ALERTS_BEHIND = 5 * SECOND
"""How much later than a change's time its commit may be seen, in µs."""
_TEXT = re.compile(r"((?:\d{1,2}:\d{1,19}(?:,\d{1,2}:\d{1,19}){0,63})?)/(\d{1,18})/(\d{1,18})", re.ASCII)


class Position(Struct, frozen=True):
    """How far a follower has come."""

    requests: Mapping[int, int] = field(default_factory=dict)
    """Last id by collector's slot."""
    revision: int = 0
    alerts_at: int = 0
    """When the latest alert changed, UTC µs."""

    def __str__(self) -> str:
        ids = ",".join(f"{slot}:{last}" for slot, last in sorted(self.requests.items()))
        return f"{ids}/{self.revision}/{self.alerts_at}"

    @classmethod
    def read(cls, text: str) -> Position:
        """The position that `str` wrote. Raises UsageError for other text."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise UsageError("This position is none that was given. Start again without one.")
        pairs = (pair.split(":") for pair in match[1].split(",") if pair)
        requests = {int(slot): int(last) for slot, last in pairs}
        if any(slot >= SLOTS or last >= 2**63 for slot, last in requests.items()):
            raise UsageError("This position is none that was given. Start again without one.")
        return cls(requests, int(match[2]), int(match[3]))


class Happened(Struct, frozen=True):
    """One thing that happened, and the position behind it."""

    what: RequestRow | AlertRow
    position: Position


class News(Struct, frozen=True):
    """What happened, where the follower stands behind it, and whether more is there already."""

    happened: tuple[Happened, ...]
    position: Position
    more: bool


def now_at(connection: Connection) -> Position:
    """The position behind all that is committed."""
    request, revision, alert = table_of(RequestTable), table_of(RevisionTable), table_of(AlertTable)
    oldest = newest_id(connection) - _behind(connection)
    slot = (request.c.id % SLOTS).label("slot")
    heard = connection.execute(select(slot, func.max(request.c.id)).where(request.c.id >= oldest).group_by("slot"))
    return Position(
        {int(of): int(last) for of, last in heard},
        connection.execute(select(func.max(revision.c.id))).scalar() or 0,
        connection.execute(select(func.max(alert.c.updated_at))).scalar() or 0,
    )


def news_after(connection: Connection, position: Position, now: int, most: int) -> News:
    """New requests, then changed requests, then changed alerts, of each kind about `most`; `now` in UTC µs.

    Alerts that changed just before the position come again.
    """
    happened: list[Happened] = []
    arrived, revised = _new(connection, position, most), _revisions(connection, position.revision, now, most)
    late, changed = _late_alerts(connection, position), _alerts(connection, position, most)
    for row in arrived:
        position = replace(position, requests=_heard(connection, position.requests, row.id))
        happened.append(Happened(row, position))
    for number, request in _requests(connection, revised):
        position = replace(position, revision=number)
        if request is not None:
            happened.append(Happened(request, position))
    happened += (Happened(alert, position) for alert in late)
    for alert in changed:
        position = replace(position, alerts_at=alert.updated_at)
        happened.append(Happened(alert, position))
    return News(tuple(happened), position, most in (len(arrived), len(revised), len(changed)))


def _new(connection: Connection, position: Position, most: int) -> list[RequestRow]:
    request = table_of(RequestTable)
    statement = select(*selected()).where(_is_new(connection, position)).order_by(request.c.id).limit(most)
    return [from_row(row) for row in connection.execute(statement)]


def _heard(connection: Connection, before: Mapping[int, int], id: int) -> Mapping[int, int]:
    """The last ids of collectors, without those that were silent for so long that they need none."""
    oldest = id - _behind(connection)
    return {**{slot: last for slot, last in before.items() if last >= oldest}, id % SLOTS: id}


def _is_new(connection: Connection, position: Position) -> ColumnElement[bool]:
    id = table_of(RequestTable).c.id
    heard = position.requests
    unheard_from = max(heard.values(), default=0) - _behind(connection)
    slot = id % SLOTS
    parts = [and_(slot == of, id > last) for of, last in heard.items()]
    parts.append(and_(slot.not_in(list(heard)), id > unheard_from))
    return and_(id > min([*heard.values(), unheard_from]), or_(*parts))


def _revisions(connection: Connection, after: int, now: int, most: int) -> list[Any]:
    """Number and request of each revision in front of the first missing number that may still come."""
    revision = table_of(RevisionTable)
    statement = select(revision.c.id, revision.c.at, revision.c.request_id).where(revision.c.id > after)
    settled: list[Any] = []
    for row in connection.execute(statement.order_by(revision.c.id).limit(most)):
        if row.id != after + 1 and row.at > now - _GAP:
            break
        settled.append(row)
        after = row.id
    return settled


def _requests(connection: Connection, revisions: Sequence[Any]) -> list[tuple[int, RequestRow | None]]:
    """Each revision's number, and at the last one of a request the request as it is now."""
    request = table_of(RequestTable)
    last = {row.request_id: row.id for row in revisions}
    rows = {row.id: from_row(row) for row in connection.execute(select(*selected()).where(request.c.id.in_(last)))}
    return [(row.id, rows.get(row.request_id) if last[row.request_id] == row.id else None) for row in revisions]


def _late_alerts(connection: Connection, position: Position) -> tuple[AlertRow, ...]:
    """Alerts that changed before the position, and perhaps were committed behind it."""
    return changed_alerts(connection, Span(position.alerts_at - _ALERTS_BEHIND, position.alerts_at + 1), None)


def _alerts(connection: Connection, position: Position, most: int) -> tuple[AlertRow, ...]:
    return changed_alerts(connection, Span(position.alerts_at + 1, None), most)


def _behind(connection: Connection) -> int:
    """One collector at a time writes a SQLite store: nothing comes late there."""
    return 0 if connection.dialect.name == "sqlite" else _BEHIND
