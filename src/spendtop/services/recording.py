"""Recording: one transaction per group of events, with keys, totals by difference and marks on touched limits."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Dialect, select

from spendtop.domain.merging import Record, differences, merge
from spendtop.domain.request import BodyState, Request
from spendtop.services.limit_book import LimitBook
from spendtop.services.preparing import Prepared, Ready, SetAside
from spendtop.services.records import from_row, to_values
from spendtop.services.totals import TotalsByDifference
from spendtop.store.ids import RequestIds
from spendtop.store.statements import (
    insert_or_add,
    insert_or_ignore,
    insert_or_keep_larger,
    insert_row,
    table_of,
    update_row,
)
from spendtop.store.tables import (
    BodyTable,
    LimitMarkTable,
    QuarantineTable,
    RequestKeyTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

_KEYS_PER_QUERY = 500


class Outcome(Struct, frozen=True):
    """What became of one event; `id` is ours, of the request or of the quarantine row."""

    status: Literal["stored", "duplicate", "test", "quarantined"]
    id: int
    request: Request | None = None
    """The request as it was recorded, when it is new."""


class Recording:
    """The recording transaction of one collector. Not thread-safe: the writer alone calls it."""

    def __init__(self, dialect: Dialect, ids: RequestIds, book: LimitBook) -> None:
        self._ids = ids
        self.book = book
        """The limits in force; replaced as a whole when the configuration changes."""
        self._request = insert_row(RequestTable, dialect)
        self._request_update = update_row(RequestTable, dialect)
        self._key = insert_row(RequestKeyTable, dialect)
        self._body = insert_or_ignore(BodyTable, dialect)
        self._total = insert_or_add(TotalTable, dialect)
        self._mark = insert_or_keep_larger(LimitMarkTable, dialect)
        self._placeholder = "?" if dialect.paramstyle == "qmark" else "%s"

    def record(self, connection: Connection, events: Sequence[Ready]) -> list[Outcome]:
        """Record a group of events in the open transaction; one outcome per event, in their order."""
        group = _Group(self.book)
        requests = [event for event in events if isinstance(event, Prepared)]
        known = self._known(connection, [event.digest for event in requests])
        stored = self._stored(connection, set(known.values()))
        outcomes: list[Outcome] = []
        for event in events:
            if isinstance(event, SetAside):
                outcomes.append(_set_aside(connection, event))
            elif (request_id := known.get(event.digest)) is not None:
                group.again(request_id, stored, event)
                outcomes.append(Outcome("duplicate", request_id))
            else:
                request_id = self._ids.next(event.request.received_at)
                known[event.digest] = request_id
                stored[request_id] = group.first(request_id, event)
                outcomes.append(Outcome("stored", request_id, event.request))
        self._write(connection, group)
        return outcomes

    def _known(self, connection: Connection, digests: list[bytes]) -> dict[bytes, int]:
        """Ids of the requests that are known under these keys."""
        found: dict[bytes, int] = {}
        for start in range(0, len(digests), _KEYS_PER_QUERY):
            part = tuple(digests[start : start + _KEYS_PER_QUERY])
            marks = ",".join([self._placeholder] * len(part))
            sql = f"SELECT digest, request_id FROM request_key WHERE digest IN ({marks})"
            for digest, request_id in connection.exec_driver_sql(sql, part):
                found[bytes(digest)] = request_id
        return found

    def _stored(self, connection: Connection, ids: set[int]) -> dict[int, Record]:
        """Records behind known ids; a purged request has none."""
        if not ids:
            return {}
        table = table_of(RequestTable)
        return {row.id: from_row(row) for row in connection.execute(select(table).where(table.c.id.in_(ids)))}

    def _write(self, connection: Connection, group: _Group) -> None:
        in_order = itemgetter(*self._request.names)
        self._request.run_many(connection, [in_order(to_values(record)) for record in group.new.values()])
        self._key.run_many(connection, sorted(group.keys))
        self._body.run_many(connection, [(request_id, *body) for request_id, body in group.bodies.items()])
        self._total.run_many(connection, group.totals.rows(self._ids.slot))
        self._mark.run_many(connection, group.totals.marks())
        self._update(connection, group)

    def _update(self, connection: Connection, group: _Group) -> None:
        changed = [to_values(group.changed[request_id]) for request_id in sorted(group.changed)]
        rows = [{_bind(k): v for k, v in values.items()} for values in changed]
        names = self._request_update.names
        self._request_update.run_many(connection, [tuple(row[name] for name in names) for row in rows])
        if group.revisions:
            connection.execute(table_of(RevisionTable).insert(), group.revisions)


class _Group:
    """What one group of events changes, folded."""

    def __init__(self, book: LimitBook) -> None:
        self.totals = TotalsByDifference(book)
        self.new: dict[int, Record] = {}
        self.changed: dict[int, Record] = {}
        self.keys: list[tuple[bytes, int]] = []
        self.bodies: dict[int, tuple[int, bytes]] = {}
        self.revisions: list[dict[str, Any]] = []

    def first(self, request_id: int, event: Prepared) -> Record:
        """A request that nobody reported before."""
        request = event.request
        record = Record(id=request_id, request=request, external_ids={request.source.value: request.external_id})
        self.new[request_id] = record
        self.keys.append((event.digest, request_id))
        if event.body is not None:
            self.bodies[request_id] = event.body
        self.totals.add(request, request_id)
        return record

    def again(self, request_id: int, stored: dict[int, Record], event: Prepared) -> None:
        """One more report of a known request: it may fill gaps or correct; a purged one is left alone."""
        old = stored.get(request_id)
        if old is None:
            return
        merged = merge(old, event.request)
        if merged == old:
            return
        stored[request_id] = merged
        self.totals.replace(old.request, merged.request, request_id)
        if event.body is not None and merged.request.body_state is BodyState.STORED:
            self.bodies.setdefault(request_id, event.body)
        (self.new if request_id in self.new else self.changed)[request_id] = merged
        changes = differences(old.request, merged.request)
        if changes:
            self._revise(request_id, event.request, changes)

    def _revise(self, request_id: int, report: Request, changes: dict[str, tuple[object, object]]) -> None:
        self.revisions.append(
            {
                "request_id": request_id,
                "at": report.received_at,
                "source": report.source.value,
                "changes": msgspec.json.encode(changes).decode(),
            }
        )


def _bind(column: str) -> str:
    return "key_id" if column == "id" else f"new_{column}"


def _set_aside(connection: Connection, event: SetAside) -> Outcome:
    """Keep an event that is not counted; the same event again is the same row."""
    table = table_of(QuarantineTable)
    status: Literal["test", "quarantined"] = "test" if event.kind == "test" else "quarantined"
    known = connection.execute(select(table.c.id).where(table.c.digest == event.digest)).scalar()
    if known is not None:
        return Outcome(status, known)
    inserted = connection.execute(
        table.insert().values(
            digest=event.digest,
            source=event.source,
            kind=event.kind,
            state="open",
            reason=event.reason,
            received_at=event.received_at,
            size=event.size,
            raw=event.raw,
        )
    )
    assert inserted.inserted_primary_key is not None
    return Outcome(status, inserted.inserted_primary_key[0])
