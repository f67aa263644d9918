"""Why the cost is another one than before, in one line: the causes that made the largest differences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.measures import COST
from spendtop.domain.money import Usd
from spendtop.domain.spend_change import Cause
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Canvas, Line, Piece, length

if TYPE_CHECKING:
    from spendtop.tui.breakdown.questions import BreakdownFigures

WORDS = {
    Cause.VOLUME: ("volume", "more or fewer requests, as they were"),
    Cause.MIX: ("mix", "requests went to other models"),
    Cause.PROMPT: ("prompts", "longer or shorter prompts"),
    Cause.CACHE: ("cache", "more or less came from caches"),
    Cause.OUTPUT: ("output", "longer or shorter answers"),
    Cause.PRICE: ("price", "the same tokens at other prices"),
    Cause.NEW: ("new", "models that were not used before"),
    Cause.GONE: ("gone", "models that are not used any more"),
}
"""Each cause in a word and in several."""


class ChangeLine(Canvas):
    """Blank where nothing is compared, or something else than the cost is measured."""

    def __init__(self) -> None:
        super().__init__(id="change-line")
        self._figures: BreakdownFigures | None = None

    def take(self, figures: BreakdownFigures) -> None:
        self._figures = figures
        self.redraw()

    def forget(self) -> None:
        self._figures = None
        self.redraw()

    def draw(self, width: int, height: int) -> Iterable[Line]:
        figures, palette, glyphs = self._figures, self.palette, self.glyphs
        if figures is None or figures.view.measure is not COST:
            return []
        if figures.change is None:
            is_compared = figures.times.earlier is not None
            return [[(f" what changed {glyphs.wait}", palette.faint)]] if is_compared else []
        unpriced = figures.grid.total.whole.missing if figures.grid is not None else 0
        rest: list[Piece] = [(f"  +{formats.count(unpriced)}? not in it", palette.unknown)] if unpriced else []
        return [change_words(figures.change.total, figures.change.largest_first, rest, width, palette, glyphs)]


def change_words(
    total: Usd, causes: list[tuple[Cause, Usd]], rest: list[Piece], width: int, palette: Palette, glyphs: Glyphs
) -> Line:
    """`+$1.03 = volume +$0.70 · mix +$0.41 · 2 more -$0.08`: the largest first, and what has no room in one sum."""
    if not causes:
        return [(" no change", palette.muted), *rest]
    for shown in range(len(causes), 0, -1):
        others = sum((amount for _, amount in causes[shown:]), Usd(0))
        named = [(WORDS[cause][0], amount) for cause, amount in causes[:shown]]
        if shown < len(causes):
            named.append((f"{len(causes) - shown} more", others))
        line: list[Piece] = [(" ", palette.text), (signed(total), _style(total, palette)), (" = ", palette.muted)]
        for number, (word, amount) in enumerate(named):
            line += [
                (f" {glyphs.between} " if number else "", palette.faint),
                (f"{word} ", palette.text),
                (signed(amount), _style(amount, palette)),
            ]
        if length(line) + length(rest) <= width:
            return [*line, *rest]
        if length(line) <= width and shown == 1:
            return line
    return [(" ", palette.text), (signed(total), _style(total, palette))]


def signed(amount: Usd) -> str:
    """With its sign: `+$0.70`, `-$0.08`."""
    return f"+{amount}" if amount.nano > 0 else str(amount)


def _style(amount: Usd, palette: Palette) -> Style:
    return palette.warn if amount.nano > 0 else palette.good
