"""The form of a tracking token, and the pages of ready code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spendtop.tui.app import SpendtopApp
from spendtop.tui.sources.tracking_tokens import NewTokenScreen, SnippetsScreen, TokenDraft
from tests.tui.conftest import opened, picture, typed, until

PAGES = {"python": "import [this]\n" * 60, "curl": "curl --header @-", "litellm": "callbacks: []"}


@pytest.mark.parametrize(
    ("keys", "page"),
    [([], "python"), (["tab"], "curl"), (["3"], "litellm"), (["shift+tab"], "litellm"), (["l", "h", "2"], "curl")],
)
async def test_the_page_that_is_shown_is_copied_as_it_is(app: SpendtopApp, keys: Sequence[str], page: str) -> None:
    copied: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(SnippetsScreen("Send", "Token [x]", PAGES, copied.append))
        await until(pilot, lambda: "import [this]" in picture(pilot))
        await pilot.press(*keys, "y")
        await until(pilot, lambda: copied)
        assert PAGES[page].splitlines()[0] in picture(pilot)
        assert "y copies" in picture(pilot).splitlines()[-1]
    assert copied == [PAGES[page]]


async def test_a_new_token_is_what_was_typed_and_ticked(app: SpendtopApp) -> None:
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


async def test_a_token_form_says_why_its_draft_could_not_be_used_and_can_be_left(app: SpendtopApp) -> None:
    told: list[TokenDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(NewTokenScreen(TokenDraft(name="ci"), "The [name] is taken."), told.append)
        await until(pilot, lambda: "! The [name] is taken." in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: told)
    assert told == [None]
