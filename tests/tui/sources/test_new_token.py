"""The form of a new tracking token."""

from __future__ import annotations

from spendtop.tui.app import SpendtopApp
from spendtop.tui.sources.new_token import NewTokenScreen, TokenDraft
from tests.tui.conftest import opened, picture, typed, until


async def test_gives_what_was_typed_and_ticked(app: SpendtopApp) -> None:
    told: list[TokenDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(NewTokenScreen(TokenDraft(name="ci")), told.append)
        await typed(pilot, " prod")
        await pilot.press("down", "down", "space", "up")
        await typed(pilot, "ci-42")
        await pilot.press("enter")
        await until(pilot, lambda: told)
    assert told == [TokenDraft("ci prod", "ci-42", shadow=True)]


async def test_a_tick_is_a_mark_and_not_just_a_colour(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(NewTokenScreen(TokenDraft()))
        await until(pilot, lambda: "▐ ▌ shadow" in picture(pilot))
        await pilot.press("tab", "tab", "space")
        await until(pilot, lambda: "▐x▌ shadow" in picture(pilot))


async def test_says_why_a_draft_could_not_be_used_and_can_be_left(app: SpendtopApp) -> None:
    told: list[TokenDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(NewTokenScreen(TokenDraft(name="ci"), "The [name] is taken."), told.append)
        await until(pilot, lambda: "! The [name] is taken." in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: told)
    assert told == [None]
