"""Fetching the prompt and response of a request that came without them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from spendtop.domain.requests.request import BodyState
from spendtop.domain.sources.records import HELICONE, LITELLM
from spendtop.services import tasks
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import PolledSource, applied, keep
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.screen import RequestsScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, until

POLLER = PolledSource(name="helicone-api", every=60_000_000)


def publish(store: Store, *pollers: PolledSource, keeps_bodies: bool = True) -> None:
    with store.writing() as connection:
        known = applied(connection)
        assert known is not None
        keep(connection, replace(known, pollers=pollers, keeps_bodies=keeps_bodies))


async def detail(pilot: Pilot[int]) -> RequestsScreen:
    """The newest request in full."""
    await opened(pilot, "2")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, RequestsScreen) and app.live_screen.rows.row)
    await pilot.press("enter")
    screen = app.live_screen
    assert isinstance(screen, RequestsScreen)
    await until(pilot, lambda: screen.detail.detail is not None)
    await pilot.pause()
    return screen


@pytest.fixture
def without_body(till: Till, clock: SettableClock) -> Till:
    till.record(a_request(1, clock(), body_state=BodyState.NOT_SENT, request_body=None, response_body=None))
    return till


async def test_f_has_them_fetched_and_tells_what_came_of_it(
    without_body: Till, store: Store, session_over: Sessions
) -> None:
    publish(store, POLLER)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        screen = await detail(pilot)
        await until(pilot, lambda: "f fetch bodies" in picture(pilot))
        shown = screen.detail.detail
        assert shown is not None
        await pilot.press("f")

        def asked() -> bool:
            with store.reading() as connection:
                return tasks.are_queued(connection)

        await until(pilot, asked)
        with store.writing() as connection:
            task = tasks.claim(connection, 1)
        assert task is not None
        assert (task.kind, task.arguments) == (TaskKind.FETCH_BODY, {"id": str(shown.row.id)})
        with store.writing() as connection:
            tasks.finish(connection, task.id, TaskState.DONE, "They are stored now.", 2)
        await until(pilot, lambda: "They are stored now." in said(pilot))


@pytest.mark.parametrize("why", ["no key", "not kept", "stored", "purged", "elsewhere"])
async def test_it_is_offered_only_where_it_can_work(
    till: Till, store: Store, session_over: Sessions, clock: SettableClock, why: str
) -> None:
    publish(store, *(() if why == "no key" else (POLLER,)), keeps_bodies=why != "not kept")
    source = LITELLM if why == "elsewhere" else HELICONE
    state = {"stored": BodyState.STORED, "purged": BodyState.PURGED}.get(why, BodyState.NOT_SENT)
    bodies = (b"{}", b"{}") if why == "stored" else (None, None)
    till.record(a_request(1, clock(), source=source, body_state=state, request_body=bodies[0], response_body=bodies[1]))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        screen = await detail(pilot)
        assert screen.detail_pane.fetchable is None
        assert "fetch bodies" not in picture(pilot)
        await pilot.press("f")
    with store.reading() as connection:
        assert not tasks.are_queued(connection)
