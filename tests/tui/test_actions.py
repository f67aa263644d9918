"""The tables of actions: every key has a method behind it, a place in help, and an id of its own."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import pytest
from textual.actions import parse

from spendtop.tui.actions import APP, CHANGING, REQUEST_LIST, Action, key_name
from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.help import HelpScreen
from spendtop.tui.requests.screen import RequestsScreen
from tests.readme import screens
from tests.tui.conftest import opened, picture, typed, until

SCREENS = screens()
TABLES: dict[type[object], tuple[Action, ...]] = {
    SpendtopApp: APP,
    **{screen: screen.ACTIONS for screen in SCREENS.values()},
}
NEVER_AT_ONCE = {("filter", "find"), ("open", "refusal")}
"""Actions that share a key on one screen: the first needs the list and the second the detail in its place; or the first
waits until the second, which is news, was read."""
ONE_THING = {
    "slash": {"filter", "find"},  # looks for something: among rows, or within the one that fills the screen
    "enter": {"open", "refusal"},  # opens what is to be looked at
    "c": {"calibrate", "chart-cursor", "columns"},  # a closer look at the figures that the screen is about
    "n": {"new-token", "record", "find-next", "new-limit"},  # makes something new; in a detail as in less
    "y": {"copy", "copy-address", "snippets"},  # takes something away by the clipboard
    "b": {"backfill", "backtest", "rows"},  # goes over the past again; what is gone over
    "d": {"diff", "toggle-token", "why"},  # what is different
    "plus": {"record", "raise"},  # puts money in
    "z": {"fold", "zoom-in"},  # less is shown: of the messages, of the time
    "T": {"send-test", "test"},  # sends something to see that the way is open
    "u": {"undo-entry", "undo-raise", "undo"},  # takes back what was done here last
    "right_square_bracket": {"next-branch", "next-account", "next-part"},  # the next part of what the list shows
    "left_square_bracket": {"previous-branch", "previous-account", "previous-part"},
}
"""Keys whose actions have ids of their own from screen to screen, for what they do is the same thing to another."""


@pytest.mark.parametrize("owner", TABLES)
def test_every_action_is_a_method_of_its_owner(owner: type[object]) -> None:
    for action in TABLES[owner]:
        target, _, call = action.call.partition(".")
        holder = SpendtopApp if target == "app" else owner
        if action.call != "screen.command" or owner is not SpendtopApp:
            assert hasattr(holder, f"action_{call.partition('(')[0]}"), action.id


@pytest.mark.parametrize("owner", TABLES)
def test_ids_labels_and_keys_are_unique_where_they_meet(owner: type[object]) -> None:
    table = TABLES[owner] if owner is SpendtopApp else (*TABLES[owner], *APP)
    for first, second in combinations(table, 2):
        assert first.id != second.id
        assert first.label != second.label
        if (first.id, second.id) not in NEVER_AT_ONCE:
            assert not set(first.keys.split(",")) & set(second.keys.split(",")), (first.id, second.id)


def test_all_screens_are_looked_at() -> None:
    assert [*SCREENS] == [
        "Overview",
        "Models",
        "Requests",
        "Sessions",
        "One session",
        "Breakdown",
        "Entities",
        "Limits",
        "Alerts",
        "Ledger",
        "Sources",
    ]


def test_a_key_does_one_thing_on_every_screen() -> None:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for table in TABLES.values():
        for action in table:
            for key in action.keys.split(","):
                ids[key].add(action.id)
    assert {key: names for key, names in ids.items() if len(names) > 1} == ONE_THING


def test_an_action_is_started_by_one_key_wherever_it_is() -> None:
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for table in TABLES.values():
        for action in table:
            keys[action.id].add(action.keys)
    assert [name for name, spelled in keys.items() if len(spelled) > 1] == []


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
        await pilot.press("enter")
        screen = app.live_screen
        assert screen is not None
        expected = [action for action in (*TABLES[RequestsScreen], *APP) if _works(screen, action)]
        assert {action.id for action in expected} >= {"next-pane", "wrap", "copy", "help", "detach", "find"}
        assert not set(expected) & set(REQUEST_LIST)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = {entry for topic in _topics(app) for entry in topic}
        assert {action.label for action in expected} <= shown
        await pilot.press("escape", "q", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        listed = {entry for topic in _topics(app) for entry in topic}
        assert {"match before", "find"}.isdisjoint(listed)
        assert {"filter", "follow", "invert"} <= listed


async def test_keys_of_a_hidden_list_do_nothing(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "Ticket 0" in picture(pilot))
        keys = picture(pilot).splitlines()[-1]
        assert "/ find" in keys and "filter" not in keys and "t time" not in keys
        screen = app.live_screen
        assert isinstance(screen, RequestsScreen)
        before = screen.browser.selection
        await pilot.press("t", "I", "less_than_sign", "F")
        assert (app.screen, screen.browser.selection) == (screen, before)


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
    _, name, parameters = parse(action.call)
    if action in APP:
        return screen.app.check_action(name, parameters) is not False
    return action.id != "later" and screen.check_action(name, parameters) is not False


def _topics(app: SpendtopApp) -> list[list[str]]:
    screen = app.screen
    assert isinstance(screen, HelpScreen)
    return [[word for entry in topic.entries for word in entry] for topic in screen.topics()]


def test_what_changes_something_is_named_as_the_keys_are() -> None:
    assert {action.id for table in TABLES.values() for action in table} >= CHANGING
