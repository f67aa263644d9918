"""Pricing anew what is stored: audited corrections of costs that were computed here, a page of requests at a time.

A run can be interrupted after any page and goes on there; it can be undone, exactly, where nothing else has changed a
request since. Costs that somebody reported are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, and_, delete, select, tuple_, update

from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext, parse_filter
from spendtop.domain.limits import Limit
from spendtop.domain.merging import Price, StoredRequest, differences
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.request import Basis, Cost, Reporter, Request, Usage
from spendtop.domain.sources import OTLP
from spendtop.domain.usage import read_kept, read_response
from spendtop.domain.windows import Calendar, WindowKind, bounds
from spendtop.services.recording import Recording
from spendtop.services.request_rows import from_row, to_values
from spendtop.services.totals import TotalsByDifference
from spendtop.store import bodies
from spendtop.store.reads.requests import RequestQuery, conditions
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RepriceChangeTable, RepriceTable, RequestTable, RevisionTable

PAGE = 200
"""Requests of one transaction, for which webhooks wait."""
_MOST_VERSIONS = 20
_REQUEST, _RUN, _CHANGE = table_of(RequestTable), table_of(RepriceTable), table_of(RepriceChangeTable)
TOUCHED = (Basis.COMPUTED, Basis.UNKNOWN)
"""Bases of the costs that a run may correct."""

Reread = Callable[[Request, bytes | None], Request]
"""The request with its usage as this version reads it, from what is kept of it: its usage object, else its answer."""


class Run(Struct, frozen=True, kw_only=True):
    """One run over stored requests."""

    id: int
    asked_by: str
    since: int | None
    until: int | None
    filter: str
    state: str
    """running, done, undoing or undone."""
    started_at: int
    looked_at: int
    changed: int
    before: Usd
    """What was known of the changed requests' costs before."""
    after: Usd
    unpriced_before: int
    unpriced_after: int
    versions: tuple[str, ...]
    """What had priced the changed requests before."""
    version: str
    """What prices them now."""
    undone_by: str | None
    skipped: int
    """Requests that the undoing left alone, as something else changed them since."""
    cursor: tuple[int, int] | None
    """Time and id of the request that was looked at last."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("done", "undone")

    @property
    def query(self) -> RequestQuery:
        """Which requests it is about."""
        return RequestQuery(parse_filter(self.filter) if self.filter else None, self.since, self.until)


class Candidate(NamedTuple):
    """A request that may have another cost now."""

    stored: StoredRequest
    answer: bytes | None
    """The provider's answer as JSON, where it is kept and no usage object is."""


class Correction(Struct, frozen=True):
    """One request whose cost is another one now."""

    old: StoredRequest
    new: StoredRequest


def begin(connection: Connection, query: RequestQuery, filter_text: str, asked_by: str, now: int) -> int:
    """Note a run that nothing is done of yet; returns its id."""
    inserted = connection.execute(
        _RUN.insert().values(
            asked_by=asked_by,
            since=query.since,
            until=query.until,
            filter=filter_text,
            state="running",
            started_at=now,
            updated_at=now,
            looked_at=0,
            changed=0,
            before_nano=0,
            after_nano=0,
            unpriced_before=0,
            unpriced_after=0,
            versions="[]",
            version="",
            skipped=0,
        )
    )
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def run_of(connection: Connection, run_id: int) -> Run:
    """Raises UsageError where there is no such run."""
    row = connection.execute(select(_RUN).where(_RUN.c.id == run_id)).one_or_none()
    if row is None:
        raise UsageError(f"There is no reprice {run_id}. `spendtop reprice list` names all.")
    return _run(row)


def runs(connection: Connection) -> list[Run]:
    """All of them, the newest first."""
    return [_run(row) for row in connection.execute(select(_RUN).order_by(_RUN.c.id.desc()))]


def candidates(
    connection: Connection,
    query: RequestQuery,
    context: FilterContext,
    after: tuple[int, int] | None,
    bases: Iterable[Basis] = TOUCHED,
) -> list[Candidate]:
    """The next page of requests with costs of these bases, in time order."""
    return _candidates(connection, _page(connection, query, context, after, bases))


def corrections(page: Iterable[Candidate], reread: Reread, price: Price) -> Iterator[Correction]:
    """Those of the requests whose cost is another one by the prices of now."""
    for stored, answer in page:
        request = reread(stored.request, answer)
        request = msgspec.structs.replace(request, cost=price(request))
        if _differ(stored.request, request):
            yield Correction(stored, msgspec.structs.replace(stored, request=request))


def step(
    connection: Connection,
    run_id: int,
    recording: Recording,
    context: FilterContext,
    reread: Reread,
) -> Run:
    """Price one page anew within the open transaction, and say how the run stands then.

    Raises UsageError for a run that is over.
    """
    run = run_of(connection, run_id)
    if run.state != "running":
        raise UsageError(f"Reprice {run_id} is {run.state}.")
    wanted = _page(connection, run.query, context, run.cursor, TOUCHED)
    page = _candidates(connection, wanted.with_for_update(of=_REQUEST))
    found = list(corrections(page, reread, recording.price))
    _correct(connection, recording, found, context, f"reprice {run.id}")
    changes = [
        {"reprice_id": run.id, "request_id": each.old.id, "before": _packed(before), "after": _packed(after)}
        for each in found
        for before, after in [_columns(each)]
    ]
    if changes:
        connection.execute(_CHANGE.insert(), changes)
    versions = {each.old.request.cost.price_version or "" for each in found} | set(run.versions)
    last = page[-1].stored if page else None
    cursor = run.cursor if last is None else (last.request.occurred_at, last.id)
    connection.execute(
        update(_RUN)
        .where(_RUN.c.id == run.id)
        .values(
            cursor=None if cursor is None else f"{cursor[0]},{cursor[1]}",
            looked_at=run.looked_at + len(page),
            changed=run.changed + len(found),
            before_nano=run.before.nano + sum(_known(each.old) for each in found),
            after_nano=run.after.nano + sum(_known(each.new) for each in found),
            unpriced_before=run.unpriced_before + sum(_counts_unpriced(each.old) for each in found),
            unpriced_after=run.unpriced_after + sum(_counts_unpriced(each.new) for each in found),
            versions=msgspec.json.encode(sorted(filter(None, versions))[:_MOST_VERSIONS]).decode(),
            version=next(
                (each.new.request.cost.price_version for each in found if each.new.request.cost.price_version),
                run.version,
            ),
            state="running" if len(page) == PAGE else "done",
            updated_at=context.now_us,
        )
    )
    return run_of(connection, run_id)


def undo_step(connection: Connection, run_id: int, recording: Recording, context: FilterContext, asked_by: str) -> Run:
    """Take one page of a run's corrections back, and say how it stands then. Raises UsageError for one that is not
    there, still runs, or was taken back already."""
    run = run_of(connection, run_id)
    if run.state == "undone":
        raise UsageError(f"Reprice {run_id} was taken back already, by {run.undone_by}.")
    changes = connection.execute(
        select(_CHANGE).where(_CHANGE.c.reprice_id == run.id).order_by(_CHANGE.c.request_id).limit(PAGE)
    ).all()
    ids = [change.request_id for change in changes]
    present = {
        row.id: row for row in connection.execute(select(_REQUEST).where(_REQUEST.c.id.in_(ids)).with_for_update())
    }
    found, skipped = [], 0
    for change in changes:
        row = present.get(change.request_id)
        if row is None:
            continue
        values = dict(row._mapping)
        after, before = _unpacked(change.after), _unpacked(change.before)
        if any(_plain(values[name]) != value for name, value in after.items()):
            skipped += 1
            continue
        restored = from_row([before.get(name, values[name]) for name in values])
        found.append(Correction(from_row(row), restored))
    _correct(connection, recording, found, context, f"reprice {run.id} undone")
    connection.execute(delete(_CHANGE).where(_CHANGE.c.reprice_id == run.id, _CHANGE.c.request_id.in_(ids)))
    connection.execute(
        update(_RUN)
        .where(_RUN.c.id == run.id)
        .values(
            state="undoing" if len(changes) == PAGE else "undone",
            undone_by=asked_by,
            skipped=run.skipped + skipped,
            updated_at=context.now_us,
        )
    )
    return run_of(connection, run_id)


def told(run: Run) -> str:
    """What came of a run that is over, as a sentence for people."""
    if run.state == "undone":
        left = f"; {run.skipped:,} were left alone, as something else changed them since" if run.skipped else ""
        return f"Reprice {run.id} is taken back{left}."
    if not run.changed:
        return f"{run.looked_at:,} requests were looked at; every cost is what the prices of now make of it."
    unpriced = f", unpriced {run.unpriced_before:,} -> {run.unpriced_after:,}"
    return (
        f"{run.changed:,} of {run.looked_at:,} requests have another cost now: {run.before} -> {run.after}"
        f"{unpriced if run.unpriced_before or run.unpriced_after else ''}."
        f" `spendtop reprice --undo {run.id}` takes it back."
    )


class Difference(Struct):
    """What pricing anew makes of the requests of one model on one day."""

    requests: int = 0
    before: Usd = ZERO
    """Of their known costs."""
    after: Usd = ZERO
    unpriced_before: int = 0
    unpriced_after: int = 0

    def add(self, before: Cost, after: Cost) -> None:
        """Count one request."""
        self.requests += 1
        self.before += before.amount or ZERO
        self.after += after.amount or ZERO
        self.unpriced_before += _is_unpriced(before)
        self.unpriced_after += _is_unpriced(after)


def as_computed(page: Iterable[Candidate], reread: Reread, price: Price) -> Iterator[Correction]:
    """The reported costs beside what would be computed now, where that is known and another amount."""
    for stored, answer in page:
        request = reread(stored.request, answer)
        computed = price(request).computed
        if computed is not None and computed != stored.request.cost.amount:
            cost = Cost(amount=computed, basis=Basis.COMPUTED)
            yield Correction(
                stored, msgspec.structs.replace(stored, request=msgspec.structs.replace(request, cost=cost))
            )


def as_read_now(request: Request, answer: bytes | None) -> Request:
    """A `Reread`: what a client counted itself, or an instrumentation, is only completed."""
    kept = request.usage_object
    if kept is not None:
        reading = read_kept(kept, request.provider, request.served_model or request.model)
    elif answer is not None:
        try:
            reading = read_response(
                msgspec.json.decode(answer), provider=request.provider, model=request.served_model or request.model
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return request
    else:
        return request
    if not reading.usage.is_known:
        return request
    is_counted_elsewhere = request.source.written_by_hand or request.source is OTLP
    usage = _completed(request.usage, reading.usage) if is_counted_elsewhere else reading.usage
    reported, reported_by = request.cost.reported, request.cost.reported_by
    if reading.cost is not None:
        reported, reported_by = reading.cost, Reporter.PROVIDER
    return msgspec.structs.replace(
        request,
        usage=usage,
        service_level=reading.service_level or request.service_level,
        inference_geo=reading.inference_geo or request.inference_geo,
        provider_usage=request.provider_usage or reading.provider_usage,
        cost=msgspec.structs.replace(request.cost, reported=reported, reported_by=reported_by),
    )


def _completed(known: Usage, read: Usage) -> Usage:
    """What is known, with what else can be read now."""
    gaps = {name: getattr(read, name) for name in Usage.__struct_fields__ if getattr(known, name) is None}
    return msgspec.structs.replace(known, **gaps)


def _page(
    connection: Connection,
    query: RequestQuery,
    context: FilterContext,
    after: tuple[int, int] | None,
    bases: Iterable[Basis],
) -> Select[Any]:
    """With the answers of those of which no usage object is kept."""
    body = table_of(BodyTable)
    position = _REQUEST.c.occurred_at, _REQUEST.c.id
    statement = (
        select(_REQUEST, body.c.data.label("body_data"))
        .outerjoin(body, and_(body.c.request_id == _REQUEST.c.id, _REQUEST.c.provider_usage.is_(None)))
        .where(*conditions(query, context, connection), _REQUEST.c.basis.in_([basis.value for basis in bases]))
        .order_by(*position)
        .limit(PAGE)
    )
    return statement if after is None else statement.where(tuple_(*position) > after)


def _candidates(connection: Connection, page: Select[Any]) -> list[Candidate]:
    return [
        Candidate(from_row(row), None if row.body_data is None else bodies.decode(row.body_data)[1])
        for row in connection.execute(page)
    ]


def _correct(
    connection: Connection, recording: Recording, found: list[Correction], context: FilterContext, source: str
) -> None:
    """Write the corrections with what they make of all totals; alerts only speak of windows that are still open."""
    if not found:
        return
    totals = TotalsByDifference(recording.book, _open_at(context.now_us, context.calendar))
    for each in found:
        totals.replace(each.old.request, each.new.request, each.old.id)
    recording.correct(connection, totals, {each.new.id: each.new for each in found})
    connection.execute(
        table_of(RevisionTable).insert(),
        [
            {
                "request_id": each.old.id,
                "at": context.now_us,
                "source": source,
                "changes": msgspec.json.encode(differences(each.old.request, each.new.request)).decode(),
            }
            for each in found
        ],
    )


def _open_at(now: int, calendar: Calendar) -> Callable[[Limit, int], bool]:
    """Whether what happened at an instant lies in a limit's window of now; a single request is over at once."""
    spans = {}

    def is_open(limit: Limit, at: int) -> bool:
        if limit.window.kind is WindowKind.REQUEST:
            return False
        if limit.window not in spans:
            spans[limit.window] = bounds(limit.window, now, calendar)
        return at in spans[limit.window]

    return is_open


def _differ(old: Request, new: Request) -> bool:
    """Whether the cost is another one, or what it rests on; by which list it was found is no difference."""
    return (old.cost.amount, old.cost.basis, old.cost.unpriced_units, old.cost.level_assumed, old.usage) != (
        new.cost.amount,
        new.cost.basis,
        new.cost.unpriced_units,
        new.cost.level_assumed,
        new.usage,
    )


def _columns(correction: Correction) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The columns that differ, before and after."""
    old, new = to_values(correction.old), to_values(correction.new)
    changed = [name for name in old if old[name] != new[name]]
    return {name: old[name] for name in changed}, {name: new[name] for name in changed}


def _packed(columns: Mapping[str, Any]) -> bytes:
    return msgspec.msgpack.encode(columns)


def _unpacked(packed: bytes) -> dict[str, Any]:
    columns: dict[str, Any] = msgspec.msgpack.decode(bytes(packed))
    return columns


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def _known(stored: StoredRequest) -> int:
    """Nano-USD that a counted request counts for."""
    return (stored.request.cost.amount or ZERO).nano if stored.request.counted else 0


def _counts_unpriced(stored: StoredRequest) -> bool:
    return stored.request.counted and _is_unpriced(stored.request.cost)


def _is_unpriced(cost: Cost) -> bool:
    return cost.amount is None or cost.partial


def _run(row: Any) -> Run:
    at, _, request_id = (row.cursor or "").partition(",")
    return Run(
        id=row.id,
        asked_by=row.asked_by,
        since=row.since,
        until=row.until,
        filter=row.filter,
        state=row.state,
        started_at=row.started_at,
        looked_at=row.looked_at,
        changed=row.changed,
        before=Usd(row.before_nano),
        after=Usd(row.after_nano),
        unpriced_before=row.unpriced_before,
        unpriced_after=row.unpriced_after,
        versions=tuple(msgspec.json.decode(row.versions)),
        version=row.version,
        undone_by=row.undone_by,
        skipped=row.skipped,
        cursor=(int(at), int(request_id)) if request_id else None,
    )
