from __future__ import annotations

import pytest

from spendtop.domain.breakdown.measures import COST, LATENCY, MEASURES, Measure, Measured
from spendtop.domain.breakdown.spend_change import Cause
from spendtop.domain.money import Usd
from spendtop.tui.breakdown.change_line import change_words
from spendtop.tui.breakdown.figures import change, figure, heat, share
from spendtop.tui.breakdown.table import heads
from spendtop.tui.glyphs import ASCII, UNICODE
from spendtop.tui.palette import PLAIN

FAILED, HIT, REQUESTS = MEASURES["failed"], MEASURES["cache hit"], MEASURES["requests"]
DOLLAR = 1_000_000_000


@pytest.mark.parametrize(
    ("measure", "measured", "expected"),
    [
        (COST, Measured(), "-"),
        (COST, Measured(2, 0, 2), "2?"),
        (COST, Measured(2, 0, 0), "$0.00"),
        (COST, Measured(3, 12 * DOLLAR, 3), "$12 +3?"),
        (COST, Measured(3, 1234 * DOLLAR, 0), "$1,234"),
        (COST, Measured(300, 20 * DOLLAR, 116), "$20.00?"),
        (COST, Measured(3, DOLLAR * 364 // 1000, 1), "$0.364?"),
        (REQUESTS, Measured(12_345, 12_345), "12.3k"),
        (FAILED, Measured(3, DOLLAR // 50), "3 $0.02"),
        (FAILED, Measured(12_345, DOLLAR), "12.3k"),
        (HIT, Measured(200, 122), "61%"),
        (HIT, Measured(0, 0, 0), "-"),
        (LATENCY, Measured(3, 12_000), "12s"),
        (LATENCY, Measured(3, 0, 3), "-"),
    ],
)
def test_a_figure_fits_its_cell_and_unknown_is_no_zero(measure: Measure, measured: Measured, expected: str) -> None:
    assert figure(measured, measure, PLAIN, 7)[0] == expected


@pytest.mark.parametrize(
    ("measure", "now", "before", "expected"),
    [
        (COST, Measured(1, 141), Measured(1, 100), "▲ 41%"),
        (COST, Measured(1, 88), Measured(1, 100), "▼ 12%"),
        (COST, Measured(1, 1000), Measured(1, 1001), "="),
        (COST, Measured(1, 5), Measured(), "new"),
        (COST, Measured(), Measured(1, 5), "gone"),
        (COST, Measured(1, 5), None, ""),
        (COST, Measured(1, 5), Measured(1, 0, 1), "-"),
        (COST, Measured(9, 0, 9), Measured(9, 100), "-"),
        (COST, Measured(9, 97, 1), Measured(9, 100), "▼  3%?"),
        (COST, Measured(9, 141, 1), Measured(9, 100), "▲ 41%"),
        (COST, Measured(9, 141), Measured(9, 100, 1), "▲ 41%?"),
        (COST, Measured(9, 97), Measured(9, 100, 1), "▼  3%"),
        (COST, Measured(9, 6700), Measured(9, 100, 1), "▲x67?"),
        (COST, Measured(1, 6700), Measured(1, 100), "▲x67"),
        (COST, Measured(1, 10**9), Measured(1, 1), "▲x>999"),
        (HIT, Measured(100, 61), Measured(100, 52), "▲  9pt"),
        (LATENCY, Measured(9, 3000), Measured(9, 4000), "▼ 25%"),
    ],
)
def test_a_change_takes_six_cells(measure: Measure, now: Measured, before: Measured | None, expected: str) -> None:
    words, _ = change(now, before, measure, UNICODE, PLAIN)
    assert (words, len(words) <= 6) == (expected, True)


def test_a_share_of_what_is_not_known_is_none() -> None:
    whole = Measured(10, 400)
    assert share(Measured(5, 100), whole, COST) == "25%"
    assert share(Measured(5, 0, 5), whole, COST) == "-"
    assert share(Measured(5, 100), Measured(), COST) == "-"


@pytest.mark.parametrize(("glyphs", "marks"), [(UNICODE, " ▁▄█"), (ASCII, " .:#")])
def test_heat_is_a_shape_of_three(glyphs: object, marks: str) -> None:
    assert glyphs in (UNICODE, ASCII)
    of = UNICODE if glyphs is UNICODE else ASCII
    sizes = [heat(Measured(1, amount), 100, COST, of, PLAIN)[0] for amount in (0, 5, 13, 50)]
    assert "".join(sizes) == marks


def test_titles_of_one_maker_are_told_apart() -> None:
    names = ["claude-opus-5-5", "claude-sonnet-5-5", "gpt-5.4", "a-name-that-is-long"]
    assert heads(names, 8, "…") == ["opus-5-5", "sonn…5-5", "gpt-5.4", "a-na…ong"]


CAUSES = [(Cause.VOLUME, Usd(700_000_000)), (Cause.MIX, Usd(410_000_000)), (Cause.CACHE, Usd(-80_000_000))]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (76, " +$1.03 = volume +$0.700 · mix +$0.410 · cache -$0.0800"),
        (50, " +$1.03 = volume +$0.700 · 2 more +$0.330"),
        (20, " +$1.03"),
    ],
)
def test_what_has_no_room_is_one_sum_so_that_the_line_adds_up(width: int, expected: str) -> None:
    line = change_words(Usd(1_030_000_000), CAUSES, [], width, PLAIN, UNICODE)
    assert "".join(words for words, _ in line) == expected
