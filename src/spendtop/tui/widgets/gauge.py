"""Use as a bar, and the sign of how a limit stands."""

from __future__ import annotations

from rich.style import Style

from spendtop.domain.limits.limit import LimitState
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.widgets.canvas import Piece

SIGNS = {LimitState.OK: " ", LimitState.APPROACHING: "!", LimitState.EXCEEDED: "X"}


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
