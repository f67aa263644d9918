"""Gauges, also beyond 100 %."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.style import Style

from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import parse_window
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.sums import Breakdown, KeySpend
from spendtop.tui.app import SpendtopApp
from spendtop.tui.glyphs import ASCII, UNICODE
from spendtop.tui.overview.panels import LimitsPanel, TopPanel
from spendtop.tui.widgets.gauge import gauge
from tests.tui.conftest import opened, until

FILL, OVER, REST = Style(bold=True), Style(reverse=True), Style(dim=True)


def drawn(fraction: float, width: int = 10) -> str:
    """The gauge as text."""
    return "".join(text for text, _ in gauge(fraction, width, FILL, OVER, REST, UNICODE))


@pytest.mark.parametrize("fraction", [0, 0.001, 0.5, 0.999, 1.0, 1.01, 1.5, 12.0])
@pytest.mark.parametrize("width", [2, 7, 30])
def test_it_fills_its_width_exactly(fraction: float, width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        assert sum(len(text) for text, _ in gauge(fraction, width, FILL, OVER, REST, glyphs)) == width


def test_it_grows_in_eighths() -> None:
    assert drawn(0.5) == "█████░░░░░"
    assert drawn(0.54) == "█████▍░░░░"
    assert drawn(1.0) == "██████████"


def test_the_least_spend_is_visible() -> None:
    assert drawn(0.0001) == "▏░░░░░░░░░"
    assert drawn(0) == "░░░░░░░░░░"


def test_overspending_shows_where_100_percent_is() -> None:
    assert drawn(2.0) == "████┃█████"
    pieces = gauge(2.0, 10, FILL, OVER, REST, UNICODE)
    assert pieces[-1] == ("█████", OVER)


async def test_all_bars_begin_at_one_cell(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        panel = app.screen.query_one(LimitsPanel)
        await until(pilot, lambda: panel.uses)
        assert panel.uses
        panel.uses = [replace(panel.uses[0], unpriced=number) for number in (0, 3, 1_234)]
        lines = ["".join(text for text, _ in line) for line in panel.content(70, 10)]
    assert len({min(line.index(cell) for cell in "█░▏▎▍▌▋▊▉" if cell in line) for line in lines}) == 1


@pytest.mark.parametrize("width", [28, 46])
async def test_a_limit_of_a_family_is_shown_by_the_family(app: SpendtopApp, width: int) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        panel = app.screen.query_one(LimitsPanel)
        await until(pilot, lambda: panel.uses)
        assert panel.uses
        limit = Limit(name="families", window=parse_window("day"), amount=Usd.of(1), each=Each.MODEL_FAMILY)
        panel.uses = [replace(panel.uses[0], limit=limit, entity=Untrusted("gpt-4o"), name=Untrusted("gpt-4o"))]
        (line,) = ("".join(text for text, _ in line) for line in panel.content(width, 10))
    assert line[2:].startswith("gpt-4o day")


@pytest.mark.parametrize(
    ("width", "shown"),
    [(36, "producti…s-eu day"), (56, "production-reviewers-eu day"), (80, "production-reviewers-eu day")],
)
async def test_a_name_has_what_room_there_is_before_the_bar(app: SpendtopApp, width: int, shown: str) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        panel = app.screen.query_one(LimitsPanel)
        await until(pilot, lambda: panel.uses)
        assert panel.uses
        limit = Limit(name="users", window=parse_window("day"), amount=Usd.of(1), each=Each.USER)
        name = Untrusted("production-reviewers-eu")
        panel.uses = [replace(panel.uses[0], limit=limit, entity=name, name=name)]
        (line,) = ("".join(text for text, _ in line) for line in panel.content(width, 10))
    assert line[2:].startswith(shown) and "%" in line and len(line) == width


async def test_what_cost_nothing_is_told_from_what_nobody_can_price(app: SpendtopApp) -> None:
    """As on every other face: unknown where the cost of no request is known, and zero where that of one is zero."""
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        panel = app.screen.query_one("#users", TopPanel)
        free, unknown = Spend(3, ZERO, 1, 0, 10, 10), Spend(2, ZERO, 2, 0, 10, 10)
        rows = (KeySpend(Untrusted("free"), free), KeySpend(Untrusted("unknown"), unknown))
        panel.breakdown = Breakdown(rows=rows, others=Spend.nothing(), other_keys=0)
        lines = ["".join(text for text, _ in line) for line in panel.content(60, 10)]
        tiny = Spend(1, Usd(87_000), 0, 0, 10, 10)
        panel.breakdown = Breakdown((KeySpend(Untrusted("somebody-with-a-name"), tiny),), Spend.nothing(), 0)
        (narrow,) = ("".join(text for text, _ in line) for line in panel.content(22, 10))
        panel.breakdown = Breakdown((KeySpend(Untrusted("somebody-with-a-name"), unknown),), Spend.nothing(), 0)
        (unpriced,) = ("".join(text for text, _ in line) for line in panel.content(22, 10))
        many = tuple(KeySpend(Untrusted(f"user-{n}"), Spend(2, Usd.of(3), 1, 0, 10, 10)) for n in range(12))
        panel.breakdown = Breakdown(many, Spend.nothing(), 0)
        rest = ["".join(text for text, _ in line) for line in panel.content(22, 3)][-1]
        models = app.screen.query_one("#models", TopPanel)
        of = (KeySpend(Untrusted(f"claude-{name}-5-5"), Spend(1, Usd.of(3), 0, 0, 1, 1)) for name in ("opus", "sonnet"))
        models.breakdown = Breakdown(tuple(of), Spend.nothing(), 0)
        apart = ["".join(text for text, _ in line).split()[0] for line in models.content(22, 3)]
    assert apart == ["opus-5-5", "sonnet-5-5"]
    assert rest.split() == ["+10", "+10?", "$30.00", "83%"]
    assert unpriced.split() == ["some…name", "2?", "-"]
    assert narrow == "som…me $0.000087  100%"
    assert lines[0].split()[:3] == ["free", "+1?", "$0.00"]
    assert lines[1].split()[:4] == ["unknown", "2", "unpriced", "-"]


async def test_a_pane_has_the_keys_at_once(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(pilot)
        screen = app.live_screen
        assert screen is not None
        await until(pilot, lambda: len(screen.panes) > 3)
        panes = screen.panes
        for place in (1, 2, 3):
            screen.action_pane(1)
            assert (screen.pane, screen.focused) == (panes[place], panes[place])
