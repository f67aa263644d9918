"""The screen of limits: what is listed and folded, the detail, and the way to the requests that count."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.services.alerting.provider_limits import take_limits
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.limits.raise_desk import RaiseDraft
from spendtop.tui.requests.screen import RequestsScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, picture, typed, until
from tests.tui.limits.conftest import shown


@pytest.fixture
def face(session_over: Sessions, spent: Till) -> SpendtopApp:
    """The face over them."""
    return SpendtopApp(session_over())


def line(pilot: Pilot[int], words: str) -> str:
    """The first line that holds these words."""
    return next((line for line in picture(pilot).splitlines()[2:] if words in line), "")


async def test_the_fullest_comes_first_and_who_is_far_from_full_is_folded(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        assert [(row.limit.name, row.folded) for row in screen.table.rows] == [
            *[("each user", 0)] * 2,
            ("each user", 3),
            ("daily", 0),
        ]
        assert line(pilot, "alice").split()[:6] == ["│", "Xeach", "user", "alice", "day", "$0.610/$0.500"]
        assert "122%" in line(pilot, "alice")
        assert "+3 below 50%, most 4%" in picture(pilot)
        assert "1 over · 0 near" in picture(pilot)
        assert "everyone" in line(pilot, "daily") and "+1?" in line(pilot, "daily")
        await pilot.press("j", "j", "enter")
        assert [str(row.use.name) for row in screen.table.rows[3:] if row.use] == ["carol", "dora", "", "lab"]
        assert screen.row is not None and screen.row.is_fold  # the cursor stays on what was opened
        assert "+1?" in line(pilot, " lab ")
        await pilot.press("enter")
        assert [row.folded for row in screen.table.rows] == [0, 0, 3, 0]


async def test_the_detail_tells_of_the_selected_limit_and_enter_lists_what_counts(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "tells at 80%, 100%" in picture(pilot))
        assert "nothing was said of it yet" in picture(pilot)
        assert "$0.610 gpt-4.1" in picture(pilot)
        assert "┤" in line(pilot, "$0.500┤")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen) and "row 1 of 1" in picture(pilot))
        assert 'user:"alice" t:2026-11-20T00:00..' in picture(pilot)
        await pilot.press("q")
        await until(pilot, lambda: face.current_mode == "limits")
        await pilot.press("2")
        await until(pilot, lambda: face.current_mode == "requests")
        await pilot.press("q")
        await until(pilot, lambda: face.current_mode == "overview")


async def test_it_looks_ahead_where_there_is_a_past(session_over: Sessions, till: Till, clock: SettableClock) -> None:
    clock.advance(11 * HOUR)
    past = (a_request(hour * 3600, clock(), cost=Cost(reported=Usd.of("4")), user_id=None) for hour in range(1, 240))
    till.record(*past, a_request(1, clock(), user_id="new", cost=Cost(reported=Usd.of("0.3"))))
    face = SpendtopApp(session_over())
    async with face.run_test(size=(140, 40)) as pilot:
        screen = await shown(pilot)
        assert "REACHES" in picture(pilot)
        assert line(pilot, " daily").split("│")[1].split()[-2][:3] == "12:"
        assert "?" in line(pilot, "$0.300/$0.500").split()
        assert screen.row is not None and screen.row.limit.name == "each user"
        await until(pilot, lambda: "100% not enough data" in picture(pilot))
        await pilot.press("j")
        await until(pilot, lambda: "100% about 12:" in picture(pilot))
        assert "ends at ~$96" in picture(pilot) and "if all went on as so far" in picture(pilot)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40)])
async def test_names_are_cut_in_their_middle_and_amounts_never(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        await shown(pilot)
        assert {len(line) for line in picture(pilot).splitlines()} == {size[0]}
        bob = line(pilot, "name")
        assert "$0.300/$0.500" in bob
        assert "60%" in bob and "bob" in bob
        assert "\x1b" not in bob


async def test_an_order_and_a_limit_that_nobody_touched(face: SpendtopApp, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "o", "n")
        assert [row.limit.name for row in screen.table.rows][-1] == "daily"
        clock.now += 30 * HOUR
        screen.news()
        await until(pilot, lambda: "nobody yet" in picture(pilot))
        screen.table.select(next(row.key for row in screen.table.rows if row.use is None))
        await until(pilot, lambda: "nobody has used it in its window yet" in picture(pilot))
        assert "$0/$50" in line(pilot, "daily")


async def test_a_raise_says_what_becomes_of_it_is_shown_with_its_end_and_can_be_taken_back(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "plus")
        await until(pilot, lambda: "$0.800 until 11-21 00:00, then as before." in picture(pilot))
        await pilot.press("backspace")
        await typed(pilot, "0.1")
        await until(pilot, lambda: "$0.600 until 11-21 00:00: too little, $0.610 is used." in picture(pilot))
        await pilot.press(*["backspace"] * 3)
        await typed(pilot, "five")
        await pilot.press("enter")
        assert "Type an amount in US dollars" in picture(pilot)
        await pilot.press(*["backspace"] * 4)
        await typed(pilot, "+2")
        await until(pilot, lambda: "$2.50 until 11-21 00:00, then as before." in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "raised by $2.00 until 11-21 00:00" in picture(pilot))
        assert "▲" in line(pilot, "alice") and "24%" in line(pilot, "$0.61")
        assert "0 over" in picture(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "1 over" in picture(pilot))
        assert "u undo" not in picture(pilot)


async def test_a_raise_that_is_being_typed_is_about_what_is_used_by_now(
    face: SpendtopApp, spent: Till, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "plus")
        await until(pilot, lambda: "$0.800 until 11-21 00:00, then as before." in picture(pilot))
        spent.record(a_request(0, clock(), external_id="more", cost=Cost(reported=Usd.of("0.29"))))
        await until(pilot, lambda: "$0.800 until 11-21 00:00: too little, $0.900 is used." in picture(pilot))


async def test_an_amount_that_is_typed_ahead_takes_the_place_of_the_proposed_one(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        for key, character in (("plus", "+"), ("2", "2"), ("3", "3")):
            face.post_message(Key(key, character))
        await until(pilot, lambda: "Until when?" in picture(pilot))
        await pilot.pause()
        assert face.screen.query_one("#amount", Input).value == "23"


async def test_a_back_test_says_on_which_days_it_would_have_fired_and_for_whom(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "b")
        await until(pilot, lambda: "Would have fired 80% on 1 of 1 day (11-20)" in picture(pilot))
        assert "There are data since 2026-11-20" in picture(pilot)
        assert "1 request has no known cost" in picture(pilot) and "esc closes" in picture(pilot)
        assert "1  alice" in picture(pilot)
        await pilot.press("escape")
        assert "Would have fired" not in picture(pilot)


@pytest.mark.parametrize(
    ("limit", "used", "more"),
    [
        ("48", "40", "10"),
        ("100", "0", "20"),
        ("0.5", "0", "0.1"),
        ("34", "34", "7"),
        ("9000", "0", "2000"),
        ("1.25", "1.58", "0.7"),
        ("1.25", "125", "200"),
    ],
)
def test_a_raise_is_proposed_that_fits_the_limit_and_what_is_used(limit: str, used: str, more: str) -> None:
    draft = RaiseDraft.proposed(Usd.of(limit), Usd.of(used))
    assert (draft.amount, draft.usd) == (more, Usd.of(more))


async def test_limits_of_providers_are_rows_that_can_only_be_read(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    told = [
        ProviderLimit(
            scope="project", subject="p", name="Check\x1bout", amount=Usd.of(500), used=Usd.of(600), interval="month"
        ),
        ProviderLimit(scope="organization", amount=Usd.of(2500), interval="month", enforced=False),
    ]
    with store.writing() as connection:
        take_limits(connection, "openai-limits", "openai", "openai", told, clock())
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        assert "$600/$500" in line(pilot, "120%")
        assert "?/$2,500" in line(pilot, "organization")
        assert "2 over" in picture(pilot)
        await pilot.press("G")
        assert screen.row is not None and screen.row.told is not None
        await until(pilot, lambda: "behind it somebody is told by mail" in picture(pilot))
        footer = picture(pilot).splitlines()[-1]
        assert "raise" not in footer and "requests" not in footer
        await pilot.press("enter", "plus", "b")
        assert face.live_screen is screen
