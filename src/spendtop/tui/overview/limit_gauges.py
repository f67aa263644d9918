"""Limits with their use: a gauge that also shows what lies beyond 100 %."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.limits import LimitState
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right

if TYPE_CHECKING:
    from spendtop.store.reads.limits import LimitUse

_SIGNS = {LimitState.OK: " ", LimitState.APPROACHING: "!", LimitState.EXCEEDED: "X"}


def gauge(fraction: float, width: int, fill: Style, over: Style, rest: Style, glyphs: Glyphs) -> list[Piece]:
    """A bar of `width` cells. Beyond 100 % it is drawn to a smaller scale, with a mark where 100 % is."""
    if fraction <= 1:
        parts = len(glyphs.grows)
        filled = round(max(fraction, 0.0) * width * parts)
        if fraction > 0:
            filled = max(filled, 1)
        whole, part = divmod(filled, parts)
        bar = glyphs.grows[-1] * whole + (glyphs.grows[part - 1] if part else "")
        return [(bar, fill), (glyphs.rest * (width - len(bar)), rest)]
    mark = min(max(round(width / fraction), 1), width - 1)
    full = glyphs.grows[-1]
    return [(full * (mark - 1), fill), (glyphs.mark_100, rest + over), (full * (width - mark), over)]


class LimitsPanel(Panel):
    """The fullest limits."""

    def __init__(self) -> None:
        super().__init__(id="limits")
        self.uses: Sequence[LimitUse] | None = None
        """None until they were read."""
        self.known = False
        """Whether a collector has applied a configuration."""

    @property
    def title_line(self) -> Line:
        """What the order is."""
        return [("Limits", self.palette.title), (" fullest first", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """One line per limit, then how many are not shown."""
        palette = self.palette
        if self.uses is None:
            return []
        if not self.uses:
            said = "none set" if self.known else "known once a collector ran"
            return [[(said, palette.muted)], [("[[limit]] in spendtop.toml", palette.faint)]]
        shown = self.uses if len(self.uses) <= height else self.uses[: height - 1]
        unpriced = max(len(_unpriced(use)) for use in shown)
        lines = [self._line(use, width, unpriced) for use in shown]
        hidden = len(self.uses) - len(shown)
        if hidden:
            lines.append([(f"  +{hidden} more", palette.muted)])
        return lines

    def _line(self, use: LimitUse, width: int, unpriced: int) -> Line:
        """`unpriced` is the width of the longest `+N?`, so that all bars begin at one cell."""
        palette = self.palette
        ok, warn, bad = palette.good, palette.warn, palette.bad
        style = {LimitState.OK: ok, LimitState.APPROACHING: warn, LimitState.EXCEEDED: bad}[use.state]
        fill = {LimitState.OK: palette.bar, LimitState.APPROACHING: warn, LimitState.EXCEEDED: warn}[use.state]
        name = f"{use.entity}" if use.entity else use.limit.name
        window = f" {use.limit.window}" if use.entity else ""
        amounts = f"{formats.short_usd(use.used)}/{formats.short_usd(use.limit.amount)}"
        room = width - 2 - 6
        named = min(max(room * 2 // 5, 10), 20)
        bar_width = room - named - 1
        pieces: list[Piece] = [
            (f"{_SIGNS[use.state]} ", style),
            (fit(name + window, named), palette.text),
            (" ", palette.text),
        ]
        if bar_width >= 20:
            bar_width -= 14
            pieces += [(fit_right(amounts, 13) + " ", palette.muted)]
        if unpriced and bar_width >= 10:
            bar_width -= unpriced + 1
            pieces += [(fit_right(_unpriced(use), unpriced) + " ", palette.unknown)]
        pieces += gauge(use.fraction, max(bar_width, 2), fill, bad, palette.rest, self.glyphs)
        pieces.append((fit_right(formats.percent(use.fraction), 6), style))
        return pieces


def _unpriced(use: LimitUse) -> str:
    return f"+{formats.count(use.unpriced)}?" if use.unpriced else ""
