"""Leaving says what becomes of the collector, and offers no more than that."""

from __future__ import annotations

import threading

import pytest
from textual.widgets import Input

from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.dialog import Picker
from spendtop.tui.modals.leave import LeaveScreen
from spendtop.tui.session import AttachedCollector
from spendtop.tui.store_watch import CollectorSeen
from tests.tui.conftest import Sessions, opened, picture, until
from tests.waiting import DEADLINE

HERE = AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=True)


async def shown_by(app: SpendtopApp) -> str:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("Q")
        await until(pilot, lambda: "Leave spendtop?" in picture(pilot))
        return picture(pilot)


@pytest.mark.parametrize(
    ("others", "words"), [(0, "Nobody else watches."), (1, "1 other viewer will"), (2, "2 other viewers will")]
)
def test_who_else_loses_the_collector_is_said(others: int, words: str) -> None:
    collector = AttachedCollector(4711, "ready", HERE.url, started_here=True, other_viewers=("ann",) * others)
    assert words in LeaveScreen(collector, demo=False)._words()


async def test_a_demo_ends_with_its_window(session_over: Sessions) -> None:
    shown = await shown_by(SpendtopApp(session_over(demo=True, collector=lambda: HERE)))
    assert "end with this window" in shown and "Stop it" not in shown


async def test_without_a_collector_nothing_is_recorded(session_over: Sessions) -> None:
    shown = await shown_by(SpendtopApp(session_over(collector=lambda: None)))
    assert "nothing is recorded" in shown and "Stop it" not in shown


async def test_stopping_stops_the_collector_and_leaves(session_over: Sessions) -> None:
    stopped: list[bool] = []
    app = SpendtopApp(session_over(collector=lambda: HERE, stop_collector=lambda: stopped.append(True)))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("Q", "down", "enter")
        await until(pilot, lambda: stopped)
    assert stopped == [True]


async def test_the_choices_are_in_view_on_the_smallest_screen(session_over: Sessions) -> None:
    app = SpendtopApp(session_over(collector=lambda: HERE))
    async with app.run_test(size=(20, 5)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: app.collector is not None)
        await pilot.press("Q")
        await until(pilot, lambda: "Leave it run" in picture(pilot))
        shown = picture(pilot)
    assert "Stop it" in shown and "Stay" in shown


async def test_the_dialog_says_its_keys(session_over: Sessions) -> None:
    assert "enter chooses · esc stays" in await shown_by(SpendtopApp(session_over(collector=lambda: HERE)))


async def test_an_open_question_follows_what_becomes_known_of_the_collector(session_over: Sessions) -> None:
    known = threading.Event()

    def collector() -> AttachedCollector | None:
        assert known.wait(DEADLINE)
        return HERE

    app = SpendtopApp(session_over(collector=collector))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q")
        await until(pilot, lambda: "not known yet" in picture(pilot))
        await pilot.press("down")
        known.set()
        await until(pilot, lambda: "This viewer started the collector (process 4711)" in picture(pilot))
        picker = app.screen.query_one(Picker)
        assert "Stop it" in picture(pilot) and picker.highlighted_option is picker.get_option("stay")
        await pilot.press("up")
        app.post_message(CollectorSeen(None))
        await until(pilot, lambda: "nothing is recorded" in picture(pilot))
        assert "Stop it" not in picture(pilot) and picker.highlighted_option is picker.get_option("stay")


async def test_staying_changes_nothing(session_over: Sessions) -> None:
    stopped: list[bool] = []
    app = SpendtopApp(session_over(collector=lambda: HERE, stop_collector=lambda: stopped.append(True)))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("Q")
        await pilot.press("escape")
        await until(pilot, lambda: "Leave spendtop?" not in picture(pilot))
        assert app.is_running
    assert stopped == []


async def test_a_colon_goes_to_the_command_line(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "Q")
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert app.live_screen is not None and app.live_screen.prompt.open
