"""What happened around the sources: refusals by hour and reason, events set aside, gaps that polls filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spendtop.domain.clock import HOUR
from spendtop.domain.money import ZERO
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel

if TYPE_CHECKING:
    from spendtop.store.reads.attention import QuarantineRow
    from spendtop.store.reads.completeness import GapRow
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


_GAPS_SHOWN = 3


class SourceEvents(Panel):
    """The newest first."""

    def __init__(self) -> None:
        super().__init__(id="source-events")
        self.refusals: tuple[Refusal, ...] = ()
        self.set_aside: tuple[QuarantineRow, ...] = ()
        self.gaps: tuple[GapRow, ...] = ()
        self.calendar = Calendar()

    @property
    def title_line(self) -> Line:
        return [("Events", self.palette.title), (" refused in 24 h, set aside, gaps", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        events = [*map(self._refusal, self.refusals), *map(self._aside, self.set_aside)]
        events += map(self._gap, self.gaps[:_GAPS_SHOWN])
        if older := self.gaps[_GAPS_SHOWN:]:
            events.append(self._older_gaps(older))
        lines = [line for _, line in sorted(events, key=lambda event: -event[0])]
        if not lines:
            return [[("nothing refused, nothing that was not understood, no gaps, no test events", self.palette.faint)]]
        if len(lines) > height:
            left = len(lines) - height + 1
            return [*lines[: height - 1], [(f"+{left} older", self.palette.faint)]]
        return lines

    def _gap(self, gap: GapRow) -> tuple[int, Line]:
        palette = self.palette
        begin, end = self._day(gap.since), self._day(gap.until)
        day = begin.removesuffix(formats.minute(gap.since, self.calendar))
        when = begin if begin == end else f"{begin}-{end.removeprefix(day)}"
        words = f"gap {when} found by poll: {formats.requests(gap.requests)}, {formats.cents(gap.cost)} back-filled"
        return self._filled(gap.found_at, [(words, palette.text)])

    def _older_gaps(self, gaps: Sequence[GapRow]) -> tuple[int, Line]:
        requests, cost = sum(gap.requests for gap in gaps), sum((gap.cost for gap in gaps), ZERO)
        many = "an earlier gap" if len(gaps) == 1 else f"{len(gaps)} earlier gaps"
        words = f"{many} of these days: {formats.requests(requests)}, {formats.cents(cost)} back-filled"
        return self._filled(gaps[0].found_at, [(words, self.palette.muted)])

    def _filled(self, found_at: int, words: Line) -> tuple[int, Line]:
        return found_at, [(self._moment(found_at), self.palette.muted), (" ok ", self.palette.good), *words]

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
        return event.received_at, [
            (self._moment(event.received_at), palette.muted),
            (sign, style),
            (words, palette.text),
        ]

    def _moment(self, at: int) -> str:
        """To the second, as wide as a span of hours."""
        day = self._day(at).removesuffix(formats.minute(at, self.calendar))
        return f"{day}{formats.clock(at, self.calendar)[:8]}".ljust(11) + " "

    def _day(self, at: int) -> str:
        """Time of day, with the day where it is another one."""
        today = self.calendar.local(self.face.session.clock()).date()
        if self.calendar.local(at).date() == today:
            return formats.minute(at, self.calendar)
        return formats.day_clock(at, self.calendar)[:-3]
