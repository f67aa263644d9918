"""Pages of ready code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spendtop.tui.app import SpendtopApp
from spendtop.tui.sources.snippets import SnippetsScreen
from tests.tui.conftest import opened, picture, until

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
