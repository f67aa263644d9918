"""Pricing anew what is stored: audited corrections of costs that were computed here, a page of requests at a time.

A run can be interrupted after any page and goes on there; it can be undone, exactly, where nothing else has changed a
request since. Costs that somebody reported are never touched.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from getpass import getuser
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, delete, select, update

from spendtop.domain.clock import MINUTE
from spendtop.domain.counted import counted
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.reports.merging import StoredRequest, differences
from spendtop.domain.requests.fields import REPORTED
from spendtop.domain.windows import Calendar
from spendtop.services.recording.rows import from_row, to_values
from spendtop.services.recording.totals import TotalsByDifference, open_windows
from spendtop.services.recording.transaction import Recording
from spendtop.services.repricing.current_costs import (
    COMPUTED_HERE,
    PAGE,
    Candidate,
    Correction,
    Page,
    RequestPosition,
    Reread,
    corrections,
    is_unpriced,
    read_page,
)
from spendtop.services.stores.presence import process_start
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.statements import table_of
from spendtop.store.tables import RepriceChangeTable, RepriceTable, RequestTable, RevisionTable

_MOST_VERSIONS = 20
_LARGEST_ID = 2**31 - 1
_SEEN_WITHIN = MINUTE
"""So long after its last page a worker on another host is taken for alive."""
_REQUEST, _RUN, _CHANGE = table_of(RequestTable), table_of(RepriceTable), table_of(RepriceChangeTable)
_DECIDING = frozenset(
    field.column
    for field in REPORTED
    if field.part in ("cost", "usage")
    or field.name in ("provider", "model", "served_model", "status", "cached", "service_level", "inference_geo")
)
"""Columns of a cost and of what it rests on."""


class Run(Struct, frozen=True, kw_only=True):
    """One run over stored requests."""

    id: int
    asked_by: str
    since: int | None
    until: int | None
    filter: str
    state: str
    """running, done, undoing or undone."""
    worker: str | None
    """The process that works on it."""
    started_at: int
    updated_at: int
    looked_at: int
    changed: int
    before: Usd
    """What was known before of the costs of those changed requests that count."""
    after: Usd
    unpriced_before: int
    unpriced_after: int
    versions: tuple[str, ...]
    """What had priced the changed requests before."""
    version: str
    """What prices them now."""
    undone_by: str | None
    restored: int
    """Requests that the undoing took back."""
    skipped: int
    """Requests that the undoing left alone, as something else changed them since."""
    cursor: RequestPosition | None
    """The request that was looked at last."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("done", "undone")

    @property
    def query(self) -> RequestQuery:
        """Which requests it is about."""
        return RequestQuery(parse_filter(self.filter) if self.filter else None, self.since, self.until)

    def is_interrupted(self, now: int) -> bool:
        """Whether something is left to do and nobody does it."""
        return not self.is_over and not _is_alive(self.worker, now - self.updated_at)


def begin(connection: Connection, query: RequestQuery, filter_text: str, asked_by: str, now: int) -> int:
    """Note a run that nothing is done of yet; returns its id."""
    inserted = connection.execute(
        _RUN.insert().values(
            asked_by=asked_by,
            since=query.since,
            until=query.until,
            filter=filter_text,
            state="running",
            worker=_this_process(),
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
            restored=0,
            skipped=0,
        )
    )
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def run_of(connection: Connection, run_id: int) -> Run:
    """Raises UsageError where there is no such run."""
    return _one(connection, run_id, select(_RUN))


def runs(connection: Connection) -> list[Run]:
    """All of them, the newest first."""
    return [_run(row) for row in connection.execute(select(_RUN).order_by(_RUN.c.id.desc()))]


def resumable(connection: Connection, run_id: int) -> Run:
    """Raises UsageError for a run that is not there or has nothing left to be gone on with."""
    run = run_of(connection, run_id)
    if run.state != "running":
        raise UsageError(_not_running(run))
    return run


def undoable(connection: Connection, run_id: int) -> Run:
    """Raises UsageError for a run that is not there or was taken back already."""
    run = run_of(connection, run_id)
    if run.state == "undone":
        raise UsageError(f"Reprice {run.id} was taken back already, by {run.undone_by}.")
    return run


def next_page(connection: Connection, run_id: int, calendar: Calendar) -> Page:
    """What a run looks at next; times in its filter are as of its begin. Raises UsageError for one that is being taken
    back."""
    run = run_of(connection, run_id)
    if run.state == "undoing":
        raise UsageError(_not_running(run))
    if run.is_over:
        return Page(run.cursor, ())
    return read_page(connection, run.query, FilterContext(run.started_at, calendar), run.cursor)


def step(
    connection: Connection,
    run_id: int,
    page: Page,
    differing: Sequence[Correction],
    recording: Recording,
    context: FilterContext,
    reread: Reread,
) -> Run:
    """Correct one page within the open transaction, and say how the run stands then.

    `differing` are the page's corrections, found before, so that webhooks do not wait for that. Nothing is done where
    somebody else was here first. Raises UsageError for a run that is being taken back.
    """
    run = _one(connection, run_id, select(_RUN).with_for_update())
    if run.state == "undoing":
        raise UsageError(_not_running(run))
    if run.is_over or run.cursor != page.after:
        return run
    current = _still_differing(connection, page, differing, recording, reread)
    _correct(connection, recording, current, context, f"reprice {run.id}")
    changes = [_change(run.id, each) for each in current]
    if changes:
        connection.execute(_CHANGE.insert(), changes)
    versions = {each.old.request.cost.price_version or "" for each in current} | set(run.versions)
    new_versions = (each.new.request.cost.price_version for each in current)
    return _note(
        connection,
        run,
        context.now_us,
        cursor=None if page.end is None else f"{page.end.occurred_at},{page.end.id}",
        looked_at=run.looked_at + len(page.candidates),
        changed=run.changed + len(current),
        before_nano=run.before.nano + sum(_known_nano(each.old) for each in current),
        after_nano=run.after.nano + sum(_known_nano(each.new) for each in current),
        unpriced_before=run.unpriced_before + sum(_counts_unpriced(each.old) for each in current),
        unpriced_after=run.unpriced_after + sum(_counts_unpriced(each.new) for each in current),
        versions=msgspec.json.encode(sorted(filter(None, versions))[:_MOST_VERSIONS]).decode(),
        version=next(filter(None, new_versions), run.version),
        state="done" if page.is_last else "running",
    )


def undo_step(connection: Connection, run_id: int, recording: Recording, context: FilterContext, asked_by: str) -> Run:
    """Take one page of a run's corrections back, and say how it stands then. One that still runs ends by that."""
    run = _one(connection, run_id, select(_RUN).with_for_update())
    if run.state == "undone":
        return run
    changes = connection.execute(
        select(_CHANGE).where(_CHANGE.c.reprice_id == run.id).order_by(_CHANGE.c.request_id).limit(PAGE)
    ).all()
    ids = [change.request_id for change in changes]
    rows = _locked_rows(connection, ids)
    current, skipped = [], 0
    for change in changes:
        row = rows.get(change.request_id)
        if row is None:
            continue  # retention deleted it
        stored = from_row(row)
        if _deciding(to_values(stored)) != _unpacked(change.after):
            skipped += 1
            continue
        before = _unpacked(change.before)
        restored = from_row([before.get(name, value) for name, value in row._mapping.items()])
        current.append(Correction(stored, restored))
    _correct(connection, recording, current, context, f"reprice {run.id} undone")
    connection.execute(delete(_CHANGE).where(_CHANGE.c.reprice_id == run.id, _CHANGE.c.request_id.in_(ids)))
    return _note(
        connection,
        run,
        context.now_us,
        state="undoing" if len(changes) == PAGE else "undone",
        undone_by=run.undone_by or asked_by,
        restored=run.restored + len(current),
        skipped=run.skipped + skipped,
    )


def who_asks() -> str:
    """The user's name, for the record."""
    try:
        return getuser()
    except (KeyError, OSError):
        return "shell"


def leave(connection: Connection, run_id: int) -> None:
    """Note that this process works no more on a run that has something left to do."""
    connection.execute(update(_RUN).where(_RUN.c.id == run_id, _RUN.c.worker == _this_process()).values(worker=None))


def forget_changes(connection: Connection, request_ids: Sequence[int]) -> None:
    """Forget what runs changed in requests that are deleted."""
    connection.execute(delete(_CHANGE).where(_of_runs(), _CHANGE.c.request_id.in_(request_ids)))


def forget_changes_before(connection: Connection, request_id: int) -> bool:
    """The same of all requests with smaller ids; whether there were any."""
    return connection.execute(delete(_CHANGE).where(_of_runs(), _CHANGE.c.request_id < request_id)).rowcount > 0


def _of_runs() -> ColumnElement[bool]:
    """All changes, as the primary key finds them."""
    return _CHANGE.c.reprice_id.in_(select(_RUN.c.id))


def progress(run: Run) -> str:
    """How far a run is that is not over, for people."""
    if run.state == "undoing":
        return f"{run.restored:,} of {run.changed:,} taken back"
    return f"{counted(run.looked_at, 'request')} looked at, {run.changed:,} changed"


def how_to_go_on(run: Run) -> str:
    """The command that goes on with a run that was interrupted."""
    return f"spendtop reprice --{'undo' if run.state == 'undoing' else 'resume'} {run.id}"


def outcome(run: Run) -> str:
    """What came of a run that is over, as a sentence for people."""
    if run.state == "undone":
        left = f", {run.skipped:,} left alone, as something else changed them since" if run.skipped else ""
        return f"Reprice {run.id} is taken back: {run.restored:,} as before{left}."
    if not run.changed:
        return f"Requests looked at: {run.looked_at:,}; every cost is what the prices of now make of it."
    unpriced = f", unpriced {run.unpriced_before:,} -> {run.unpriced_after:,}"
    return (
        f"{run.changed:,} of {counted(run.looked_at, 'request')} have another cost now: {run.before} -> {run.after}"
        f"{unpriced if run.unpriced_before or run.unpriced_after else ''}."
    )


def _not_running(run: Run) -> str:
    words = {"undoing": "is being taken back", "undone": "was taken back", "done": "is done"}[run.state]
    return f"Reprice {run.id} {words}; there is nothing to go on with."


def _still_differing(
    connection: Connection, page: Page, differing: Sequence[Correction], recording: Recording, reread: Reread
) -> list[Correction]:
    """The corrections as the requests are now: a source may have changed one since it was read, or retention deleted
    it."""
    rows = _locked_rows(connection, [each.old.id for each in differing])
    packed = {candidate.stored.id: candidate.bodies for candidate in page.candidates}
    current: list[Correction] = []
    for each in differing:
        row = rows.get(each.old.id)
        stored = None if row is None else from_row(row)
        if stored == each.old:
            current.append(each)
        elif stored is not None and stored.request.cost.basis in COMPUTED_HERE:
            current += corrections([Candidate(stored, packed[stored.id])], reread, recording.price)
    return current


def _locked_rows(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    """In the order of their ids, as everything locks them, so that collectors never wait for each other in a circle."""
    if not ids:
        return {}
    wanted = select(_REQUEST).where(_REQUEST.c.id.in_(ids)).order_by(_REQUEST.c.id).with_for_update()
    return {row.id: row for row in connection.execute(wanted)}


def _correct(
    connection: Connection, recording: Recording, current: Sequence[Correction], context: FilterContext, source: str
) -> None:
    """Write the corrections with what they make of all totals; alerts only speak of windows that are still open."""
    if not current:
        return
    recording.book.look_up(connection)
    totals = TotalsByDifference(recording.book, open_windows(context.now_us, context.calendar))
    for each in current:
        totals.replace(each.old.request, each.new.request, each.old.id)
    recording.correct(connection, totals, {each.new.id: each.new for each in current})
    connection.execute(
        table_of(RevisionTable).insert(),
        [
            {
                "request_id": each.old.id,
                "at": context.now_us,
                "source": source,
                "changes": msgspec.json.encode(differences(each.old.request, each.new.request)).decode(),
            }
            for each in current
        ],
    )


def _change(run_id: int, correction: Correction) -> dict[str, object]:
    old, new = to_values(correction.old), to_values(correction.new)
    before = {name: value for name, value in old.items() if value != new[name]}
    return {
        "reprice_id": run_id,
        "request_id": correction.old.id,
        "before": msgspec.msgpack.encode(before),
        "after": msgspec.msgpack.encode(_deciding(new)),
    }


def _deciding(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The columns that decide on a cost, as far as they say something."""
    return {name: value for name, value in values.items() if name in _DECIDING and value is not None}


def _unpacked(packed: bytes) -> dict[str, Any]:
    columns: dict[str, Any] = msgspec.msgpack.decode(bytes(packed))
    return columns


def _known_nano(stored: StoredRequest) -> int:
    """What a counted request counts for, nano-USD."""
    return (stored.request.cost.amount or ZERO).nano if stored.request.counted else 0


def _counts_unpriced(stored: StoredRequest) -> bool:
    return stored.request.counted and is_unpriced(stored.request.cost)


def _note(connection: Connection, run: Run, now: int, **values: object) -> Run:
    noted = {**values, "worker": _this_process(), "updated_at": now}
    connection.execute(update(_RUN).where(_RUN.c.id == run.id).values(noted))
    return run_of(connection, run.id)


def _this_process() -> str:
    """Names it among all of all hosts, also after its number is another one's."""
    return f"{socket.gethostname()} {os.getpid()} {process_start(os.getpid())}"


def _is_alive(worker: str | None, silent_for: int) -> bool:
    if worker is None:
        return False
    host, number, started = worker.rsplit(" ", 2)
    if host != socket.gethostname():
        return silent_for < _SEEN_WITHIN
    return 0 < process_start(int(number)) == int(started)


def _one(connection: Connection, run_id: int, wanted: Select[Any]) -> Run:
    is_id = 0 < run_id <= _LARGEST_ID
    row = connection.execute(wanted.where(_RUN.c.id == run_id)).one_or_none() if is_id else None
    if row is None:
        raise UsageError(f"There is no reprice {run_id}. `spendtop reprice list` names all.")
    return _run(row)


def _run(row: Any) -> Run:
    at, _, request_id = (row.cursor or "").partition(",")
    return Run(
        id=row.id,
        asked_by=row.asked_by,
        since=row.since,
        until=row.until,
        filter=row.filter,
        state=row.state,
        worker=row.worker,
        started_at=row.started_at,
        updated_at=row.updated_at,
        looked_at=row.looked_at,
        changed=row.changed,
        before=Usd(row.before_nano),
        after=Usd(row.after_nano),
        unpriced_before=row.unpriced_before,
        unpriced_after=row.unpriced_after,
        versions=tuple(msgspec.json.decode(row.versions)),
        version=row.version,
        undone_by=row.undone_by,
        restored=row.restored,
        skipped=row.skipped,
        cursor=RequestPosition(int(at), int(request_id)) if request_id else None,
    )
