"""Who and what spends most: one line per key, the largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.money import ZERO, Usd
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right
from spendtop.tui.widgets.limits import gauge

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.spending import Breakdown


class TopPanel(Panel):
    """The largest keys of one dimension, and the rest in one line."""

    def __init__(self, title: str, nobody: str, *, id: str) -> None:
        super().__init__(id=id)
        self.title = title
        self.nobody = nobody
        """What requests that name no key are called."""
        self.breakdown: Breakdown | None = None

    @property
    def title_line(self) -> Line:
        """The dimension and its window."""
        return [(self.title, self.palette.title), (" today", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """The lines that fit."""
        found, palette = self.breakdown, self.palette
        if found is None:
            return []
        if not found.rows:
            return [[("nothing spent yet", palette.faint)]]
        everything = sum((row.spend.cost for row in found.rows), found.others.cost)
        keys = len(found.rows) + found.other_keys
        shown = found.rows if keys <= height else found.rows[: height - 1]
        named = palette.who if self.id == "users" else palette.model
        lines: list[Line] = [
            self._line(str(row.key) or self.nobody, row.spend, everything, named, width) for row in shown
        ]
        if keys > len(shown):
            others = sum((row.spend for row in found.rows[len(shown) :]), found.others)
            lines.append(self._line(f"+{keys - len(shown)} more", others, everything, palette.muted, width))
        return lines

    def _line(self, name: str, spent: Spend, everything: Usd, style: Style, width: int) -> list[Piece]:
        palette = self.palette
        share = spent.cost.share_of(everything) or 0.0
        only_unpriced = spent.cost == ZERO and spent.unpriced
        bar_width = max(0, min(width - 36, 20))
        calls_width = 6 if width >= 44 else 0
        fixed = 10 + 5 + (bar_width + 1 if bar_width else 0) + calls_width
        if only_unpriced:
            word = f"{formats.count(spent.unpriced)} unpriced"
            return [(fit(name, width - fixed), style), (fit_right(word, 14), palette.unknown)]
        pieces: list[Piece] = [
            (fit(name, width - fixed), style),
            (fit_right(str(spent.cost), 10), palette.money),
            (fit_right(formats.percent(share), 5), palette.muted),
        ]
        if spent.unpriced:
            mark = f"+{formats.count(spent.unpriced)}?"
            pieces[0] = (fit(name, width - fixed - len(mark) - 1), style)
            pieces.insert(1, (f" {mark}", palette.unknown))
        if bar_width:
            pieces += [
                (" ", palette.text),
                *gauge(share, bar_width, palette.bar, palette.bad, palette.rest, self.glyphs),
            ]
        if calls_width:
            pieces.append((fit_right(formats.count(spent.requests), calls_width), palette.faint))
        return pieces
