"""The lists of users, models and tokens."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from textual.pilot import Pilot

from spendtop.domain.clock import SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Usage
from spendtop.services import tokens
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.breakdown.entities_screen import EntitiesScreen
from spendtop.tui.requests.screen import RequestsScreen
from tests.conftest import SettableClock
from tests.services.recording.test_plan_calls import Desk, call
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def spent(till: Till, clock: SettableClock, store: Store) -> Till:
    now = clock()
    with store.writing() as connection:
        tokens.create(connection, "web app", now, value="tok-web-000")
    alice = [
        a_request(3 * 60 + n, now, external_id=f"a{n}", token="tok-web-000", cost=Cost(reported=Usd.of("0.1")))
        for n in range(3)
    ]
    before = a_request(DAY + 60, now, external_id="b", cost=Cost(reported=Usd.of("0.2")))
    bob = a_request(5 * HOUR, now, external_id="c", user_id="bob", model="gpt-4.1-2025-04-14", cost=Cost())
    till.record(*alice, before, bob)
    return till


@pytest.fixture
def face(session_over: Sessions, spent: Till) -> SpendtopApp:
    app = SpendtopApp(session_over())
    app.pace_seconds = 0.0
    return app


async def listed(pilot: Pilot[int], command: str) -> EntitiesScreen:
    await opened(pilot, "colon")
    await typed(pilot, command)
    await pilot.press("enter")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, EntitiesScreen) and app.live_screen.figures)
    await pilot.pause()
    screen = app.live_screen
    assert isinstance(screen, EntitiesScreen)
    return screen


def exported(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.glob("spendtop-users-*.csv")
    return list(csv.DictReader(file.read_text().splitlines()))


def words(pilot: Pilot[int], name: str) -> list[str]:
    line = next(line for line in picture(pilot).splitlines() if name in line and line[0] == "│")
    return line.strip("│▌ ").replace("▌", " ").split()


async def test_users_with_cost_change_last_seen_and_the_limits_that_hold(face: SpendtopApp, tmp_path: Path) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await listed(pilot, "users bob")
        assert "Users today vs yesterday" in picture(pilot)
        assert words(pilot, "alice")[:6] == ["alice", "$0.300", "100%", "▲", "50%", "3"]
        assert words(pilot, "alice")[-4:] == ["3m", "each", "user", "60%"]
        assert words(pilot, "bob")[1:4] == ["1", "unpriced", "-"]
        assert screen.table.row is not None and str(screen.table.row.row.head.name) == "bob"
        await pilot.press("C")
        await until(pilot, lambda: "vs a week ago" in picture(pilot))
        await pilot.press("x", "c")
        await until(pilot, lambda: "2 users in" in said(pilot))
        alice, bob = exported(tmp_path)
        assert [alice[name] for name in ("user", "requests", "cost_usd", "limits")] == [
            "alice",
            "3",
            "0.3",
            '["each user"]',
        ]
        assert [bob[name] for name in ("requests", "cost_nanousd", "unpriced", "plan_usd")] == ["1", "", "1", ""]
        await pilot.press("k", "enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen))
        assert isinstance(face.live_screen, RequestsScreen)
        assert face.live_screen.browser.selection.text == 'user:"alice" t:today'


@pytest.mark.parametrize("size", [(60, 15), (100, 30), (200, 60)])
async def test_limits_are_named_wherever_there_is_room_and_money_stays(
    face: SpendtopApp, size: tuple[int, int]
) -> None:
    async with face.run_test(size=size) as pilot:
        await listed(pilot, "users")
        assert {len(line) for line in picture(pilot).splitlines()} == {size[0]}
        row = words(pilot, "alice")
        assert "$0.300" in row and "60%" in row
        assert tuple(row[row.index("60%") - 2 : row.index("60%")]) == ("each", "user")


async def test_tokens_have_their_names_and_models_are_families(face: SpendtopApp) -> None:
    async with face.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, "tokens")
        assert words(pilot, "web app")[:3] == ["web", "app", "$0.300"]
        assert words(pilot, "(no token)")[:3] == ["(no", "token)", "1"]
        await pilot.press("q")
        await listed(pilot, "models nothing")
        await until(pilot, lambda: "nothing has no requests in this time." in said(pilot))
        assert words(pilot, "gpt-4.1")[:3] == ["gpt-4.1", "$0.300", "+1?"]
        await pilot.press("enter")
        await until(pilot, lambda: "row 1 of 4" in picture(pilot))


@pytest.mark.parametrize("size", [(60, 15), (140, 40)])
async def test_usage_under_a_plan_stands_beside_the_cost_also_of_who_spent_nothing(
    face: SpendtopApp, store: Store, clock: SettableClock, size: tuple[int, int]
) -> None:
    usage = Usage(prompt=1_000_000_000, completion=0)
    Desk(store).record(
        call("p", clock() - 60 * SECOND, user_id="mira", usage=usage),
        call("q", clock() - 90 * SECOND, user_id="alice"),
    )
    async with face.run_test(size=size) as pilot:
        screen = await listed(pilot, "users")
        assert words(pilot, "mira")[:3] == ["mira", "-", "~$2.00"]
        assert words(pilot, "alice")[:3] == ["alice", "$0.300", "~<$0.00001"]
        assert "1m" in words(pilot, "mira") and "1m" in words(pilot, "alice")
        assert [words(pilot, name)[0] for name in ("alice", "bob", "mira")] == ["alice", "bob", "mira"]
        await pilot.press(">")
        await until(pilot, lambda: (first := screen.table.rows[0]) and first.row.head.key.raw == "mira")
        await pilot.press("g", "enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen))
        assert isinstance(face.live_screen, RequestsScreen)
        assert face.live_screen.browser.selection.text == 'user:"mira" t:today'


async def test_where_all_is_under_a_plan_nothing_is_said_of_spend(
    session_over: Sessions, store: Store, clock: SettableClock
) -> None:
    Desk(store).record(call("p", clock() - 60 * SECOND, user_id="mira"))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot, "models")
        assert "COST" not in picture(pilot) and "CHANGE" not in picture(pilot)
        assert words(pilot, "m  ")[:3] == ["m", "~<$0.00001", "1"]
        await pilot.press("t")
        await until(pilot, lambda: "b  5h block 14:00 to 19:00 (guess)" in picture(pilot))
        await pilot.press("b")
        await until(pilot, lambda: "Models 5h block 14:00 to 19:00 (guess) vs before" in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.live_screen, RequestsScreen))
        assert isinstance(app.live_screen, RequestsScreen)
        assert app.live_screen.browser.selection.text == 'model:"m" t:2026-11-20T14:00..2026-11-20T19:00'
        await until(pilot, lambda: "row 1 of 1" in picture(pilot))
        clock.advance(6 * HOUR * SECOND)
        await opened(pilot, "1", "t")
        await until(pilot, lambda: "no 5h block is open" in picture(pilot))
