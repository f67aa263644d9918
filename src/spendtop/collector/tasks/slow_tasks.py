"""What faces ask that takes its time: polling now, back-filling a span, fetching bodies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from spendtop.collector.polling.poll_config import helicone_api
from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.polling.poll_supervisor import PollSupervisor, helicone
from spendtop.collector.polling.read_ahead import ReadAhead
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_datetime
from spendtop.domain.counted import counted
from spendtop.domain.errors import SpendtopError
from spendtop.domain.money import ZERO
from spendtop.domain.requests.request import BodyState, Request
from spendtop.domain.sources.records import HELICONE, HELICONE_API
from spendtop.services import tasks
from spendtop.services.checkpoints import Checkpoint
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.transaction import Outcome, keep_bodies
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.sources.pollers.helicone.cursor import progress, range_cursor, resumed
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from spendtop.sources.privacy import keeps_bodies
from spendtop.store.reads.requests.detail import RequestDetail, detail
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.sessions.sessions import without_body
from spendtop.store.reads.sources.completeness import GapRow, gaps
from spendtop.store.transactions import read

_GAPS = 20
"""The newest that are looked at."""
_KEEPS_NONE = "[privacy] bodies keeps neither prompts nor responses; set it to redact."
SlowTask = Callable[[Task], Awaitable[str]]
"""Does a task and says what came of it. Raises SpendtopError for what cannot be done."""


class _NoBody(SpendtopError):
    """Why a request's prompt and response are not to be had."""


class SlowTasks:
    """Tasks that ask providers."""

    def __init__(self, context: PollContext, pollers: PollSupervisor, settings: Callable[[], Settings]) -> None:
        self._context = context
        self._pollers = pollers
        self._settings = settings

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {
            TaskKind.POLL_NOW: self.poll_now,
            TaskKind.BACKFILL: self.backfill,
            TaskKind.FETCH_BODY: self.fetch_body,
            TaskKind.FETCH_BODIES: self.fetch_bodies,
            TaskKind.FETCH_SESSION: self.fetch_session,
        }

    async def poll_now(self, task: Task) -> str:
        """Poll one poller, or all, and say what came of it."""
        named, began = task.arguments.get("poller"), self._context.clock()
        chosen = {name: each for name, each in self._pollers.running().items() if named in (None, name)}
        if not chosen:
            raise SpendtopError("Nothing like that is polled. `spendtop check` names what is.")
        await asyncio.gather(*(poll_loop.poll_now() for poll_loop in chosen.values()))
        checkpoints = [await self._context.checkpoint(name) for name in chosen]
        failures = [each.failure for each in checkpoints if each.failure]
        if failures:
            raise SpendtopError(" ".join(failures))
        newest = await read(self._context.store, lambda connection: gaps(connection, 0, _GAPS))
        missed = [gap for gap in newest if gap.found_at >= began]
        return f"Polled: {', '.join(_polled(each, missed) for each in checkpoints)}."

    async def backfill(self, task: Task) -> str:
        """Read a span of Helicone's requests again, page by page; one that was interrupted goes on where it was.

        Raises Stopped when somebody stopped it.
        """
        pages = ReadAhead(self._helicone())
        arguments = await read(self._context.store, lambda connection: _begun(connection, task))
        cursor, new, more = str(arguments["cursor"]), int(str(arguments["found"])), True
        while more:
            page = await pages.page(cursor, self._context.clock())
            new += await pages.beside(self._record(page.requests), page, self._context.clock())
            cursor, more = page.cursor, page.more
            at = progress(cursor)
            so_far = f"{'100%' if at is None else at.percent}, {new:,} new requests"
            is_wanted = await self._context.note_progress(task, so_far, {**arguments, "cursor": cursor, "found": new})
            if more and not is_wanted:
                raise tasks.Stopped(f"Stopped at {so_far}. Asked for again, it goes on there.")
        were = "request was" if new == 1 else "requests were"
        return f"{new:,} {were} missing there and came in now."

    async def fetch_body(self, task: Task) -> str:
        """Ask Helicone for the prompt and response of one request, and store them as the privacy settings say."""
        stored = await self._detail(int(str(task.arguments["id"])))
        if stored is None:
            raise SpendtopError("There is no such request (any more).")
        if stored.row.body_state is BodyState.STORED:
            return "Prompt and response are stored already."
        self._require_kept_bodies()
        await self._fetch_body(stored.row, self._helicone())
        return "Prompt and response are stored now."

    async def fetch_bodies(self, task: Task) -> str:
        """Ask Helicone for what the requests `ids`, or those of a `session`, were asked and answered, one by one.

        What is stored already is not asked for, so that asking again goes on. Raises Stopped when somebody stopped it.
        """
        api, session = self._helicone(), task.arguments.get("session")
        if session is None:
            self._require_kept_bodies()
            return await self._fetch_bodies(api, _ids(task), task)
        said = await self._read_session(api, str(session), task)
        if not keeps_bodies(self._settings()):
            return f"{said} {_KEEPS_NONE}"
        ids = await read(self._context.store, partial(without_body, session=str(session)))
        return f"{said} {await self._fetch_bodies(api, ids, task)}"

    async def _fetch_bodies(self, api: HeliconeApi, ids: Sequence[int], task: Task) -> str:
        fetched, missing = 0, Counter[str]()
        for number, request_id in enumerate(ids):
            if not await self._context.note_progress(task, f"{number:,} of {len(ids):,} asked for"):
                raise tasks.Stopped(f"Stopped after {number:,} of {len(ids):,}. Asked for again, it goes on there.")
            stored = await self._detail(request_id)
            if stored is None or stored.row.body_state is BodyState.STORED:
                continue
            try:
                await self._fetch_body(stored.row, api)
                fetched += 1
            except _NoBody as reason:
                missing[str(reason)] += 1
        return " ".join([_fetched(fetched), *(f"{count:,} not: {reason}" for reason, count in missing.items())])

    async def fetch_session(self, task: Task) -> str:
        """Ask Helicone for all requests of a session. Raises Stopped when somebody stopped it."""
        session = str(task.arguments["session"])
        return await self._read_session(self._helicone(), session, task)

    async def _read_session(self, api: HeliconeApi, session: str, task: Task) -> str:
        found, new = 0, 0
        async for page in api.session(session, self._context.clock()):
            new += await self._record(page)
            found += len(page)
            if not await self._context.note_progress(task, f"{counted(found, 'request')} of the session read"):
                raise tasks.Stopped(f"Stopped after {counted(found, 'request')} of the session.")
        return f"Helicone has {found:,} of its requests, and {new:,} came in now."

    async def _fetch_body(self, row: RequestRow, api: HeliconeApi) -> None:
        """Raises _NoBody where there is none to be had, and PollFailed."""
        if row.body_state is BodyState.PURGED:
            raise _NoBody("They were deleted when [retention] said so, and do not come back.")
        ids = row.external_ids
        external_id = ids.get(HELICONE_API.name) or ids.get(HELICONE.name)
        if external_id is None:
            raise _NoBody("Only requests that went through Helicone can be asked for there.")
        request = await api.request(external_id, self._context.clock())
        if request is None or (request.request_body is None and request.response_body is None):
            raise _NoBody("Helicone does not have its prompt and response (any more).")
        # The bodies alone: this answer may be a day old, and polls may have corrected the rest since.
        (ready,) = await asyncio.to_thread(self._context.recorder.prepare, [request])
        assert isinstance(ready, Prepared)
        await self._context.write(lambda connection: keep_bodies(connection, row.id, ready))
        self._context.stored()

    async def _detail(self, request_id: int) -> RequestDetail | None:
        return await read(self._context.store, lambda connection: detail(connection, request_id))

    def _require_kept_bodies(self) -> None:
        if not keeps_bodies(self._settings()):
            raise SpendtopError(_KEEPS_NONE)

    def _helicone(self) -> HeliconeApi:
        """Raises SpendtopError without a key."""
        wanted = helicone_api(self._settings())
        if wanted is None:
            raise SpendtopError("Helicone's API is not asked. Set api_key under [helicone].")
        return helicone(wanted, self._context.store)

    async def _record(self, requests: Sequence[Request]) -> int:
        """Part by part; returns how many were new."""

        def new(connection: Connection, outcomes: list[Outcome]) -> int:
            return sum(outcome.request is not None for outcome in outcomes)

        count = 0
        for part in self._context.parts(requests):
            count += await self._context.record(part, new)
            self._context.stored()
        return count


def _begun(connection: Connection, task: Task) -> dict[str, object]:
    """A back-fill's arguments with `cursor`, where to go on, and `found`, what was new before."""
    arguments = task.arguments
    since, until = int(str(arguments["since"])), int(str(arguments["until"]))
    if since >= until:
        raise SpendtopError("The span to fill ends before it begins. Name an earlier begin.")
    if "cursor" in arguments:
        return arguments
    last = tasks.last_ended(connection, TaskKind.BACKFILL)
    if last is not None and last.state is not TaskState.DONE and "cursor" in last.arguments:
        cursor = resumed(str(last.arguments["cursor"]), since, until)
        if cursor is not None:
            return {**arguments, "cursor": cursor, "found": last.arguments["found"]}
    return {**arguments, "cursor": range_cursor(since, until), "found": 0}


def _ids(task: Task) -> list[int]:
    ids = task.arguments["ids"]
    assert isinstance(ids, list)
    return [int(str(each)) for each in ids]


def _fetched(count: int) -> str:
    match count:
        case 0:
            return "No prompts and responses came in."
        case 1:
            return "Prompt and response of 1 request are stored now."
    return f"Prompts and responses of {counted(count, 'request')} are stored now."


def _polled(checkpoint: Checkpoint, missed: Sequence[GapRow]) -> str:
    """One poller with how far it got and what it found."""
    if checkpoint.complete_until is None:
        return checkpoint.poller
    requests, cost = sum(gap.requests for gap in missed), sum((gap.cost for gap in missed), ZERO)
    filled = f", {requests:,} that were missed before ({cost})" if requests else ""
    return f"{checkpoint.poller} (complete until {to_datetime(checkpoint.complete_until):%Y-%m-%d %H:%M} UTC{filled})"
