"""Filters and views outlive the program."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spendtop.domain.errors import UsageError
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.saved_views import MOST, SavedView, SavedViews
from tests.tui.conftest import Sessions, Till, opened, picture, typed, until


def test_what_is_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "new" / "views.json"
    first = SavedViews(path)
    for number in range(MOST + 5):
        first.remember(f"user:{number}")
    first.remember("user:7")
    first.save("night", SavedView("cost>1", "-6h", "cost"))
    again = SavedViews(path)
    assert (len(again.filters), again.filters[-1], again.filters.count("user:7")) == (MOST, "user:7", 1)
    assert again.view("night") == SavedView("cost>1", "-6h", "cost")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.forget("night")
    with pytest.raises(UsageError, match="There is no view 'nigth'"):
        again.view("nigth")
    assert SavedViews(path).names == []


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "views.json"
    path.write_text("{broken")
    views = SavedViews(path)
    views.remember("user:ann")
    assert (views.filters, path.read_text()) == (["user:ann"], "{broken")


async def test_a_view_is_saved_and_listed_by_its_name(session_over: Sessions, filled: Till, tmp_path: Path) -> None:
    path = tmp_path / "views.json"
    app = SpendtopApp(session_over(views=path))
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("slash")
        await typed(pilot, "~u bob")
        await pilot.press("enter")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "user" in picture(pilot).splitlines()[2])
        app.commands.run("view save bobs")
        await until(pilot, lambda: app.saved_views.names)
        app.commands.run("view other")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert next(each.message for each in app._notifications) == "Saved: ':view bobs' lists this again."
    app = SpendtopApp(session_over(views=path))
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        app.commands.run("view bobs")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        screen = app.live_screen
        assert isinstance(screen, RequestsScreen)
        assert (screen.browser.selection.text, screen.browser.selection.order) == ("~u bob", "user")
        await pilot.press("slash", "up")
        assert screen.prompt.input.value == "~u bob"


async def test_two_marked_requests_are_compared(app: SpendtopApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        assert "d diff" not in picture(pilot)
        await pilot.press("space", "space")
        await until(pilot, lambda: "2 marked" in picture(pilot))
        await pilot.press("d")
        await until(pilot, lambda: "- the older, + the newer" in picture(pilot))
        shown = picture(pilot)
        assert "-Ticket 1: the export fails." in shown and "+Ticket 0: the export fails." in shown
        assert "- bob   + alice" in shown and "tokens    2 104 in, 410 out" in shown
