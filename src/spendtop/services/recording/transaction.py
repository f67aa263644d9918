"""Recording: one transaction per group of events, with keys, totals by difference and marks on touched limits."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Dialect, delete, select, update

from spendtop.domain.reports.merging import Price, StoredRequest
from spendtop.domain.reports.values import value_of, values_of
from spendtop.domain.requests.request import BodyState, Request
from spendtop.domain.sources.remarks import Remark, RemarkKind, folded, remark
from spendtop.domain.untrusted import clean_line
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording import remarks
from spendtop.services.recording.body_changes import Body
from spendtop.services.recording.group import REFUSED, Group
from spendtop.services.recording.joins import Joining
from spendtop.services.recording.key_changes import Key
from spendtop.services.recording.preparation import Note, Prepared, Ready, SetAside
from spendtop.services.recording.rows import COLUMNS, from_row, to_row, to_values
from spendtop.services.recording.totals import TotalsByDifference
from spendtop.services.recording.twins import Twins
from spendtop.store import dictionaries, facts
from spendtop.store.day_totals import TotalsAddition, keep_others_out
from spendtop.store.ids import RequestIds, former_identity
from spendtop.store.statements import (
    cursor_of,
    insert_or_ignore,
    insert_or_keep_larger,
    insert_or_replace,
    insert_or_replace_shorter,
    insert_row,
    placeholder,
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
)

_log = logging.getLogger(__name__)
_KEYS_PER_QUERY = 500
MOST_CONTRADICTIONS = 10
"""Of one request that are kept."""


class Outcome(Struct, frozen=True, gc=False):
    """What became of one event; `id` is ours, of the request or of the quarantine row."""

    status: Literal["stored", "duplicate", "conflict", "test", "quarantined", "noted"]
    """A conflict is known under the same id of its client's own choice, but said something else then."""
    id: int
    request: Request | None = None
    """The request as it was recorded, when it is new."""


class Recording:
    """The recording transaction of one collector. Not thread-safe: the writer alone calls it."""

    def __init__(self, dialect: Dialect, ids: RequestIds, book: LimitBook, price: Price) -> None:
        self._ids = ids
        self._joining = Joining()
        self.book = book
        """The limits in force; replaced as a whole when the configuration changes."""
        self.price = price
        """Prices merged requests; replaced likewise."""
        self._request = insert_row(RequestTable, dialect)
        self._in_order = itemgetter(*(COLUMNS.index(name) for name in self._request.names))
        self._request_update = update_row(RequestTable, dialect)
        self._key = insert_row(RequestKeyTable, dialect)
        self._body = insert_or_ignore(BodyTable, dialect)
        self._totals = TotalsAddition(dialect)
        self._better_body = insert_or_replace(BodyTable, dialect)
        self._longer_body = insert_or_replace_shorter(BodyTable, "data", dialect)
        self._mark = insert_or_keep_larger(LimitMarkTable, dialect)
        self._placeholder = placeholder(dialect)

    def record(self, connection: Connection, events: Sequence[Ready]) -> list[Outcome]:
        """Record a group of events in the open transaction; one outcome per event, in their order."""
        self.book.look_up(connection)
        group = self._group(connection, [event for event in events if isinstance(event, Prepared)])
        outcomes = [self._outcome(connection, group, event) for event in events]
        if group.dropped:
            _drop(connection, group)
        if homes := group.keys.homes:
            outcomes = [
                replace(each, id=group.keys.home(each.id), request=None) if each.id in homes else each
                for each in outcomes
            ]
        if group.alike is not None and group.touched:
            group.pair(Twins(connection, group.touched).pair(group.changed))
        self._write(connection, group)
        self._note_unread(connection, events, outcomes)
        if _log.isEnabledFor(logging.DEBUG):
            _trace(events, outcomes, group)
        return outcomes

    def _note_unread(self, connection: Connection, events: Sequence[Ready], outcomes: Sequence[Outcome]) -> None:
        """Count what of the usage of new requests nobody read."""
        unread: defaultdict[str, list[Remark]] = defaultdict(list)
        now = 0
        for event, outcome in zip(events, outcomes, strict=True):
            if isinstance(event, Prepared) and event.request.unread_usage and outcome.status == "stored":
                request = event.request
                unread[request.source.name] += [
                    remark(RemarkKind.UNREAD, name, "is not priced") for name in request.unread_usage
                ]
                now = max(now, request.received_at)
        if unread:
            remarks.note(connection, {source: folded(each) for source, each in unread.items()}, now)

    def _group(self, connection: Connection, requests: Sequence[Prepared]) -> Group:
        """The group with all that is known about its requests."""
        spaces = {each.request.source.space for each in requests}
        joins = bool(spaces) and self._joining.is_active(connection, spaces)
        keys, stored = self._stored(connection, requests)
        group = Group(self.book, self.price, self._ids.next, keys, stored)
        if joins:
            unsettled = [
                event.request
                for event in requests
                if (key := keys.get(event.digest)) is None or _brings_more(event.request, stored.get(key.request_id))
            ]
            group.join(self._joining.candidates(connection, unsettled))
        return group

    def _stored(
        self, connection: Connection, requests: Sequence[Prepared]
    ) -> tuple[dict[bytes, Key], dict[int, StoredRequest]]:
        """The requests' keys that are known, by digest, and what they are of."""
        keys = self._keys(connection, [each for event in requests for each in (event.digest, *event.other_digests)])
        stored = _stored(connection, {key.request_id for key in keys.values()})
        missing = {key.request_id for key in keys.values()} - stored.keys()
        while missing:
            homes = self._keys(connection, list(map(former_identity, missing)))
            moved = {id: homes[digest].request_id for id in missing if (digest := former_identity(id)) in homes}
            keys = {
                digest: key._replace(request_id=moved.get(key.request_id, key.request_id))
                for digest, key in keys.items()
            }
            missing = set(moved.values()) - stored.keys()
            stored |= _stored(connection, missing)
            missing -= stored.keys()
        return keys, stored

    def _outcome(self, connection: Connection, group: Group, event: Ready) -> Outcome:
        match event:
            case SetAside():
                return _set_aside(connection, event)
            case Note():
                if event.value is None:
                    facts.drop(connection, event.name)
                else:
                    facts.put(connection, event.name, event.value)
                return Outcome("noted", 0)
            case Prepared():
                return self._request_outcome(group, event)

    def _request_outcome(self, group: Group, event: Prepared) -> Outcome:
        request = event.request
        key = group.known_as(event)
        if key is not None:
            if key.contradicts(request.content):
                return Outcome("conflict", key.request_id)
            group.again(key.request_id, event)
            return Outcome("duplicate", group.united(key.request_id, event))
        request_id, is_new = group.record(event)
        home = group.united(request_id, event)
        return Outcome("stored", home, request if is_new and home == request_id else None)

    def _keys(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, Key]:
        """Those that are known, by digest."""
        keys: dict[bytes, Key] = {}
        for start in range(0, len(digests), _KEYS_PER_QUERY):
            part = tuple(digests[start : start + _KEYS_PER_QUERY])
            marks = ",".join([self._placeholder] * len(part))
            sql = f"SELECT digest, request_id, content FROM request_key WHERE digest IN ({marks})"
            for digest, request_id, content in cursor_of(connection, sql, part):
                keys[bytes(digest)] = Key(request_id, None if content is None else bytes(content))
        return keys

    def _write(self, connection: Connection, group: Group) -> None:
        self._request.run_many(connection, [self._in_order(to_row(record)) for record in group.new.values()])
        self._key.run_many(connection, group.keys.new)
        if group.keys.moved or group.bodies.moved or group.dropped:
            _move(connection, group)
        self._totals.run(connection, group.totals.rows(self._ids.slot))
        self._mark.run_many(connection, group.totals.marks(self._ids.slot))
        self._write_bodies(connection, group)
        if group.changed:
            self._update(connection, group.changed)
        for request_id, twin in sorted(group.twins.items()):
            request = table_of(RequestTable)
            connection.execute(update(request).where(request.c.id == request_id).values(probable_twin_of=twin))
        if group.revisions:
            connection.execute(table_of(RevisionTable).insert(), _at_home(group, group.revisions))
        if group.contradictions:
            _contradict(connection, _at_home(group, group.contradictions))

    def _write_bodies(self, connection: Connection, group: Group) -> None:
        """Not before the totals: see `dictionaries.keep`."""
        bodies = group.bodies
        self._body.run_many(connection, _rows(bodies.first))
        if bodies.better or bodies.longer:
            self._better_body.run_many(connection, _rows(bodies.better))
            self._longer_body.run_many(connection, _rows(bodies.longer))
        dictionaries.keep(connection, {dictionary for dictionary, _ in bodies.written})

    def correct(self, connection: Connection, totals: TotalsByDifference, changed: Mapping[int, StoredRequest]) -> None:
        """Write requests that were changed by hand, with the differences to the totals."""
        self._totals.run(connection, totals.rows(self._ids.slot))
        self._mark.run_many(connection, totals.marks(self._ids.slot))
        self._update(connection, changed)

    def _update(self, connection: Connection, records: Mapping[int, StoredRequest]) -> None:
        changed = [to_values(records[request_id]) for request_id in sorted(records)]
        rows = [{_bind(k): v for k, v in values.items()} for values in changed]
        names = self._request_update.names
        self._request_update.run_many(connection, [tuple(row[name] for name in names) for row in rows])


def _trace(events: Sequence[Ready], outcomes: Sequence[Outcome], group: Group) -> None:
    """Log what became of each event, and what is marked, without what a client wrote."""
    for event, outcome in zip(events, outcomes, strict=True):
        if isinstance(event, SetAside):
            _log.debug("%s event of %s: %s, kept as %d", event.kind, event.source, outcome.status, outcome.id)
            continue
        if isinstance(event, Note):
            continue
        joined = outcome.status == "stored" and outcome.request is None
        _log.debug(
            "request %d of %s: %s, %s",
            *(outcome.id, event.request.source.name, "joined" if joined else outcome.status, event.request.cost.words),
        )
    marked = Counter(name for name, *_ in group.totals.marks(0))
    if marked:
        _log.debug("marked: %s", ", ".join(f"{clean_line(name)} {count}" for name, count in marked.items()))


def _stored(connection: Connection, ids: Collection[int]) -> dict[int, StoredRequest]:
    """Records behind known ids, kept from other collectors until the commit; a purged request has none."""
    if not ids:
        return {}
    table = table_of(RequestTable)
    wanted = select(table).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
    return {row.id: from_row(row) for row in connection.execute(wanted)}


def _rows(bodies: Mapping[int, Body]) -> list[tuple[int, int, bytes]]:
    return [(request_id, *body) for request_id, body in bodies.items()]


def _move(connection: Connection, group: Group) -> None:
    """Give keys and bodies to the requests that they belong to now."""
    key, body = table_of(RequestKeyTable), table_of(BodyTable)
    for digest, request_id in group.keys.moved:
        connection.execute(update(key).where(key.c.digest == digest).values(request_id=request_id))
    for former, request_id in group.bodies.moved:
        connection.execute(delete(body).where(body.c.request_id == request_id))
        connection.execute(
            update(body).where(body.c.request_id == former).values(request_id=group.keys.home(request_id))
        )
    connection.execute(delete(body).where(body.c.request_id.in_(group.dropped)))


def _drop(connection: Connection, group: Group) -> None:
    """Delete requests that turned out to be others, before anything is compared with them; their bodies go when those
    that are kept have moved."""
    request, revision = table_of(RequestTable), table_of(RevisionTable)
    for request_id in sorted(group.dropped):
        home = group.keys.home(request_id)
        connection.execute(update(revision).where(revision.c.request_id == request_id).values(request_id=home))
    connection.execute(delete(request).where(request.c.id.in_(group.dropped)))


def _at_home(group: Group, revisions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "request_id": group.keys.home(each["request_id"])} for each in revisions]


def _brings_more(report: Request, known: StoredRequest | None) -> bool:
    """Whether a further report says something that requests are joined by and that was not known."""
    if known is None:
        return False
    brings_id = report.response_id is not None and report.response_id != known.request.response_id
    return brings_id or value_of(report) not in (None, *values_of(known))


def _contradict(connection: Connection, contradictions: Sequence[dict[str, Any]]) -> None:
    """Keep what was said and not taken: each only once, and of one request the first ones only."""
    table = table_of(RevisionTable)
    kept: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    ids = {each["request_id"] for each in contradictions}
    columns = select(table.c.request_id, table.c.source, table.c.changes)
    for row in connection.execute(columns.where(table.c.request_id.in_(ids), table.c.changes.like(f"%{REFUSED}%"))):
        kept[row.request_id].add((row.source, row.changes))
    new = []
    for each in contradictions:
        of_request, named = kept[each["request_id"]], (each["source"], each["changes"])
        if named not in of_request and len(of_request) < MOST_CONTRADICTIONS:
            of_request.add(named)
            new.append(each)
    if new:
        connection.execute(table.insert(), new)


def _bind(column: str) -> str:
    return "key_id" if column == "id" else f"new_{column}"


def keep_bodies(connection: Connection, request_id: int, ready: Prepared) -> None:
    """Store the prompt and response of a known request that had none; nothing else of it changes, nor what retention
    deleted."""
    if ready.body is None:
        return
    request, body = table_of(RequestTable), (request_id, *ready.body)
    kept = connection.execute(
        update(request)
        .where(request.c.id == request_id, request.c.body_state != BodyState.PURGED.value)
        .values(body_state=ready.request.body_state.value)
    )
    if kept.rowcount:
        insert_or_ignore(BodyTable, connection.dialect).run_many(connection, [body])
        keep_others_out(connection)
        dictionaries.keep(connection, {ready.body[0]})


def _set_aside(connection: Connection, event: SetAside) -> Outcome:
    """Keep an event that is not counted; the same event again is the same row."""
    table = table_of(QuarantineTable)
    status: Literal["test", "quarantined"] = "test" if event.kind == "test" else "quarantined"
    before = connection.execute(select(table.c.id).where(table.c.digest == event.digest)).scalar()
    if before is not None:
        return Outcome(status, before)
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
