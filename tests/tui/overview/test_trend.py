"""Months on the chart, day by day, of what the screen of requests lists."""

from __future__ import annotations

from spendtop.domain.clock import DAY
from spendtop.domain.money import Usd
from spendtop.domain.request import Cost, Request
from spendtop.tui.app import SpendtopApp
from spendtop.tui.widgets.day_chart import Day, DayChart
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
        chart = app.screen_stack[0].query_one(DayChart)
        days: list[Day] = list(chart.days or ())
        return [(day.cost, day.unpriced) for day in days[-4:]]

    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        await pilot.press(*"ZZZZZ")
        await until(pilot, lambda: "Spend/day 30 d" in picture(pilot))
        assert shown()[:3] == [(None, False), (Usd.of("1.5"), True), (Usd.of("3.5"), False)]
        today = shown()[-1][0]
        till.record(paid(12, now, "1", "ben"))
        await until(pilot, lambda: today and shown()[-1][0] == today + Usd.of(1))
        await pilot.press("Z", "Z")
        await until(pilot, lambda: "Spend/day 365 d, mean of" in picture(pilot))
        await pilot.press("slash")
        await typed(pilot, "user:ben")
        await pilot.press("enter", "1")
        await until(pilot, lambda: "only user:ben" in picture(pilot))
        assert shown()[1:] == [(None, True), (Usd.of(2), False), (Usd.of(1), False)]
