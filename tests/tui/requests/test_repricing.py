"""`:reprice`: what it is about, what it would change, doing it, and taking it back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Connection
from textual.pilot import Pilot

from spendtop.domain.clock import HOUR
from spendtop.domain.windows import Calendar
from spendtop.services import tasks
from spendtop.services.repricing import repricing
from spendtop.services.repricing.current_costs import ComparisonExcerpt, DayOfModel, Difference
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.repricing import RepriceScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, opened, picture, said, until

DOLLAR = 10**9
LONG = "accounts/fireworks/models/llama-v3p1-405b-instruct-long-context"
EXCERPT = ComparisonExcerpt(
    looked_at=1_234,
    whole=Difference(1_212, 12_400 * DOLLAR, 11_160 * DOLLAR, 12, 0),
    by_day_and_model=[
        (DayOfModel("2026-11-19", "gpt-4.1"), Difference(1_200, 12_400 * DOLLAR, 11_100 * DOLLAR)),
        (DayOfModel("2026-11-20", LONG), Difference(12, 0, 60 * DOLLAR, 12, 0)),
        (DayOfModel("2026-11-20", ""), Difference(1, 0, 0, 1, 0)),
    ],
    left_out=7,
)
NOTHING = ComparisonExcerpt(1_234, Difference(), [], 0)


def write(store: Store, work: Callable[[Connection], object]) -> None:
    with store.writing() as connection:
        work(connection)


async def asked(pilot: Pilot[int], store: Store) -> Task:
    """The collector takes up what was asked."""
    taken: list[Task] = []

    def take() -> bool:
        with store.writing() as connection:
            task = tasks.claim(connection, 1)
        if task is not None:
            taken.append(task)
        return bool(taken)

    await until(pilot, take)
    return taken[0]


def finish(store: Store, task: Task, result: str, state: TaskState = TaskState.DONE) -> None:
    write(store, lambda connection: tasks.finish(connection, task.id, state, result, 3))


def answer(store: Store, task: Task, excerpt: ComparisonExcerpt) -> None:
    finish(store, task, msgspec.json.encode(excerpt).decode())


def state_of(store: Store, task: Task) -> TaskState:
    with store.reading() as connection:
        seen = tasks.look(connection, task.id)
    assert seen is not None
    return seen.state


async def compared(pilot: Pilot[int], app: SpendtopApp, store: Store, excerpt: ComparisonExcerpt = EXCERPT) -> Task:
    """The dialog with what would change."""
    app.commands.run("reprice")
    await until(pilot, lambda: isinstance(app.screen, RepriceScreen))
    task = await asked(pilot, store)
    answer(store, task, excerpt)
    await until(pilot, lambda: "Computed and unknown costs compared: 1 234" in picture(pilot))
    return task


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_it_shows_first_what_would_change(app: SpendtopApp, store: Store, size: tuple[int, int]) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot)
        app.commands.run("reprice")
        await until(pilot, lambda: "Comparing with the prices of now..." in picture(pilot))
        assert "All requests, of all time" in picture(pilot)
        task = await asked(pilot, store)
        assert (task.kind, task.arguments) == (
            TaskKind.REPRICE_COMPARE,
            {"since": None, "until": None, "filter": ""},
        )
        with store.writing() as connection:
            tasks.note_progress(connection, task.id, "400 requests compared", task.arguments, 2)
        await until(pilot, lambda: "400 requests compared..." in picture(pilot))
        answer(store, task, EXCERPT)
        await until(pilot, lambda: "7 more days of models differ less." in picture(pilot))
        seen, kept = " ".join(picture(pilot).split()), 23 if size[0] == 140 else 8
        assert "Computed and unknown costs compared: 1 234. Price these anew?" in seen
        for line in (
            "day model requests before after difference",
            "total 1.2k $12,400 +12? $11,160.00 -$1,240.00",
            "2026-11-19 gpt-4.1 1.2k $12,400.00 $11,100.00 -$1,300.00",
            f"2026-11-20 {LONG[:kept]}…{LONG[-kept:]} 12 12 unpriced $60.00 +$60.00",
            "2026-11-20 (no model) 1 1 unpriced $0.00 $0.00",
        ):
            assert line in seen
        with store.reading() as connection:
            assert repricing.runs(connection) == []


async def test_it_is_about_what_is_listed(app: SpendtopApp, store: Store, clock: SettableClock) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "2")
        app.list_requests("user:alice model:gpt-4.1")
        await until(pilot, lambda: "user:alice model:gpt-4.1" in picture(pilot))
        await pilot.press("t")
        await pilot.pause()
        await pilot.press("1")
        await until(pilot, lambda: "last hour" in picture(pilot))
        app.commands.run("reprice")
        await until(pilot, lambda: "Requests with user:alice model:gpt-4.1, last hour" in picture(pilot))
        task = await asked(pilot, store)
        assert task.arguments == {
            "since": clock() - HOUR,
            "until": None,
            "filter": "user:alice model:gpt-4.1",
        }


async def test_y_has_it_done_and_says_how_it_is_taken_back(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await compared(pilot, app, store)
        await pilot.press("y", "y", "enter")
        task = await asked(pilot, store)
        assert task.kind is TaskKind.REPRICE
        with store.reading() as connection:
            (run,) = repricing.runs(connection)
        assert (task.arguments["run"], run.filter, run.since) == (run.id, "", None)
        with store.writing() as connection:
            tasks.note_progress(connection, task.id, "400 requests looked at, 399 changed", task.arguments, 2)
        await until(pilot, lambda: "400 requests looked at, 399 changed..." in picture(pilot))
        assert "s stops it" in picture(pilot)
        finish(store, task, "1,212 of 1,234 requests have another cost now.")
        await until(pilot, lambda: "Undo: :reprice undo 1" in picture(pilot))
        assert not isinstance(app.screen, RepriceScreen)
        with store.reading() as connection:
            assert not tasks.are_queued(connection)


async def test_what_was_begun_goes_on_when_the_dialog_is_closed(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await compared(pilot, app, store)
        await pilot.press("enter")
        task = await asked(pilot, store)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RepriceScreen))
        assert state_of(store, task) is TaskState.RUNNING
        finish(store, task, "All done.")
        await until(pilot, lambda: "Undo: :reprice undo 1" in picture(pilot))


async def test_it_can_be_stopped(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await compared(pilot, app, store)
        await pilot.press("s", "enter")
        task = await asked(pilot, store)
        with store.writing() as connection:
            tasks.note_progress(connection, task.id, "200 requests looked at", task.arguments, 2)
        await until(pilot, lambda: "200 requests looked at..." in picture(pilot))
        await pilot.press("s")
        await until(pilot, lambda: state_of(store, task) is TaskState.STOPPING)
        finish(store, task, "Stopped. `spendtop reprice --resume 1` goes on there.", TaskState.STOPPED)
        await until(pilot, lambda: "--resume 1` goes on there." in picture(pilot))


async def test_a_comparison_ends_with_its_dialog(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        app.commands.run("reprice")
        task = await asked(pilot, store)
        with store.writing() as connection:
            tasks.note_progress(connection, task.id, "200 requests compared", task.arguments, 2)
        await until(pilot, lambda: "200 requests compared..." in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: state_of(store, task) is TaskState.STOPPING)
        finish(store, task, "The comparison was stopped. Nothing was changed.", TaskState.STOPPED)
        await pilot.pause()
        assert not isinstance(app.screen, RepriceScreen)


async def test_where_nothing_would_change_there_is_nothing_to_do(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await compared(pilot, app, store, NOTHING)
        assert "none would change." in picture(pilot)
        await pilot.press("y")
        await until(pilot, lambda: not isinstance(app.screen, RepriceScreen))
        with store.reading() as connection:
            assert repricing.runs(connection) == []


async def test_a_comparison_that_fails_says_why(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        app.commands.run("reprice")
        task = await asked(pilot, store)
        finish(store, task, "The collector ended before this was done. Ask again.", TaskState.FAILED)
        await until(pilot, lambda: "The collector ended before this was done. Ask again." in picture(pilot))
        assert not isinstance(app.screen, RepriceScreen)


def a_run(store: Store) -> int:
    with store.writing() as connection:
        return repricing.begin(connection, RequestQuery(None), "", "ann", 1)


async def test_a_run_is_taken_back_by_its_number(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        run_id = a_run(store)
        app.commands.run(f"reprice undo {run_id}")
        task = await asked(pilot, store)
        assert (task.kind, task.arguments["run"]) == (TaskKind.REPRICE_UNDO, run_id)
        finish(store, task, "Reprice 1 is taken back: 3 as before.")
        await until(pilot, lambda: "Reprice 1 is taken back" in said(pilot))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("reprice undo 17", "There is no reprice 17."),
        ("reprice undo", "Say ':reprice', or ':reprice undo ID'"),
        ("reprice undo last", "Say ':reprice', or ':reprice undo ID'"),
        ("reprice user:alice", "Say ':reprice', or ':reprice undo ID'"),
    ],
)
async def test_what_cannot_be_meant_is_a_sentence(app: SpendtopApp, store: Store, command: str, sentence: str) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        app.commands.run(command)
        await until(pilot, lambda: sentence in picture(pilot))
        with store.reading() as connection:
            assert not tasks.are_queued(connection)


@pytest.mark.parametrize("command", ["reprice", "reprice undo 1"])
async def test_without_a_collector_it_says_so(session_over: Sessions, filled: Till, store: Store, command: str) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: app.status_facts().nobody_records)
        app.commands.run(command)
        await until(pilot, lambda: "No collector runs, so nothing is recorded" in said(pilot))
        assert not isinstance(app.screen, RepriceScreen)


async def test_a_read_only_viewer_changes_nothing(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over(read_only=True, calendar=Calendar()))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        app.commands.run("reprice")
        await until(pilot, lambda: "This viewer is read-only" in said(pilot))


async def test_in_little_room_each_model_still_has_one_line(app: SpendtopApp, store: Store) -> None:
    async with app.run_test(size=(60, 15), notifications=True) as pilot:
        await opened(pilot, "2")
        app.commands.run("reprice")
        answer(store, await asked(pilot, store), EXCERPT)
        await until(pilot, lambda: "2026-11-19" in picture(pilot))
        lines = [" ".join(line.strip(" │").split()) for line in picture(pilot).splitlines()]
        assert "day model before after difference" in lines
        assert any(line.startswith("2026-11-19 gpt….1 $12,400.00 $11,100.00 -$1,300.00") for line in lines)
