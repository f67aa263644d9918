"""Help knows only the keys that work now, and finds them."""

from __future__ import annotations

from spendtop.domain.filters.filters import FIELDS
from spendtop.domain.requests.marks import MARKS
from spendtop.tui.app import SpendtopApp
from tests.tui.conftest import opened, picture, typed, until


async def test_help_shows_the_keys_of_the_screen_and_the_whole_filter_language(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot, "2")
        await pilot.press("question_mark")
        await until(pilot, lambda: "keys that work now" in picture(pilot))
        shown = picture(pilot)
    assert "follow" in shown and "export" in shown and "zoom in" not in shown
    for field in FIELDS.values():
        assert f"~{field.short}" in shown


async def test_typing_searches_keys_and_commands(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot, "2")
        await pilot.press("question_mark")
        await until(pilot, lambda: "half down" in picture(pilot))
        await typed(pilot, "cop")
        await until(pilot, lambda: "half down" not in picture(pilot))
        assert "copy" in picture(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "keys that work now" not in picture(pilot))


async def test_signs_are_explained_without_a_search(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot, "2")
        await pilot.press("question_mark")
        await until(pilot, lambda: "keys that work now" in picture(pilot))
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: all(mark.meaning in picture(pilot) for mark in MARKS))
