"""Who and what spends most: one line per key, the largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from spendtop.domain.money import ZERO, Usd
from spendtop.tui import formats
from spendtop.tui.overview.limit_gauges import gauge
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right

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
        lines = [(str(row.key) or self.nobody, row.spend, named) for row in shown]
        if keys > len(shown):
            others = sum((row.spend for row in found.rows[len(shown) :]), found.others)
            lines.append((f"+{keys - len(shown)} more", others, palette.muted))
        money = max(len(str(spent.cost)) for _, spent, _ in lines) + 1
        return [self._line(name, spent, everything, style, width, money) for name, spent, style in lines]

    def _line(self, name: str, spent: Spend, everything: Usd, style: Style, width: int, money: int) -> list[Piece]:
        palette = self.palette
        bar = min(width - 36, 20) if width >= 42 else 0
        calls = 6 if width >= 44 else 0
        named = width - money - 5 - (bar + 1 if bar else 0) - calls
        unpriced = f" +{formats.count(spent.unpriced)}?" if spent.unpriced else ""
        shown = fit(formats.model(name, named - len(unpriced)), named - len(unpriced))
        if unpriced:
            shown = shown.rstrip()
        share = spent.cost.share_of(everything) or 0.0
        only_unpriced = spent.cost == ZERO and spent.unpriced
        pieces: list[Piece] = [
            (shown, style),
            (fit(unpriced, named - cell_len(shown)), palette.unknown),
            (fit_right("-" if only_unpriced else str(spent.cost), money), palette.money),
            (fit_right(formats.percent(share), 5), palette.muted),
        ]
        if bar:
            pieces.append((" ", palette.text))
            pieces += gauge(share, bar, palette.bar, palette.bad, palette.rest, self.glyphs)
        if calls:
            pieces.append((fit_right(formats.count(spent.requests), calls), palette.faint))
        return pieces
