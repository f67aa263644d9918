"""A trend in the cells of one line."""

from __future__ import annotations

from collections.abc import Sequence

from spendtop.tui.glyphs import Glyphs


def spark(trend: Sequence[int], width: int, glyphs: Glyphs) -> str:
    """The trend in at most so many columns, each the most that it stands for; blank where there was nothing."""
    if not trend or width <= 0:
        return ""
    parts = [trend[len(trend) * at // width : len(trend) * (at + 1) // width] for at in range(width)]
    peaks = [max(part) for part in parts if part] if len(trend) > width else list(trend)
    most = max(peaks)
    if most <= 0:
        return ""
    steps = len(glyphs.rises)
    return "".join(glyphs.rises[min(peak * steps // most, steps - 1)] if peak > 0 else " " for peak in peaks)
