"""The `:` line."""

from __future__ import annotations

import pytest

from spendtop.tui.app import SLOW_PACE_SECONDS, SpendtopApp
from spendtop.tui.widgets.chart import Graph, SpendChart
from tests.tui.conftest import Sessions, Till, opened, picture, typed, until


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
        ("set g", "set graph "),
        ("set graph br", "set graph braille "),
        ("set slow o", "set slow on"),
        ("zz", "zz"),
    ],
)
def test_tab_completes_as_far_as_it_is_clear(face: SpendtopApp, typed: str, completed: str) -> None:
    assert face.commands.complete(typed, 1) == completed


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


async def test_a_theme_is_worn_while_its_name_is_typed(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        before = face.theme
        await pilot.press("colon")
        await typed(pilot, "theme mono")
        await until(pilot, lambda: face.theme == "mono")
        await pilot.press("escape")
        await until(pilot, lambda: face.theme == before)
        await pilot.press("colon")
        await typed(pilot, "theme mono")
        await pilot.press("enter")
        await until(pilot, lambda: face.theme == "mono")


async def test_tab_walks_through_what_a_word_can_be_which_is_shown_until_it_is_given_up(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        before, names = face.theme, list(face.themes_by_name)
        await pilot.press("colon")
        await typed(pilot, "theme ")
        for name in (names[0], names[1]):
            await pilot.press("tab")
            await until(pilot, lambda name=name: face.theme == name)  # type: ignore[misc]
        await pilot.press("shift+tab", "shift+tab")
        await until(pilot, lambda: face.theme == names[-1] and "tab takes the next" in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: face.theme == before)
        await pilot.press("colon")
        await typed(pilot, "set graph ")
        chart = face.screen.query_one(SpendChart)
        drawn = chart.graph
        await pilot.press("tab", "tab")
        await until(pilot, lambda: chart.graph is list(Graph)[1])
        await pilot.press("escape")
        await until(pilot, lambda: chart.graph is drawn)
        await pilot.press("colon")
        await typed(pilot, "set slow on")
        await until(pilot, lambda: face.is_slow)
        await pilot.press("escape")
        await until(pilot, lambda: not face.is_slow)
        await pilot.press("2")
        face.commands.run("set graph braille")
        await until(pilot, lambda: face.current_mode == "overview" and chart.graph is Graph.BRAILLE)


async def test_a_figure_of_the_header_leads_to_what_it_is_about(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        for words, mode in (("27%", "limits"), ("today", "requests")):
            await until(pilot, lambda words=words: words in picture(pilot).splitlines()[0])  # type: ignore[misc]
            await pilot.click("#status", offset=(picture(pilot).splitlines()[0].index(words), 0))
            await until(pilot, lambda mode=mode: app.current_mode == mode)  # type: ignore[misc]
        await until(pilot, lambda: "Requests t:today" in picture(pilot))


async def test_the_palette_offers_what_works_on_the_screen_below_it(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        offered = {command.title for command in face.get_system_commands(face.screen)}
        await pilot.press("ctrl+p")
        assert {command.title for command in face.get_system_commands(face.screen)} == offered
        assert "Filter" in offered and "Zoom in" not in offered
