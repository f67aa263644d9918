"""What faces ask that takes its time: polling now, back-filling a span, fetching bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Connection

from spendtop.collector.from_settings import keeps_bodies
from spendtop.collector.polling.poll_config import helicone_api
from spendtop.collector.polling.poll_steps import Desk, in_parts
from spendtop.collector.polling.poll_supervisor import Pollers, helicone
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
from spendtop.store.reads.rows import RequestRow

_GAPS = 20
"""The newest that are looked at."""
LongErrand = Callable[[Task], Awaitable[str]]
"""Does a task and says what came of it. Raises SpendtopError for what cannot be done."""


class Asked:
    """Errands that ask providers."""

    def __init__(self, desk: Desk, pollers: Pollers, settings: Callable[[], Settings]) -> None:
        self._desk = desk
        self._pollers = pollers
        self._settings = settings

    def errands(self) -> Mapping[TaskKind, LongErrand]:
        """By what is asked."""
        return {
            TaskKind.POLL_NOW: self.poll_now,
            TaskKind.BACKFILL: self.backfill,
            TaskKind.FETCH_BODY: self.fetch_body,
        }

    async def poll_now(self, task: Task) -> str:
        """Poll one poller, or all, and say what came of it."""
        wanted, began = task.arguments.get("poller"), self._desk.clock()
        chosen = {name: each for name, each in self._pollers.running().items() if wanted in (None, name)}
        if not chosen:
            raise SpendtopError("Nothing like that is polled. `spendtop check` names what is.")
        await asyncio.gather(*(polling.poll_now() for polling in chosen.values()))
        found = [await self._desk.checkpoint(name) for name in chosen]
        told = [each.failure for each in found if each.failure]
        if told:
            raise SpendtopError(" ".join(told))
        missed = await asyncio.to_thread(self._missed, began)
        return f"Polled: {', '.join(_polled(each, missed) for each in found)}."

    async def backfill(self, task: Task) -> str:
        """Read a span of Helicone's requests again, page by page; one that was interrupted goes on where it was.

        Raises Stopped when somebody stopped it.
        """
        api, asked = self._helicone(), await asyncio.to_thread(self._begun, task)
        cursor, found, more = str(asked["cursor"]), int(str(asked["found"])), True
        while more:
            page = await api.step(cursor, self._desk.clock())
            for part in in_parts(page.requests):
                found += await self._record(part)
            cursor, more = page.cursor, page.more
            at = progress(cursor)
            told = f"{1.0 if at is None else at.share:.0%}, {found:,} new requests"
            wanted = await self._go_on(task, told, {**asked, "cursor": cursor, "found": found})
            if more and not wanted:
                raise tasks.Stopped(f"Stopped at {told}. Asked for again, it goes on there.")
        were = "request was" if found == 1 else "requests were"
        return f"{found:,} {were} missing there and came in now."

    async def fetch_body(self, task: Task) -> str:
        """Ask Helicone for the prompt and response of one request, and store them as the privacy settings say."""
        row = await asyncio.to_thread(self._row, int(str(task.arguments["id"])))
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
        found = await self._helicone().request(external_id, self._desk.clock())
        if found is None or (found.request_body is None and found.response_body is None):
            raise SpendtopError("Helicone does not have its prompt and response (any more).")
        # The bodies alone: this answer may be a day old, and polls may have corrected the rest since.
        (ready,) = await asyncio.to_thread(self._desk.recorder.prepare, [found])
        assert isinstance(ready, Prepared)
        await self._desk.write(lambda connection: keep_bodies(connection, row.id, ready))
        self._desk.stored()
        return "Prompt and response are stored now."

    def _begun(self, task: Task) -> dict[str, object]:
        """The arguments with `cursor`, where to go on, and `found`, what was new before."""
        asked = task.arguments
        since, until = int(str(asked["since"])), int(str(asked["until"]))
        if since >= until:
            raise SpendtopError("The span to fill ends before it begins. Name an earlier begin.")
        if "cursor" in asked:
            return asked
        with self._desk.store.reading() as connection:
            last = tasks.last_ended(connection, TaskKind.BACKFILL)
        if last is not None and last.state is not TaskState.DONE and "cursor" in last.arguments:
            cursor = resumed(str(last.arguments["cursor"]), since, until)
            if cursor is not None:
                return {**asked, "cursor": cursor, "found": last.arguments["found"]}
        return {**asked, "cursor": range_cursor(since, until), "found": 0}

    def _missed(self, since: int) -> tuple[GapRow, ...]:
        """What polls found since an instant that should have been pushed."""
        with self._desk.store.reading() as connection:
            return tuple(gap for gap in gaps(connection, 0, _GAPS) if gap.found_at >= since)

    def _helicone(self) -> HeliconeApi:
        """Raises SpendtopError without a key."""
        wanted = helicone_api(self._settings())
        if wanted is None:
            raise SpendtopError("Helicone's API is not asked. Set api_key under [helicone].")
        return helicone(wanted, self._desk.store)

    def _row(self, request_id: int) -> RequestRow:
        with self._desk.store.reading() as connection:
            found = detail(connection, request_id)
        if found is None:
            raise SpendtopError("There is no such request (any more).")
        return found.row

    async def _record(self, requests: Sequence[Request]) -> int:
        """Returns how many were new."""

        def new(connection: Connection, outcomes: list[Outcome]) -> int:
            return sum(outcome.request is not None for outcome in outcomes)

        found = await self._desk.record(requests, new)
        self._desk.stored()
        return found

    async def _go_on(self, task: Task, progress: str, arguments: dict[str, object]) -> bool:
        now = self._desk.clock()
        return await self._desk.write(lambda connection: tasks.go_on(connection, task.id, progress, arguments, now))


def _polled(checkpoint: Checkpoint, missed: Sequence[GapRow]) -> str:
    """One poller with how far it got and what it found."""
    if checkpoint.complete_until is None:
        return checkpoint.poller
    requests, cost = sum(gap.requests for gap in missed), sum((gap.cost for gap in missed), ZERO)
    filled = f", {requests:,} that were missed before ({cost})" if requests else ""
    return f"{checkpoint.poller} (complete until {to_datetime(checkpoint.complete_until):%Y-%m-%d %H:%M} UTC{filled})"
