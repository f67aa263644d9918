"""One of several, by arrows or by its letter; and a question where staying is the answer that takes least."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.events import Key

from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.choose import ChooseScreen, ConfirmScreen
from tests.tui.conftest import opened, picture, until


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["enter"], "m"),
        (["down", "enter"], "i"),
        (["j", "enter"], "i"),
        (["j", "k", "enter"], "m"),
        (["G", "enter"], "i"),
        (["G", "g", "enter"], "m"),
        (["i"], "i"),
        (["escape"], None),
        (["z", "q"], None),
        (["p", "enter"], "i"),
        (["p", "p", "enter"], "m"),
    ],
)
async def test_the_choice_is_told(app: SpendtopApp, keys: Sequence[str], chosen: str | None) -> None:
    told: list[str | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(ChooseScreen("Copy", [("m", "message, plain"), ("i", "[id] of the path")]), told.append)
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: told)
    assert told == [chosen]


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        (["enter"], False),
        (["escape"], False),
        (["n"], False),
        (["y"], True),
        (["down", "enter"], True),
        (["j", "enter"], True),
    ],
)
async def test_only_a_clear_yes_is_one(app: SpendtopApp, keys: Sequence[str], meant: bool) -> None:
    told: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(ConfirmScreen("Delete [red]it[/]?", "What stays.", "Delete it", "Keep it"), told.append)
        await until(pilot, lambda: "What stays." in picture(pilot))
        assert "Delete [red]it[/]?" in picture(pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: told)
    assert told == [meant]


async def test_the_cursor_begins_on_what_is_so_now(app: SpendtopApp) -> None:
    told: list[str | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(ChooseScreen("Order by", [("t", "time"), ("c", "cost")], "c"), told.append)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: told)
    assert told == ["c"]


async def test_of_two_keys_at_once_the_first_one_chooses(app: SpendtopApp) -> None:
    told: list[str | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        dialog = ChooseScreen("Copy", [("m", "message"), ("i", "[id]")])
        app.push_screen(dialog, told.append)
        await pilot.pause()
        for key in ("m", "i"):
            app.post_message(Key(key, key))
        await until(pilot, lambda: told and app.screen is not dialog)
    assert told == ["m"]


async def test_what_is_typed_ahead_chooses_in_the_dialog_that_it_opens(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        for key in ("t", "1"):
            app.post_message(Key(key, key))
        await until(pilot, lambda: "last hour" in picture(pilot))
        assert not isinstance(app.screen, ChooseScreen)


async def test_keys_of_the_screen_below_are_not_offered(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "? help" in picture(pilot))
        app.push_screen(ChooseScreen("Copy", [("m", "message")]))
        await until(pilot, lambda: "m  message" in picture(pilot) and "? help" not in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "? help" in picture(pilot))
