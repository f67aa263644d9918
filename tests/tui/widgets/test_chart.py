"""The spend chart keeps peaks and amounts whatever its width."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.store.reads.rows import Spend
from spendtop.tui.app import SpendtopApp
from spendtop.tui.glyphs import UNICODE
from spendtop.tui.widgets.axis import count_label, scale_to, usd_label
from spendtop.tui.widgets.canvas import length
from spendtop.tui.widgets.chart import Bar, ChartMeasure, SpendChart, grouped
from tests.tui.conftest import opened


def bar(minute: int, nano: int | None, unpriced: int = 0, requests: int = 1) -> Bar:
    spend = None if nano is None else Spend(requests, Usd(nano), unpriced, 0, 0, 0)
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, spend)


def an_hour(**spent: int) -> list[Bar]:
    """Sixty minutes, of which some cost something."""
    return [bar(minute, spent.get(f"m{minute}", 0)) for minute in range(60)]


@pytest.mark.parametrize("cells", [1, 7, 36, 59, 60, 61, 90, 300])
def test_every_step_is_in_one_column_and_every_cell_belongs_to_one(cells: int) -> None:
    groups = grouped(an_hour(), cells)
    assert [each.since for group in groups for each in group.bars] == [minute * MINUTE for minute in range(60)]
    assert [cell for group in groups for cell in range(group.start, group.end)] == list(range(cells))


@pytest.mark.parametrize("cells", [1, 7, 36, 60, 300])
def test_a_column_is_as_high_as_its_highest_step(cells: int) -> None:
    groups = grouped(an_hour(m29=1_000_000, m30=7_000_000, m31=2_000_000), cells)
    assert max(group.peak(ChartMeasure.COST) or 0 for group in groups) == 7_000_000
    assert sum(group.spend.cost.nano for group in groups if group.spend) == 10_000_000


@pytest.mark.parametrize(
    ("nano", "label"),
    [
        (0, "$0"),
        (50_000, "$50µ"),
        (500, "$0.5µ"),
        (50_000_000, "$0.05"),
        (2_500_000_000, "$2.50"),
        (60 * 10**9, "$60"),
        (1_500 * 10**9, "$1.5k"),
        (100_000 * 10**9, "$100k"),
        (2 * 10**15, "$2M"),
    ],
)
def test_an_amount_on_the_axis_is_short_and_whole(nano: int, label: str) -> None:
    assert usd_label(nano) == label


def test_a_count_on_the_axis_is_too() -> None:
    assert [count_label(number) for number in (8, 1_500, 20_000_000)] == ["8", "1.5k", "20M"]


@pytest.mark.parametrize("highest", [1, 7, 31_000, 99_999, 10**9 + 1, 3 * 10**14, 7 * 10**17])
@pytest.mark.parametrize("rows", [1, 4, 5, 12])
def test_a_scale_is_measured_in_round_amounts_and_holds_what_it_shows(highest: int, rows: int) -> None:
    scale = scale_to(highest, rows, usd_label, headroom=1)
    assert scale.height(highest) <= max(rows - 1, 1) <= 4 * scale.height(highest) + rows * (highest < rows)
    assert all(len(label) <= 7 for label in scale.labels.values())
    assert len(str(scale.per_row).rstrip("0")) <= 2


async def drawn(app: SpendtopApp, bars: list[Bar], width: int, height: int = 6) -> list[str]:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        chart = app.screen.query_one(SpendChart)
        chart.show(bars)
        lines = list(chart.content(width, height))
        assert {length(line) for line in lines} == {width}
        return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("width", [9, 30, 60, 200])
@pytest.mark.parametrize("nano", [0, 40_000, 99_000 * 10**9])
async def test_it_fills_any_room(app: SpendtopApp, width: int, nano: int) -> None:
    await drawn(app, an_hour(m7=nano), width)


async def test_what_is_unpriced_is_marked_above_its_column_and_what_is_unknown_is_no_zero(app: SpendtopApp) -> None:
    bars = [bar(0, None), bar(1, 0), bar(2, 4_000_000, 1, 2), bar(3, 0, 1), bar(4, 8_000_000)]
    lines = await drawn(app, bars, 16)
    axis = lines[0].index(UNICODE.tee) + 1
    columns = ["".join(line[axis + place] for line in lines[:-1]) for place in range(0, 10, 2)]
    assert [column.strip() for column in columns[:2]] == ["-", ""]
    assert columns[2].strip() == f"{UNICODE.unpriced}██" and columns[3].strip() == UNICODE.unpriced
    assert columns[4].startswith(" ") and UNICODE.unpriced not in columns[4]


async def test_the_cursor_tells_of_the_step_that_it_is_on(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        chart = app.screen.query_one(SpendChart)
        chart.show(an_hour(m7=5))
        chart.to_top()
        for _ in range(8):
            chart.move(1)
        assert chart.group is not None and chart.group.since < HOUR
        chart.to_end()
        assert chart.group.until == HOUR
