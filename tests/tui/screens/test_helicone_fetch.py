"""`f` on sessions and on marked requests: what is asked of the collector, when it is offered, and how far it is."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from spendtop.domain.requests.request import BodyState
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.sessions.screen import SessionsScreen
from spendtop.tui.sessions.session_screen import OneSessionScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, until
from tests.tui.requests.test_detail_pane import POLLER, publish


@pytest.fixture
def jobs(till: Till, clock: SettableClock) -> Till:
    """Three requests of one session, none with bodies."""
    lacking = {"body_state": BodyState.NOT_SENT, "request_body": None, "response_body": None}
    till.record(*(a_request(n, clock(), external_id=f"j{n}", session_id="job-1", **lacking) for n in range(3)))
    return till


async def claimed(pilot: Pilot[int], store: Store) -> Task:
    """What was asked of the collector, which has begun with it."""

    def is_asked() -> bool:
        with store.reading() as connection:
            return tasks.are_queued(connection)

    await until(pilot, is_asked)
    with store.writing() as connection:
        task = tasks.claim(connection, 1)
    assert task is not None
    return task


def finish(store: Store, task: Task, result: str) -> None:
    with store.writing() as connection:
        tasks.finish(connection, task.id, TaskState.DONE, result, 3)


async def test_f_on_a_session_asks_for_it_and_shows_how_far_it_is(
    jobs: Till, store: Store, session_over: Sessions
) -> None:
    publish(store, POLLER)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "3")
        await until(pilot, lambda: isinstance(app.live_screen, SessionsScreen) and app.live_screen.table.rows)
        await pilot.press("f")
        task = await claimed(pilot, store)
        assert (task.kind, task.arguments) == (TaskKind.FETCH_BODIES, {"session": "job-1"})
        with store.writing() as connection:
            tasks.note_progress(connection, task.id, "250 requests of the session read", task.arguments, 2)
        await until(pilot, lambda: "asking Helicone: 250 requests of the session read" in picture(pilot))
        await pilot.press("f")
        await until(pilot, lambda: "being asked already" in said(pilot))
        finish(store, task, "Helicone has 3 of its requests.")
        await until(pilot, lambda: "Helicone has 3 of its requests." in said(pilot))
        await until(pilot, lambda: "asking Helicone" not in picture(pilot))


async def test_f_in_one_session_asks_for_it_or_for_its_marked_requests(
    jobs: Till, store: Store, session_over: Sessions
) -> None:
    publish(store, POLLER)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "3")
        await until(pilot, lambda: isinstance(app.live_screen, SessionsScreen) and app.live_screen.table.rows)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.live_screen, OneSessionScreen) and app.live_screen.rows.row)
        await pilot.press("f")
        whole = await claimed(pilot, store)
        assert (whole.kind, whole.arguments) == (TaskKind.FETCH_BODIES, {"session": "job-1"})
        finish(store, whole, "Done with it.")
        await until(pilot, lambda: "Done with it." in said(pilot))
        screen = app.live_screen
        assert isinstance(screen, OneSessionScreen)
        await pilot.press("space")
        (marked,) = screen.rows.marks
        await pilot.press("f")
        task = await claimed(pilot, store)
        assert (task.kind, task.arguments) == (TaskKind.FETCH_BODIES, {"ids": [str(marked)]})


async def test_f_fetches_what_is_marked_among_all_requests(jobs: Till, store: Store, session_over: Sessions) -> None:
    publish(store, POLLER)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: isinstance(app.live_screen, RequestsScreen) and app.live_screen.rows.row)
        screen = app.live_screen
        assert isinstance(screen, RequestsScreen)
        assert "fetch bodies" not in picture(pilot)
        await pilot.press("space", "space")
        await until(pilot, lambda: "f fetch bodies" in picture(pilot))
        await pilot.press("f")
        task = await claimed(pilot, store)
        assert task.arguments == {"ids": [str(each) for each in sorted(screen.rows.marks)]}


@pytest.mark.parametrize("keeps_bodies", [True, False])
async def test_it_is_offered_where_helicone_can_be_asked(
    jobs: Till, store: Store, session_over: Sessions, keeps_bodies: bool
) -> None:
    publish(store, *((POLLER,) if not keeps_bodies else ()), keeps_bodies=keeps_bodies)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        await opened(pilot, "3")
        await until(pilot, lambda: isinstance(app.live_screen, SessionsScreen) and app.live_screen.table.rows)
        assert ("f fetch" in picture(pilot)) is not keeps_bodies
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.live_screen, RequestsScreen) and app.live_screen.rows.row)
        await pilot.press("space", "f")
        assert "f fetch" not in picture(pilot)
        with store.reading() as connection:
            assert not tasks.are_queued(connection)
