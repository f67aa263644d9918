"""The `:` line."""

from __future__ import annotations

import pytest

from spendtop.tui.app import SLOW_PACE_SECONDS, SpendtopApp
from spendtop.tui.widgets.chart import Graph, SpendChart
from tests.tui.conftest import Sessions, opened, picture, until


@pytest.fixture
def face(session_over: Sessions) -> SpendtopApp:
    """The face over an empty store."""
    return SpendtopApp(session_over())


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("th", "theme "),
        ("theme mo", "theme mono "),
        ("re", "re"),
        ("rel", "reload "),
        ("export j", "export jsonl "),
        ("zz", "zz"),
    ],
)
def test_tab_completes_as_far_as_it_is_clear(face: SpendtopApp, typed: str, completed: str) -> None:
    assert face.commands.complete(typed) == completed


async def test_commands_do_what_they_say(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        face.commands.run("theme mono")
        face.commands.run("set graph braille")
        face.commands.run("set slow on")
        await until(pilot, lambda: face.colorless)
        assert face.screen.query_one(SpendChart).graph is Graph.BRAILLE
        assert face.pace_seconds == SLOW_PACE_SECONDS
        face.commands.run("req")
        await until(pilot, lambda: face.current_mode == "requests")
        face.commands.run("over")
        await until(pilot, lambda: face.current_mode == "overview")
        face.commands.run("q")
        await until(pilot, lambda: "Leave spendtop?" in picture(pilot))


async def test_what_is_not_known_names_the_nearest(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        face.commands.run("thme mono")
        await until(pilot, lambda: "did you mean ':theme'?" in picture(pilot))
        face.commands.run("theme solarised")
        await until(pilot, lambda: "Themes are" in picture(pilot))
        face.commands.run("req error:")
        await until(pilot, lambda: "':req' takes nothing after it." in picture(pilot))
        assert face.current_mode == "overview"
        face.commands.run('export csv "unclosed')
        await until(pilot, lambda: "No closing quotation" in picture(pilot))
