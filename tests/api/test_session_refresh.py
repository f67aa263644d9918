"""A session's costs are asked for at Helicone first, and say how complete they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from spendtop.api import session_refresh
from spendtop.domain.clock import DAY, MINUTE, SECOND
from spendtop.domain.requests.request import BodyState
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services import checkpoints, tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import PolledSource, applied, keep
from spendtop.store.transactions import read, write
from tests.api.listening import Live
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

POLLER = PolledSource(name=HELICONE_API.name, every=MINUTE)


@dataclass
class Clerk:
    """Answers what is asked of the collector; `bring` is what Helicone has more than the store."""

    store: Store
    clock: SettableClock
    bring: Callable[[], None] = lambda: None
    failure: str | None = None
    away: bool = False
    asked: list[Task] = field(default_factory=list)

    async def work(self) -> None:
        while True:
            task = None if self.away else self._claim()
            if task is not None:
                self.asked.append(task)
                if self.failure is None:
                    self.bring()
                state = TaskState.DONE if self.failure is None else TaskState.FAILED
                with self.store.writing() as connection:
                    tasks.finish(connection, task.id, state, self.failure or "Done.", self.clock())
            await asyncio.sleep(0.01)

    def _claim(self) -> Task | None:
        with self.store.writing() as connection:
            return tasks.claim(connection, self.clock())


@dataclass
class Desk:
    live: Live
    clerk: Clerk
    made: Recorded
    clock: SettableClock

    def add(self, age: int, **fields: Any) -> None:
        self.made.add([self.made.request(self.clock() - age, 30_000_000, session_id="job", **fields)])

    async def get(self, target: str = "/jobs/job/costs") -> tuple[int, Any]:
        response = await self.live.client.get(target)
        return response.status_code, response.json()


Open = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def at_desk(readable_store: Store, clock: SettableClock) -> Open:
    return partial(opened, readable_store, clock)


@asynccontextmanager
async def opened(store: Store, clock: SettableClock, has_key: bool = True) -> AsyncIterator[Desk]:
    async with recording(store, clock) as (live, _):
        with store.writing() as connection:
            known = applied(connection)
            assert known is not None
            keep(connection, replace(known, pollers=(POLLER,) if has_key else ()))
        clerk = Clerk(store, clock)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(clerk.work())
            try:
                yield Desk(live, clerk, Recorded(store), clock)
            finally:
                work.cancel()


@pytest.mark.replaces("fetcher/job-at-once")
async def test_an_unknown_session_is_asked_for(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.clerk.bring = lambda: desk.add(5 * MINUTE)
        status, costs = await desk.get()
        assert (status, costs["requestCount"], costs["complete"], costs["note"]) == (200, 1, True, None)
        assert [(task.kind, task.arguments) for task in desk.clerk.asked] == [
            (TaskKind.FETCH_SESSION, {"session": "job"})
        ]


async def test_what_nobody_knows_is_not_found(at_desk: Open) -> None:
    async with at_desk() as desk:
        assert (await desk.get())[0] == 404
        assert len(desk.clerk.asked) == 1


@pytest.mark.replaces("fetcher/job-at-once")
async def test_a_fresh_session_is_asked_for_and_may_have_more(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.add(20 * SECOND)
        desk.clerk.bring = lambda: desk.add(10 * SECOND)
        status, costs = await desk.get()
        assert (status, costs["requestCount"], costs["complete"]) == (200, 2, False)
        assert costs["note"] == "Its last request is 10 s old: Helicone may show more of them in a minute."


async def test_it_is_not_asked_again_at_once_and_then_it_is(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.add(10 * SECOND)
        for _ in range(3):
            await desk.get()
        assert len(desk.clerk.asked) == 1
        desk.clock.advance(31 * SECOND)
        await desk.get()
        assert len(desk.clerk.asked) == 2
        desk.clock.advance(100 * SECOND)
        assert (await desk.get())[1]["complete"] is True
        desk.clock.advance(DAY)
        assert (await desk.get())[1]["complete"] is True
        assert len(desk.clerk.asked) == 3


async def test_a_question_under_way_is_shared(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.add(10 * SECOND)
        desk.clerk.away = True
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(desk.get()) for _ in range(5)]
            await asyncio.sleep(0)
            desk.clerk.away = False
        assert {each.result()[0] for each in waiting} == {200}
        assert len(desk.clerk.asked) == 1


async def test_what_polls_have_read_is_not_asked_for(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.add(10 * MINUTE)
        now = desk.clock()
        await write(
            desk.live.context.recorder,
            lambda connection: checkpoints.succeeded(connection, HELICONE_API.name, now, complete_until=now - MINUTE),
        )
        assert (await desk.get())[1]["complete"] is True
        assert desk.clerk.asked == []


async def test_helicone_away_gives_what_is_stored(at_desk: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_desk() as desk:
        desk.add(10 * SECOND)
        desk.clerk.failure = "Helicone cannot be reached."
        status, costs = await desk.get()
        assert (status, costs["requestCount"], costs["complete"]) == (200, 1, False)
        assert costs["note"] == "This is what is stored, as Helicone could not be asked. Helicone cannot be reached."
        monkeypatch.setattr(session_refresh, "_LONGEST", 0.05)
        desk.clerk.away = True
        desk.clock.advance(31 * SECOND)
        status, costs = await desk.get()
        assert (status, costs["complete"]) == (200, False)
        assert costs["note"] == "Helicone has not answered within 0.05 s: this is what is stored."


async def test_nobody_is_asked_who_is_not_wanted(at_desk: Open) -> None:
    async with at_desk() as desk:
        desk.add(10 * MINUTE)
        status, costs = await desk.get("/sessions/job/costs?fresh=false")
        assert (status, costs["complete"], desk.clerk.asked) == (200, False, [])
        assert costs["note"] == "Helicone was not asked for it since its last request."
        assert (await desk.get("/jobs/none/costs?fresh=false"))[0] == 404
        assert (await desk.get("/jobs/job/costs?refresh=true"))[0] == 422


async def test_without_a_key_it_is_not_known(at_desk: Open) -> None:
    async with at_desk(has_key=False) as desk:
        desk.add(10 * MINUTE)
        status, costs = await desk.get()
        assert (status, costs["complete"], desk.clerk.asked) == (200, None, [])
        assert "no api_key under [helicone]" in costs["note"]
        status, debug = await desk.get("/jobs/job/debug?fetch=true")
        assert (status, desk.clerk.asked) == (200, [])
        assert "no api_key under [helicone]" in debug["note"]


@pytest.mark.replaces("fetcher/job-bodies")
async def test_the_bodies_of_a_job_are_fetched(at_desk: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_desk() as desk:
        desk.add(10 * MINUTE, body_state=BodyState.NOT_SENT)
        status, debug = await desk.get("/jobs/job/debug?fetch=true")
        assert (status, debug["note"]) == (200, "Done.")
        assert [(task.kind, task.arguments) for task in desk.clerk.asked] == [
            (TaskKind.FETCH_BODIES, {"session": "job"})
        ]
        (request,) = debug["requests"]
        assert request["id"].isdigit()
        assert (request["body_state"], request["body_reason"]) == (
            "not sent",
            "The source sent no prompt and response.",
        )
        assert (await desk.get("/jobs/job/debug"))[1]["note"] is None
        monkeypatch.setattr(session_refresh, "_LONGEST_FOR_BODIES", 0.05)
        desk.clerk.away = True
        desk.clock.advance(31 * SECOND)
        _, debug = await desk.get("/jobs/job/debug?fetch=true")
        assert debug["note"] == "Prompts and responses are still being fetched: ask again for the others."
        queued = await read(
            desk.live.context.store,
            lambda connection: tasks.newest(connection, TaskKind.FETCH_BODIES, {"session": "job"}),
        )
        assert queued is not None and queued.state is TaskState.QUEUED
