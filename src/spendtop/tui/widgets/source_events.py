"""What happened around the sources that is in no total: refusals by hour and reason, events set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import HOUR
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel

if TYPE_CHECKING:
    from spendtop.store.reads.attention import QuarantineRow
    from spendtop.store.reads.sources import Refusal

_REASONS = {
    "bad_auth": "wrong or missing key or signature",
    "bad_token": "unknown or disabled tracking token",
    "not_json": "not JSON",
    "too_large": "too large",
    "invalid": "fields that cannot be used",
    "conflict": "the same id with other content",
    "not_stored": "the store could not be written",
    "rate_limited": "over the rate limit",
    "foreign_origin": "from a web page of a foreign origin",
}
"""The listener's reasons in words."""


class SourceEvents(Panel):
    """The newest first."""

    def __init__(self) -> None:
        super().__init__(id="source-events")
        self.refusals: tuple[Refusal, ...] = ()
        self.set_aside: tuple[QuarantineRow, ...] = ()
        self.calendar = Calendar()

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Events", self.palette.title), (" refused in 24 h, set aside", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """As many as fit."""
        events = [*map(self._refusal, self.refusals), *map(self._aside, self.set_aside)]
        lines = [line for _, line in sorted(events, key=lambda event: -event[0])]
        if not lines:
            return [[("nothing refused, nothing that was not understood, no test events", self.palette.faint)]]
        if len(lines) > height:
            left = len(lines) - height + 1
            return [*lines[: height - 1], [(f"+{left} older", self.palette.faint)]]
        return lines

    def _refusal(self, refusal: Refusal) -> tuple[int, Line]:
        palette = self.palette
        reason = refusal.reason.raw.removeprefix("ingest_")
        words = _REASONS.get(reason, str(refusal.reason).replace("_", " "))
        until = formats.minute(refusal.hour + HOUR, self.calendar)
        return refusal.hour + HOUR - 1, [
            (f"{self._day(refusal.hour)}-{until} ", palette.muted),
            (" !  ", palette.warn),
            (f"{refusal.source} refused {formats.grouped(refusal.count)}: {words}", palette.text),
        ]

    def _aside(self, event: QuarantineRow) -> tuple[int, Line]:
        palette, size = self.palette, formats.size(event.size)
        if event.kind == "test":
            sign, style, words = " T  ", palette.test, f"test event from {event.source}, not counted"
        elif event.state == "open":
            sign, style, words = " !! ", palette.bad, f"{event.source} not understood: {event.reason} ({size})"
        else:
            sign, style, words = " ok ", palette.good, f"{event.source} understood after all: {event.reason}"
        when = formats.clock(event.received_at, self.calendar)[:8]
        day = self._day(event.received_at).removesuffix(formats.minute(event.received_at, self.calendar))
        return event.received_at, [
            (f"{day}{when}".ljust(11) + " ", palette.muted),
            (sign, style),
            (words, palette.text),
        ]

    def _day(self, at: int) -> str:
        """Time of day, with the day where it is another one."""
        today = self.calendar.local(self.face.session.clock()).date()
        if self.calendar.local(at).date() == today:
            return formats.minute(at, self.calendar)
        return formats.day_clock(at, self.calendar)[:-3]
