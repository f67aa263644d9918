"""Where the figures come from, how fresh they are, and what waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.clock import HOUR
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, fit, fit_right

if TYPE_CHECKING:
    from spendtop.store.reads.overview import Overview

_QUIET = HOUR


class SourcesPanel(Panel):
    """One line per source, the totals, and what needs attention."""

    def __init__(self) -> None:
        super().__init__(id="sources")
        self.overview: Overview | None = None
        self.recording = True
        """Whether a collector hears the sources."""

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Sources", self.palette.title), (" & totals", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """Sources, sums of today, and where there is room what waits (the notice counts that too)."""
        found = self.overview
        if found is None:
            return []
        heard, totals = self._heard(width), self._totals(width)
        room = max(height - len(totals), 1)
        return [*heard[:room], *totals, *self._waiting()]

    def _waiting(self) -> list[Line]:
        assert self.overview is not None
        attention, palette = self.overview.attention, self.palette
        lines: list[Line] = []
        for number, word, sign, style in (
            (attention.unrecognized, "not understood", "!! ", palette.bad),
            (attention.dead_deliveries, "undelivered", "!! ", palette.bad),
            (attention.waiting_deliveries, "to be delivered", ".. ", palette.warn),
            (attention.tests, "tests, not counted", "T  ", palette.test),
        ):
            if number:
                lines.append([(sign, style), (f"{formats.count(number)} {word}", palette.text)])
        return lines

    def _heard(self, width: int) -> list[Line]:
        assert self.overview is not None
        palette, now = self.palette, self.overview.now
        lines: list[Line] = []
        for source in self.overview.sources:
            since = max(now - source.last_at, 0)
            live = self.recording and since < _QUIET
            sign, style = ("OK ", palette.good) if live else ("-- ", palette.muted)
            today = f"{formats.count(source.requests_today)} today"
            ago = formats.age(since)
            counted = 12 if width >= 32 else 0
            lines.append(
                [
                    (sign, style),
                    (fit(source.source, max(width - 3 - counted - 4, 6)), palette.text),
                    (fit_right(today, counted), palette.muted),
                    (fit_right(ago, 4), palette.text if live else palette.muted),
                ]
            )
        return lines or [[("-- ", palette.muted), ("nothing heard yet", palette.faint)]]

    def _totals(self, width: int) -> list[Line]:
        assert self.overview is not None
        palette = self.palette
        today = self.overview.today
        average = today.average
        errors = f"{formats.percent(today.errors / today.requests)}" if today.requests else "-"

        def line(name: str, value: str, style: Style) -> Line:
            return [(fit(name, max(width - 14, 6)), palette.muted), (fit_right(value, min(14, width - 6)), style)]

        return [
            line("requests", formats.grouped(today.requests), palette.text),
            line("average", str(average) if average is not None else formats.UNKNOWN, palette.text),
            line("errors", errors, palette.bad if today.errors else palette.text),
        ]
