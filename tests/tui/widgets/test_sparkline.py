"""Trends in few cells."""

from __future__ import annotations

from spendtop.tui.glyphs import UNICODE
from spendtop.tui.widgets.sparkline import spark


def test_a_trend_keeps_its_peaks_and_nothing_is_blank() -> None:
    assert spark((0, 1, 0, 8, 0, 0, 0, 4), 4, UNICODE) == "▂█ ▅"
    assert spark((1, 2), 6, UNICODE) == "▅█"
    assert spark((0, 0), 6, UNICODE) == spark((), 6, UNICODE) == ""
