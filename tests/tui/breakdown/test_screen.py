"""The screen of breakdowns: its cells and sums, what is chosen, what changed, and the requests behind a cell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from textual.pilot import Pilot

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Status, Usage
from spendtop.tui.app import SpendtopApp
from spendtop.tui.breakdown.change_dialog import ChangeScreen
from spendtop.tui.breakdown.screen import BreakdownScreen
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.screens.clipboard import Clipboard
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until

A_DAY = 25 * 3600
"""Seconds, and one hour more."""
HOSTILE = "al\x1b[2Jice"


@pytest.fixture
def spent(till: Till, clock: SettableClock) -> Till:
    """The last hours: alice and bob by two models of claude and one of OpenAI, one of them unpriced; less a day ago."""
    now = clock()
    usual = {"user_id": HOSTILE, "model": "claude-opus-5-5", "provider": "anthropic", "token": "tok-web"}
    today = [
        a_request(n, now, external_id=f"t{n}", **usual, cost=Cost(reported=Usd.of("1.5")), latency_ms=2_000 + n)
        for n in range(4)
    ]
    sonnet = [
        a_request(
            10 + n,
            now,
            external_id=f"s{n}",
            user_id="bob",
            model="claude-sonnet-5-5",
            cost=Cost(reported=Usd.of("0.4")),
        )
        for n in range(2)
    ]
    unpriced = a_request(20, now, external_id="u", user_id="bob", model="custom-7b", cost=Cost())
    others = [
        a_request(25, now, external_id=model, user_id="carol", model=model, cost=Cost(reported=Usd.of(cost)))
        for model, cost in (("gemini-3", "0.01"), ("mistral-9", "0.02"))
    ]
    failed = a_request(30, now, external_id="f", status=Status.ERROR, http_status=500, cost=Cost(), usage=Usage())
    before = [
        a_request(A_DAY + n, now, external_id=f"b{n}", **usual, cost=Cost(reported=Usd.of("1.5"))) for n in range(2)
    ]
    gone = a_request(A_DAY + 60, now, external_id="g", user_id="dora", model="gpt-4.1")
    till.record(*today, *sonnet, *others, unpriced, failed, *before, gone)
    return till


@pytest.fixture
def face(session_over: Sessions, spent: Till) -> SpendtopApp:
    app = SpendtopApp(session_over())
    app.pace_seconds = 0.0
    return app


async def shown(pilot: Pilot[int], *keys: str) -> BreakdownScreen:
    """The screen with all figures of the last 24 hours, after these keys."""
    await opened(pilot, "4")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, BreakdownScreen) and app.live_screen.was_read)
    screen = app.live_screen
    assert isinstance(screen, BreakdownScreen)
    await pilot.press("t", "5")
    await whole(pilot, screen)
    await pilot.press(*keys)
    await pilot.pause()
    return screen


async def whole(pilot: Pilot[int], screen: BreakdownScreen) -> None:
    """Until what is shown is what was chosen."""
    await until(
        pilot,
        lambda: (
            screen.figures is not None
            and screen.figures.view == screen.view
            and screen.figures.share == 1
            and (
                screen.figures.change is not None
                or screen.view.measure.name != "cost"
                or not screen.figures.times.earlier
            )
        ),
    )
    await pilot.pause()


def words(pilot: Pilot[int], name: str) -> list[str]:
    """Of the first row of the table that names it."""
    line = next(line for line in picture(pilot).splitlines() if name in line and line[0] == "│")
    return line.strip("│▌ ").replace("▌", " ").split()


async def test_cells_sums_changes_and_their_causes(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "user by model family, cost" in picture(pilot) and "last 24 hours vs before" in picture(pilot)
        assert words(pilot, "USER")[:5] == ["USER", "opus-5-5", "sonn…5-5", "mist…l-9", "other"]
        assert words(pilot, "USER")[5:] == ["3", "TOTAL▼", "CHANGE", "TREND"]
        assert words(pilot, "al␛[2Jice")[:6] == ["al␛[2Jice", "$6.00█", "-", "-", "-", "$6.00"]
        assert words(pilot, "al␛[2Jice")[6:8] == ["▲100%", "█"]
        assert words(pilot, "bob")[:7] == ["bob", "-", "$0.800▄", "-", "1?", "$0.800", "+1?"]
        assert words(pilot, "carol")[1:6] == ["-", "-", "$0.0200▁", "$0.0100▁", "$0.0300"]
        assert words(pilot, "dora")[-2:] == ["-", "gone"]
        assert words(pilot, "TOTAL ")[:7] == ["TOTAL", "$6.00", "$0.800", "$0.0200", "$0.010?", "$6.83", "+1?"]
        line = next(line for line in picture(pilot).splitlines() if " = " in line)
        assert "+$3.82 = volume +$3.00 · new +$0.830" in line and "+1? not in it" in line
        await pilot.press("d")
        await until(pilot, lambda: isinstance(face.screen, ChangeScreen))
        await until(pilot, lambda: "+$3.0000  more or fewer requests" in picture(pilot))
        assert "-$0.0075  models that are not" in picture(pilot) and "+$3.8225  of requests" in picture(pilot)
        assert "claude-sonnet-5-5" in picture(pilot)


async def test_why_the_row_under_the_cursor_changed_follows_the_cursor(face: SpendtopApp) -> None:
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "more or fewer requests" in picture(pilot))
        panel = [line[96:] for line in picture(pilot).splitlines()]
        facts = {" ".join(line.strip("│ ").split()) for line in panel}
        assert facts >= {"cost $6.00", "requests 4", "of all 87%", "was $3.00 ▲100%", "claude-opus-5-5 $6.00 100%"}
        assert facts >= {"volume +$3.00", "in all +$3.00"}
        await pilot.press("j", "l", "l")
        await until(pilot, lambda: "models that were not used" in picture(pilot))
        assert "in all       +$0.800" in picture(pilot) and "of column  100%" in picture(pilot)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: " bob +$0.800 = new +$0.800" in picture(pilot))
        await pilot.press("d")
        await until(pilot, lambda: "Of bob:" in picture(pilot) and "Of all:" in picture(pilot))


async def test_a_window_that_is_not_over_says_so_and_up_to_when_it_is_compared(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "t", "7")
        await whole(pilot, screen)
        assert "this week so far vs last week to " in picture(pilot)
        assert " so far " in next(line for line in picture(pilot).splitlines() if " = " in line)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40), (200, 60)])
async def test_columns_go_where_there_is_no_room_and_money_stays(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        await shown(pilot)
        text = picture(pilot)
        assert {len(line) for line in text.splitlines()} == {size[0]}
        assert "$6.00█" in words(pilot, "al␛[2Jice") and "▲100%" in words(pilot, "al␛[2Jice")
        assert ("SHARE" in text, "TREND" in text) == (size[0] >= 90, size[0] >= 80)
        assert ("trend" in text) == (size[0] >= 140)
        assert "volume +$3.00" in text


async def test_enter_lists_the_requests_of_the_cell_in_this_window(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "j", "l", "l", "l", "l", "l")
        assert screen.table.column == 4
        assert "bob by all others" in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen))
        await until(pilot, lambda: "row 1 of 1" in picture(pilot))
        assert "custom-7b" in picture(pilot)
        assert isinstance(face.live_screen, RequestsScreen)
        assert face.live_screen.browser.selection.text == (
            'user:"bob" !(model:"claude-opus-5-5") !(model:"claude-sonnet-5-5") !(model:"mistral-9") t:-24h'
        )
        await pilot.press("4", "k", "h", "h", "h", "h", "enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen))
        await until(pilot, lambda: "row 1 of 4" in picture(pilot))


async def test_rows_columns_measure_time_and_what_is_compared_are_chosen(face: SpendtopApp) -> None:
    async with face.run_test(size=(100, 30)) as pilot:
        screen = await shown(pilot, "b", "5")
        await whole(pilot, screen)
        assert words(pilot, "tok-web")[:2] == ["tok-web", "$6.00█"]
        await pilot.press("c", "1", "v", "r")
        await whole(pilot, screen)
        assert (screen.view.words, screen.table.last_column) == ("token, requests", 0)
        assert words(pilot, "tok-web")[:4] == ["tok-web", "4", "40%", "▲100%"]
        assert " = " not in picture(pilot) and "two figures" not in picture(pilot)
        await pilot.press("C", "v", "l")
        await whole(pilot, screen)
        assert "vs a week ago" in picture(pilot) and "latencies to two figures" in picture(pilot)
        assert words(pilot, "tok-web")[:3] == ["tok-web", "2.0s", "new"]
        await pilot.press("v", "f")
        await whole(pilot, screen)
        assert words(pilot, "(no token)")[:4] == ["(no", "token)", "1", "$0.00"]
        await pilot.press("b", "a")
        await whole(pilot, screen)
        assert (screen.view.order, "gone" in picture(pilot), "new" in picture(pilot)) == ("name", False, False)


async def test_a_breakdown_is_typed_and_slips_are_said(face: SpendtopApp) -> None:
    async with face.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, "colon")
        await typed(pilot, "by prop.env user")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(face.live_screen, BreakdownScreen))
        await until(pilot, lambda: "prop.env by user, cost" in picture(pilot))
        await pilot.press("colon")
        await typed(pilot, "by usr")
        await pilot.press("enter")
        await until(pilot, lambda: "nothing called 'usr'" in picture(pilot))


def exported(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.glob("spendtop-breakdown-*.csv")
    return list(csv.DictReader(file.read_text().splitlines()))


async def test_the_table_and_a_cells_filter_are_copied_and_all_is_exported(
    face: SpendtopApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(Clipboard, "copy", lambda self, text: copied.append(text))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "j", "l", "y", "t", "y", "f")
        assert copied[0].splitlines()[0].split("\t")[:3] == ["user", "claude-opus-5-5", "claude-sonnet-5-5"]
        assert "\x1b" not in copied[0]
        assert copied[1] == 'user:"bob" model:"claude-opus-5-5" t:-24h'
        await pilot.press("x", "c")
        await until(pilot, lambda: "5 rows in" in said(pilot))
    rows = exported(tmp_path)
    assert [(row["user"], row["total"], row["missing"], row["before"]) for row in rows[1:3]] == [
        ("bob", "0.8", "1", "0.0"),
        ("carol", "0.03", "0", "0.0"),
    ]
    assert rows[1]["claude-sonnet-5-5"] == "0.8" and rows[1]["custom-7b"] == ""


async def test_new_requests_move_the_figures_and_not_the_cursor(
    face: SpendtopApp, spent: Till, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "j", "l")
        spent.record(a_request(0, clock(), external_id="n", user_id="zoe", cost=Cost(reported=Usd.of("50"))))
        await until(pilot, lambda: "zoe" in picture(pilot))
        assert screen.table.row is not None and str(screen.table.row.head.name) == "bob"
        assert screen.table.column == 1
        await pilot.press("less_than_sign", "I")
        await whole(pilot, screen)
        assert screen.view.order == "name" and not screen.view.descending
        assert words(pilot, "NAME" if "NAME" in picture(pilot) else "USER")[0] == "USER▲"


async def test_an_empty_store_says_what_to_do(session_over: Sessions, till: Till) -> None:
    face = SpendtopApp(session_over())
    async with face.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4")
        await until(pilot, lambda: "no requests in this time; t chooses another" in picture(pilot))
        await pilot.press("enter", "l", "d", "x", "y", "o")
        assert face.screen is face.live_screen
