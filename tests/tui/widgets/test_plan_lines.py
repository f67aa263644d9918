"""Plans of coding agents in few cells: nothing stands there by halves."""

from __future__ import annotations

import pytest

from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.store.reads.agents.blocks import OpenBlock
from spendtop.tui.glyphs import UNICODE
from spendtop.tui.palette import PLAIN
from spendtop.tui.widgets.plan_lines import PlanStanding

NOW = 100 * HOUR
WINDOW = PlanWindow(agent="codex", minutes=300, used_percent=45.0, resets_at=NOW + HOUR, at=NOW - 12 * MINUTE)
BLOCK = OpenBlock("claude-code", Untrusted("ana"), NOW - 2 * HOUR, 9, 0, Usd.of("1.86"))
STANDING = PlanStanding(NOW, Calendar(), (WINDOW,), (BLOCK,))
ON_TWO_LINES, ON_ONE = 30, 70


@pytest.mark.parametrize(
    ("width", "height", "lines"),
    [(ON_TWO_LINES, 3, 3), (ON_TWO_LINES, 2, 1), (ON_ONE, 2, 2), (ON_ONE, 1, 1), (ON_ONE, 0, 0), (ON_ONE, -1, 0)],
)
def test_a_block_is_there_with_its_figures_or_not_at_all(width: int, height: int, lines: int) -> None:
    drawn = ["".join(text for text, _ in line) for line in STANDING.lines(width, height, PLAIN, UNICODE)]
    assert len(drawn) == lines
    assert ("5h block" in "".join(drawn)) is ("$1.86" in "".join(drawn)) is (len(drawn) > 1)
