"""One of several, by arrows or by its letter."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.choose import ChooseScreen
from tests.tui.conftest import opened, until


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [(["enter"], "m"), (["down", "enter"], "i"), (["i"], "i"), (["escape"], None), (["z", "q"], None)],
)
async def test_the_choice_is_told(app: SpendtopApp, keys: Sequence[str], chosen: str | None) -> None:
    told: list[str | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(ChooseScreen("Copy", [("m", "message"), ("i", "[id]")]), told.append)
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: told)
    assert told == [chosen]
