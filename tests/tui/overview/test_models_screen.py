"""Models by family: the panel under a cursor, and the way from a family to exact names and to requests."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from spendtop.domain.clock import DAY
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Usage
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.overview.models_screen import ModelsScreen
from spendtop.tui.overview.panels import TopPanel
from spendtop.tui.overview.screen import OverviewScreen
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.widgets.request_table import RequestList
from tests.conftest import SettableClock
from tests.services.recording.test_plan_calls import Desk, call
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, until

SIZES = pytest.mark.parametrize("size", [(80, 24), (140, 40)])
HOSTILE = 'o3 "*\x1b[2J'


@pytest.fixture
def mixed(till: Till, clock: SettableClock) -> Till:
    """Two releases of one model, a model of one release, one with a name full of traps, and requests without a name."""
    named = [
        ("gpt-4o", "0.50", 3),
        ("openai/gpt-4o-2024-08-06", "0.25", 2),
        ("claude-sonnet-4-5-20250929", "0.90", 1),
        (HOSTILE, "0.10", 1),
        (None, "0.01", 1),
    ]
    requests = [
        a_request(number, clock(), external_id=f"{model}{number}", model=model, cost=Cost(reported=Usd.of(cost)))
        for model, cost, count in named
        for number in range(count)
    ]
    before = a_request(0, clock() - DAY, external_id="yesterday", model="gpt-4o", cost=Cost(reported=Usd.of("7")))
    till.record(*requests, before)
    return till


@pytest.fixture
def face(session_over: Sessions, mixed: Till) -> SpendtopApp:
    return SpendtopApp(session_over())


async def panel(pilot: Pilot[int], *keys: str) -> TopPanel:
    """The panel with its figures and the keyboard, after these keys."""
    await opened(pilot)
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    shown = app.screen.query_one("#models", TopPanel)
    await until(pilot, lambda: shown.breakdown and shown.breakdown.rows)
    shown.focus()
    await until(pilot, lambda: shown.has_focus)
    await pilot.press(*keys)
    await pilot.pause()
    return shown


async def listed(pilot: Pilot[int]) -> RequestsScreen:
    """The screen of requests, once it lists what was asked for."""
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, RequestsScreen) and app.live_screen.browser.selection.text)
    screen = app.live_screen
    assert isinstance(screen, RequestsScreen)
    await until(pilot, lambda: screen.browser.sums is not None and len(screen.browser.listing))
    return screen


def line(pilot: Pilot[int], name: str) -> list[str]:
    """The words of the first line that names it, from there on."""
    found = next(line for line in picture(pilot).splitlines() if name in line)
    return found[found.index(name) :].split("│")[0].split()


@SIZES
async def test_releases_of_one_model_are_one_line(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        shown = await panel(pilot)
        assert shown.breakdown is not None
        sums = [(row.key.raw, row.spend.requests, row.spend.cost) for row in shown.breakdown.rows]
        assert sums[:2] == [("gpt-4o", 5, Usd.of("2.00")), ("claude-sonnet-4-5", 1, Usd.of("0.90"))]
        assert "$2.00" in line(pilot, "gpt-4o")
        assert "openai/gpt-4o" not in picture(pilot).split("Live")[0]


@SIZES
async def test_enter_on_a_family_shows_its_names_and_enter_on_a_name_its_requests(
    face: SpendtopApp, size: tuple[int, int]
) -> None:
    async with face.run_test(size=size) as pilot:
        await panel(pilot, "enter")
        await until(pilot, lambda: isinstance(face.screen, ModelsScreen) and face.screen.table.rows)
        assert "Models of gpt-4o today" in picture(pilot)
        assert line(pilot, "gpt-4o   ")[:3] == ["gpt-4o", "3", "$1.50"]
        assert line(pilot, "openai/gpt-4o-2024-08-06")[1:3] == ["2", "$0.500"]
        await pilot.press("j", "enter")
        screen = await listed(pilot)
        assert screen.browser.selection.text == 'model:"openai/gpt-4o-2024-08-06" t:today'
        assert {row.model for row in screen.browser.listing if row} == {"openai/gpt-4o-2024-08-06"}
        await pilot.press("1")
        await until(pilot, lambda: isinstance(face.screen, ModelsScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(face.screen, OverviewScreen))


@SIZES
async def test_a_family_of_one_name_goes_straight_to_its_requests(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        await panel(pilot, "j", "enter")
        screen = await listed(pilot)
        assert screen.browser.selection.text == 'model:"claude-sonnet-4-5-20250929" t:today'
        assert screen.browser.sums is not None
        assert screen.browser.sums.counted.cost == Usd.of("0.90")


@pytest.mark.parametrize(("down", "model"), [(2, HOSTILE), (3, None)])
async def test_any_name_is_listed_by_and_none_steers_the_terminal(
    face: SpendtopApp, down: int, model: str | None
) -> None:
    async with face.run_test(size=(140, 40)) as pilot:
        await panel(pilot, *["j"] * down, "enter")
        screen = await listed(pilot)
        assert [row.model for row in screen.browser.listing if row] == [model]
        assert "\x1b" not in picture(pilot)


async def test_the_line_of_all_others_opens_every_family(
    session_over: Sessions, till: Till, clock: SettableClock, store: Store
) -> None:
    dear, cheap = Cost(reported=Usd.of("1.00")), Cost(reported=Usd.of("0.01"))
    till.record(
        *(a_request(number, clock(), model=f"own-{number}", cost=dear) for number in range(20)),
        a_request(30, clock(), model="cheap", cost=cheap),
        a_request(31, clock(), model="cheap-latest", cost=cheap),
    )
    Desk(store).record(call("p", clock(), usage=Usage(prompt=1_000_000_000, completion=0)))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await panel(pilot, "G")
        assert shown.chosen is None
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen) and app.screen.table.rows)
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        assert len(screen.table.rows) == 22
        await pilot.press("G")
        await until(pilot, lambda: "~$2.00" in picture(pilot))
        assert line(pilot, "m    ")[:4] == ["m", "1", "-", "~$2.00"]
        await pilot.press("k", "enter")
        await until(pilot, lambda: "Models of cheap today" in picture(pilot) and "cheap-latest" in picture(pilot))
        await pilot.press("q")
        await until(pilot, lambda: app.screen is screen)


async def test_the_cursor_and_its_keys_are_there_only_where_the_panel_is(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        shown = await panel(pilot)
        assert "tab pane" in picture(pilot)
        await pilot.press("k", "k", "j")
        assert shown.position == 1
        await pilot.press("tab")
        assert not shown.has_focus
        await pilot.press("shift+tab")
        assert shown.has_focus
        await pilot.resize_terminal(80, 15)
        await until(pilot, lambda: "Models" not in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen))


async def test_a_click_puts_the_cursor_there_and_the_next_one_opens(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        shown = await panel(pilot)
        await pilot.click("#models", offset=(4, 2))
        assert shown.position == 1
        await pilot.click("#models", offset=(4, 2))
        screen = await listed(pilot)
        assert screen.browser.selection.text.startswith('model:"claude-sonnet')


async def test_only_the_pane_with_the_keys_has_a_lit_cursor(mixed: Till, session_over: Sessions) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1")
        live = app.screen.query_one(RequestList)
        assert live.lights_cursor
        await pilot.press("shift+tab")
        assert not live.has_focus and not live.lights_cursor
