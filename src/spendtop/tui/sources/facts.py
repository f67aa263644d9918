"""The process that listens, and the store that it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit

if TYPE_CHECKING:
    from spendtop.store.reads.applied_config import Applied
    from spendtop.store.reads.sources import StoreSize
    from spendtop.tui.headline import Headline
    from spendtop.tui.session import RunningCollector

_LABEL = 10


class SourceFacts(Panel):
    """One fact per line; in a single line those of the store alone."""

    def __init__(self) -> None:
        super().__init__(id="source-facts")
        self.headline: Headline | None = None
        self.size_on_disk: StoreSize | None = None
        self.collector: RunningCollector | None = None

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Collector", self.palette.title), (" & store", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """All facts, as many as fit."""
        headline, size = self.headline, self.size_on_disk
        if headline is None or size is None:
            return []
        calendar = headline.calendar
        if height == 1:
            return [self._short(headline, size, calendar)]
        lines = self._process(headline.applied, calendar)
        log = "" if size.log is None else f", wal {formats.size(size.log)}"
        lines.append(self._fact("store", f"{formats.size(size.data)}{log}"))
        lines.append(self._fact("holds", f"{formats.grouped(headline.recorded)} counted requests"))
        lines.append(self._fact("bodies", self._bodies(size, calendar)))
        return [*lines, *self._waiting(headline)]

    def _short(self, headline: Headline, size: StoreSize, calendar: Calendar) -> Line:
        log = "" if size.log is None else f" wal {formats.size(size.log)}"
        parts = [
            f"store {formats.size(size.data)}{log}",
            f"{formats.grouped(headline.recorded)} requests",
            f"bodies {self._bodies(size, calendar)}",
        ]
        if headline.applied is not None:
            parts.append(f"up {self._uptime(headline.applied)}")
        return [(f" {self.glyphs.between} ".join(parts), self.palette.muted)]

    def _process(self, applied: Applied | None, calendar: Calendar) -> list[Line]:
        palette = self.palette
        if applied is None or self.collector is None:
            return [self._fact("collector", "none: start `spendtop --no-ui`", palette.bad)]
        known = applied.collector
        doors = applied.doors
        signed: tuple[str, Style] = ("signed ones only", palette.good)
        if doors.unsigned:
            signed = ("! UNSIGNED too (allow_unsigned)", palette.bad)
        elif not doors.webhook_secret:
            signed = ("off: no secret", palette.muted)
        watching = self.collector.other_viewers
        return [
            self._fact("listens", clean_line(known.url.removeprefix("http://").rstrip("/"), 60)),
            *([self._fact("tunnel", clean_line(known.public_url, 60))] if known.public_url else []),
            self._fact("webhooks", *signed),
            self._fact("pushes", "with an ingest key" if doors.ingest_keys else "off: no ingest key"),
            self._fact("process", f"{known.pid} on {clean_line(known.host, 30)}, v{clean_line(known.version, 20)}"),
            self._fact("up", f"{self._uptime(applied)}, since {formats.day_clock(known.started_at, calendar)[:-3]}"),
            self._fact("viewers", f"this one{f' and {watching} more' if watching else ''}"),
        ]

    def _waiting(self, headline: Headline) -> list[Line]:
        attention, palette = headline.attention, self.palette
        counts: tuple[tuple[int, str, str, Style], ...] = (
            (attention.unrecognized, "!!", "not understood", palette.bad),
            (attention.tests, "T", "test events, not counted", palette.test),
            (attention.dead_deliveries, "!!", "messages undelivered", palette.bad),
            (attention.waiting_deliveries, "..", "messages to be delivered", palette.warn),
        )
        return [
            [(fit(sign, _LABEL), style), (f"{formats.count(number)} {words}", palette.text)]
            for number, sign, words, style in counts
            if number
        ]

    def _uptime(self, applied: Applied) -> str:
        return formats.span(max(self.face.session.clock() - applied.collector.started_at, 0))

    def _bodies(self, size: StoreSize, calendar: Calendar) -> str:
        return "none" if size.bodies_since is None else f"since {calendar.local(size.bodies_since):%Y-%m-%d}"

    def _fact(self, label: str, words: str, style: Style | None = None) -> Line:
        value: Piece = (words, style or self.palette.text)
        return [(fit(label, _LABEL), self.palette.muted), value]
