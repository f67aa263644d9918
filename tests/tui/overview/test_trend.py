"""Months on the chart, day by day, of what the screen of requests lists."""

from __future__ import annotations

from textual.pilot import Pilot

from spendtop.domain.clock import DAY
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Request
from spendtop.tui.app import SpendtopApp
from spendtop.tui.breakdown.entities_screen import EntitiesScreen
from spendtop.tui.limits.screen import LimitsScreen
from spendtop.tui.overview.panels import LimitsPanel
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.widgets.chart import SpendChart
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, opened, picture, typed, until


def paid(number: int, at: int, dollars: str | None, user: str) -> Request:
    cost = Cost() if dollars is None else Cost(reported=Usd.of(dollars))
    model = "custom-7b" if dollars is None else "gpt-4.1"
    return a_request(0, at, external_id=f"e{number}", user_id=user, cost=cost, model=model)


async def test_days_are_charted_one_by_one_with_the_filter_of_the_requests(
    app: SpendtopApp, till: Till, clock: SettableClock
) -> None:
    now = clock()
    till.record(
        *(paid(ago, now - ago * DAY, "1.50", "ann") for ago in range(3)),
        paid(10, now - DAY, "2", "ben"),
        paid(11, now - 2 * DAY, None, "ben"),
    )

    def shown() -> list[tuple[Usd | None, bool]]:
        chart = app.screen_stack[0].query_one(SpendChart)
        spends = [bar.spend for bar in (chart.bars or ())[-4:]]
        return [(None, False) if spend is None else (spend.cost, spend.unpriced > 0) for spend in spends]

    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await pilot.press("t", "8")
        await until(pilot, lambda: "Spend/day last 30 days" in picture(pilot) and shown())
        assert shown()[:3] == [(None, False), (Usd.of("1.5"), True), (Usd.of("3.5"), False)]
        today = shown()[-1][0]
        till.record(paid(12, now, "1", "ben"))
        await until(pilot, lambda: today and shown()[-1][0] == today + Usd.of(1))
        await pilot.press("slash")
        await typed(pilot, "user:ben")
        await pilot.press("enter", "1")
        await until(pilot, lambda: "Spend/day last 30 days, only user:ben" in picture(pilot) and shown())
        assert shown()[1:] == [(Usd(0), True), (Usd.of(2), False), (Usd.of(1), False)]
        await pilot.press("t", "1")
        await until(pilot, lambda: "Spend/min last hour, only user:ben" in picture(pilot) and shown())
        assert shown()[-1] == (Usd.of(1), False) and app.screen_stack[0].query_one(SpendChart).group is not None
        await pilot.press("c")
        await until(pilot, lambda: "$1.00 · 1 req" in picture(pilot))
        assert "only user:ben" in picture(pilot)  # also while the cursor tells of one step


async def test_every_panel_is_a_door(app: SpendtopApp, till: Till, clock: SettableClock) -> None:
    till.record(paid(1, clock(), "5.00", "the dearest"))

    async def opens(pilot: Pilot[int], *keys: str) -> str:
        """The filter of the requests that these keys lead to."""
        await pilot.press(*keys)

        def text() -> str:
            screen = app.live_screen
            return screen.browser.selection.text if isinstance(screen, RequestsScreen) else ""

        await until(pilot, text)
        led_to = text()
        assert not app.listed.text, "the chart stays one of all requests"
        await pilot.press("backspace", "1")
        await until(pilot, lambda: app.current_mode == "overview")
        return led_to

    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "the dearest" in picture(pilot))
        limits = app.screen.query_one(LimitsPanel)
        assert await opens(pilot, "c", "enter") == "t:2026-11-20T13:50..2026-11-20T14:10"
        await until(pilot, lambda: "13:50..14:10 $5." in picture(pilot))
        await pilot.press("tab", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, LimitsScreen) and app.screen.row is not None)
        assert isinstance(app.screen, LimitsScreen)
        row = app.screen.row
        assert row is not None and (row.key.limit, row.key.entity) == limits.keys[1]
        await pilot.press("1")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, EntitiesScreen) and app.screen.table.row is not None)
        assert "the dearest" in await opens(pilot, "enter")
        await pilot.press("q", "tab", "tab", "enter")
        await until(pilot, lambda: app.current_mode == "sources" and "helicone" in picture(pilot))
