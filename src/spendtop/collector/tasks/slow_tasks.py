"""What faces ask that takes its time: polling now, back-filling a span, fetching bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Connection

from spendtop.collector.from_settings import keeps_bodies
from spendtop.collector.polling.poll_config import helicone_api
from spendtop.collector.polling.poll_steps import PollContext, in_parts
from spendtop.collector.polling.poll_supervisor import PollSupervisor, helicone
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_datetime
from spendtop.domain.errors import SpendtopError
from spendtop.domain.money import ZERO
from spendtop.domain.request import BodyState, Request
from spendtop.domain.sources import HELICONE, HELICONE_API
from spendtop.services import tasks
from spendtop.services.checkpoints import Checkpoint
from spendtop.services.preparation import Prepared
from spendtop.services.recording import Outcome, keep_bodies
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.sources.pollers.helicone_api import HeliconeApi
from spendtop.sources.pollers.helicone_cursor import progress, range_cursor, resumed
from spendtop.store.reads.completeness import GapRow, gaps
from spendtop.store.reads.detail import detail
from spendtop.store.transactions import read

_GAPS = 20
"""The newest that are looked at."""
SlowTask = Callable[[Task], Awaitable[str]]
"""Does a task and says what came of it. Raises SpendtopError for what cannot be done."""


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
        api, arguments = self._helicone(), await read(self._context.store, lambda connection: _begun(connection, task))
        cursor, new, more = str(arguments["cursor"]), int(str(arguments["found"])), True
        while more:
            page = await api.step(cursor, self._context.clock())
            for part in in_parts(page.requests):
                new += await self._record(part)
            cursor, more = page.cursor, page.more
            at = progress(cursor)
            so_far = f"{'100%' if at is None else at.percent}, {new:,} new requests"
            is_wanted = await self._note_progress(task, so_far, {**arguments, "cursor": cursor, "found": new})
            if more and not is_wanted:
                raise tasks.Stopped(f"Stopped at {so_far}. Asked for again, it goes on there.")
        were = "request was" if new == 1 else "requests were"
        return f"{new:,} {were} missing there and came in now."

    async def fetch_body(self, task: Task) -> str:
        """Ask Helicone for the prompt and response of one request, and store them as the privacy settings say."""
        stored = await read(self._context.store, lambda connection: detail(connection, int(str(task.arguments["id"]))))
        if stored is None:
            raise SpendtopError("There is no such request (any more).")
        row = stored.row
        if row.body_state is BodyState.STORED:
            return "Prompt and response are stored already."
        if row.body_state is BodyState.PURGED:
            raise SpendtopError("They were deleted when [retention] said so, and do not come back.")
        if not keeps_bodies(self._settings()):
            raise SpendtopError("[privacy] bodies keeps neither prompts nor responses; set it to redact.")
        ids = row.external_ids
        external_id = ids.get(HELICONE_API.name) or ids.get(HELICONE.name)
        if external_id is None:
            raise SpendtopError("Only requests that went through Helicone can be asked for there.")
        request = await self._helicone().request(external_id, self._context.clock())
        if request is None or (request.request_body is None and request.response_body is None):
            raise SpendtopError("Helicone does not have its prompt and response (any more).")
        # The bodies alone: this answer may be a day old, and polls may have corrected the rest since.
        (ready,) = await asyncio.to_thread(self._context.recorder.prepare, [request])
        assert isinstance(ready, Prepared)
        await self._context.write(lambda connection: keep_bodies(connection, row.id, ready))
        self._context.stored()
        return "Prompt and response are stored now."

    def _helicone(self) -> HeliconeApi:
        """Raises SpendtopError without a key."""
        wanted = helicone_api(self._settings())
        if wanted is None:
            raise SpendtopError("Helicone's API is not asked. Set api_key under [helicone].")
        return helicone(wanted, self._context.store)

    async def _record(self, requests: Sequence[Request]) -> int:
        """Returns how many were new."""

        def new(connection: Connection, outcomes: list[Outcome]) -> int:
            return sum(outcome.request is not None for outcome in outcomes)

        count = await self._context.record(requests, new)
        self._context.stored()
        return count

    async def _note_progress(self, task: Task, progress: str, arguments: dict[str, object]) -> bool:
        now = self._context.clock()
        return await self._context.write(
            lambda connection: tasks.note_progress(connection, task.id, progress, arguments, now)
        )


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


def _polled(checkpoint: Checkpoint, missed: Sequence[GapRow]) -> str:
    """One poller with how far it got and what it found."""
    if checkpoint.complete_until is None:
        return checkpoint.poller
    requests, cost = sum(gap.requests for gap in missed), sum((gap.cost for gap in missed), ZERO)
    filled = f", {requests:,} that were missed before ({cost})" if requests else ""
    return f"{checkpoint.poller} (complete until {to_datetime(checkpoint.complete_until):%Y-%m-%d %H:%M} UTC{filled})"
