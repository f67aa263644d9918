"""A screen is a folder and a line of the registry: all that lists screens is made from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.tui import screens
from spendtop.tui.app import SpendtopApp
from spendtop.tui.keymap import unknown_ids
from spendtop.tui.modals.help import HelpScreen
from spendtop.tui.screens import SCREENS, ScreenEntry, screen_class
from tests.tui.conftest import Sessions, Till, opened, picture, until

FEATURES = Path(screens.__file__).parents[1]


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_says_its_own_name_and_has_its_questions_beside_it(name: str) -> None:
    assert name == screen_class(name).NAME
    assert (FEATURES / name / "questions.py").exists()


def test_every_folder_with_a_screen_has_a_line() -> None:
    assert {file.parent.name for file in FEATURES.glob("*/screen.py")} == set(SCREENS)


async def test_a_new_line_is_a_tab_a_command_and_a_place_in_palette_and_help(
    session_over: Sessions, filled: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCREENS, "forecast", ScreenEntry("9", "Forecast", "9Fore", "fore", "-", "what is to come"))
    app = SpendtopApp(session_over(keymap={"screen-forecast": "f9"}))
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "9 Forecast" in picture(pilot))
        assert "fore" in app.commands.all
        assert "Screen: Forecast" in {command.title for command in app.get_system_commands(app.screen)}
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Forecast" in picture(pilot)
    assert unknown_ids(["screen-forecast"]) == ""


@pytest.mark.parametrize("width", [30, 60, 80, 140])
async def test_every_screen_has_its_tab_at_any_width(app: SpendtopApp, width: int) -> None:
    async with app.run_test(size=(width, 24)) as pilot:
        tabs = picture(pilot).splitlines()[1]
        assert [key for key in tabs if key.isdigit()] == [entry.key for entry in SCREENS.values()]
