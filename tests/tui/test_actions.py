"""The tables of actions: every key has a method behind it, a place in help, and an id of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from spendtop.tui.actions import APP, DETAIL, LIVE, MOVE, OVERVIEW, REQUESTS, SOURCES, Action, key_name
from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.help import HelpScreen
from spendtop.tui.overview.screen import OverviewScreen
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.sources.screen import SourcesScreen
from tests.tui.conftest import opened, picture, typed, until

TABLES: dict[type[object], tuple[Action, ...]] = {
    SpendtopApp: APP,
    OverviewScreen: (*MOVE, *OVERVIEW, *LIVE),
    RequestsScreen: (*MOVE, *REQUESTS, *DETAIL, *LIVE),
    SourcesScreen: (*MOVE, *SOURCES, *LIVE),
}


@pytest.mark.parametrize("owner", TABLES)
def test_every_action_is_a_method_of_its_owner(owner: type[object]) -> None:
    for action in TABLES[owner]:
        target, _, call = action.call.partition(".")
        holder = SpendtopApp if target == "app" else owner
        if action.call != "screen.command" or owner is not SpendtopApp:
            assert hasattr(holder, f"action_{call.partition('(')[0]}"), action.id


@pytest.mark.parametrize("owner", TABLES)
def test_ids_and_keys_are_unique_where_they_meet(owner: type[object]) -> None:
    table = TABLES[owner] if owner is SpendtopApp else (*TABLES[owner], *APP)
    ids = [action.id for action in table]
    keys = [key for action in table for key in action.keys.split(",")]
    assert len(ids) == len(set(ids))
    shared = {key for key, many in Counter(keys).items() if many > 1}
    assert shared <= ({"slash"} if owner is RequestsScreen else set())  # filters the list, or finds in the detail


def test_keys_that_terminals_swallow_are_never_the_only_way() -> None:
    swallowed = {"ctrl+s", "ctrl+q", "ctrl+b", "ctrl+a", "ctrl+h", "ctrl+i", "ctrl+m", "ctrl+j", "f11", "escape"}
    for table in TABLES.values():
        for action in table:
            assert not set(action.keys.split(",")) <= swallowed, action.id


def test_keys_are_written_as_people_do() -> None:
    assert [key_name(key) for key in ("question_mark", "ctrl+p", "F", "less_than_sign")] == ["?", "^p", "F", "<"]


async def test_help_lists_every_action_that_works_and_no_other(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "Ticket 0" in picture(pilot))
        screen = app.live_screen
        assert screen is not None
        expected = [action for action in (*TABLES[RequestsScreen], *APP) if _works(screen, action)]
        assert {action.id for action in expected} >= {"next-pane", "wrap", "copy", "help", "detach"}
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = {entry for topic in _topics(app) for entry in topic}
        assert {action.label for action in expected} <= shown
        await pilot.press("escape", "q", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "match before" not in {entry for topic in _topics(app) for entry in topic}


async def test_help_searches_keys_commands_and_filter_fields(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("question_mark")
        await typed(pilot, "cop")
        await until(pilot, lambda: "copy the request or a part of it" in picture(pilot))
        await pilot.press("ctrl+u")
        await typed(pilot, "latency")
        await until(pilot, lambda: "~lat >5s" in picture(pilot))
        await pilot.press("ctrl+u")
        await typed(pilot, ":theme")
        await until(pilot, lambda: "theme NAME" in picture(pilot))


def _works(screen: object, action: Action) -> bool:
    assert isinstance(screen, RequestsScreen)
    return action in APP or screen.works_now(action)


def _topics(app: SpendtopApp) -> list[list[str]]:
    screen = app.screen
    assert isinstance(screen, HelpScreen)
    return [[word for entry in topic.entries for word in entry] for topic in screen.topics()]
