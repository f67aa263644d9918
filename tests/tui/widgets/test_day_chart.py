"""Money per day: what is not known, what still runs, and what has to share a column."""

from __future__ import annotations

import pytest

from spendtop.domain.money import Usd
from spendtop.tui.app import SpendtopApp
from spendtop.tui.glyphs import UNICODE
from spendtop.tui.widgets.canvas import length
from spendtop.tui.widgets.day_chart import Day, DayChart
from tests.tui.conftest import opened


def days(*costs: str | None, unpriced: frozenset[int] = frozenset()) -> list[Day]:
    """The last one is today."""
    return [
        Day(label=f"11-{n + 1:02}", cost=None if cost is None else Usd.of(cost), unpriced=n in unpriced)
        for n, cost in enumerate(costs)
    ]


async def drawn(app: SpendtopApp, shown: list[Day], width: int, height: int = 6) -> list[str]:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        chart = app.screen.query_one(DayChart)
        chart.show(shown, "Spend/day")
        lines = list(chart.content(width, height))
        assert {length(line) for line in lines} == {width}
        return ["".join(text for text, _ in line) for line in lines]


async def test_a_day_that_is_not_known_is_no_zero_and_today_still_runs(app: SpendtopApp) -> None:
    lines = await drawn(app, days(None, "0", "2", "1"), 46)
    *_, lowest, dates = lines
    assert lowest[6:] == "-" * 9 + " " * 11 + "█" * 9 + " " + UNICODE.rest * 9 + " "
    assert dates.startswith("     ╰11-01") and dates.endswith("today so far")


async def test_days_that_share_a_column_are_their_mean_and_today_stands_alone(app: SpendtopApp) -> None:
    lines = await drawn(app, days(*["3", "1"] * 50, "9"), 56)
    assert lines[0].count(UNICODE.rest) == 2 and "█" not in lines[0]
    assert lines[-2].count(UNICODE.rest) == 2


async def test_a_tick_that_has_no_room_in_full_is_left_out(app: SpendtopApp) -> None:
    lines = await drawn(app, days("0", "0"), 30, 7)
    assert "$0.01" in lines[0] and not any("<" in line for line in lines)


@pytest.mark.parametrize("width", [7, 30, 60, 200])
@pytest.mark.parametrize("count", [1, 2, 30, 365])
async def test_it_fills_any_room(app: SpendtopApp, width: int, count: int) -> None:
    await drawn(app, days(*["1"] * count), width)


async def test_a_day_with_unpriced_requests_is_marked(app: SpendtopApp) -> None:
    lines = await drawn(app, days("0", "1", "1", unpriced=frozenset({0})), 36)
    assert lines[-2][6] == UNICODE.unpriced
