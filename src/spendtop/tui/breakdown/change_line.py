"""Why the cost is another one than before: of all in one line, of the row under the cursor in another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from spendtop.domain.breakdown.measures import COST
from spendtop.domain.breakdown.spend_change import Cause, SpendChange
from spendtop.domain.money import Usd
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Canvas, Line, Piece, fit_middle, length

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

_NAME = 16


class ChangeLine(Canvas):
    """Blank where nothing is compared, or something else than the cost is measured."""

    def __init__(self) -> None:
        super().__init__(id="change-line")
        self._figures: BreakdownFigures | None = None
        self._row: tuple[str, SpendChange] | None = None

    def take(self, figures: BreakdownFigures) -> None:
        self._figures = figures
        self.redraw()

    def forget(self) -> None:
        self._figures = self._row = None
        self.redraw()

    def take_row(self, name: str, change: SpendChange | None) -> None:
        """Why the row under the cursor changed; None where that is not known."""
        self._row = None if change is None else (name, change)
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
        when: Piece = (" so far" if figures.is_partial else " all", palette.muted)
        lines = [[when, *_words(figures.change, rest, width - length([when]), palette, glyphs)]]
        if self._row is not None:
            name, change = self._row
            who: Piece = (f" {fit_middle(name, min(cell_len(name), _NAME), glyphs.cut)}", palette.who)
            lines.append([who, *_words(change, [], width - length([who]), palette, glyphs)])
        return lines


def _words(change: SpendChange, rest: list[Piece], width: int, palette: Palette, glyphs: Glyphs) -> Line:
    return change_words(change.total, change.largest_first, rest, width, palette, glyphs)


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
