"""What stands around the table of sources: the process that listens with the store that it keeps, and what happened."""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.clock import HOUR
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.counted import counted
from spendtop.domain.money import ZERO
from spendtop.domain.pricing.list_version import age
from spendtop.domain.sight import Standing, StandingWord
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit

if TYPE_CHECKING:
    from spendtop.store.reads.configuration.applied import Applied
    from spendtop.store.reads.price_list import PriceListState
    from spendtop.store.reads.sources.completeness import GapRow
    from spendtop.store.reads.sources.quarantine import QuarantineRow
    from spendtop.store.reads.sources.remarks import SourceRemark
    from spendtop.store.reads.sources.sources import Refusal, StoreSize
    from spendtop.tui.headline import Headline
    from spendtop.tui.session import AttachedCollector
    from spendtop.tui.widgets.plan_lines import PlanStanding

_LABEL = 10
_SHORT = 2
_EDGE = "  "
"""Before lines without a frame, so that they begin where those in frames do."""
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
    **{reason.value: reason.words for reason in RefusalReason},
}
"""The listener's reasons in words."""
_GAPS_SHOWN = 3


class SourceFacts(Panel):
    """One fact per line; in two lines those of the store and of its prices alone."""

    def __init__(self) -> None:
        super().__init__(id="source-facts")
        self.headline: Headline | None = None
        self.size_on_disk: StoreSize | None = None
        self.price_list: PriceListState | None = None
        self.plans: PlanStanding | None = None
        """What providers say of the windows of their plans."""
        self.collector: AttachedCollector | None = None
        self.standing = Standing(word=StandingWord.OPENING)
        self.since = ""
        """Since when it stands so."""

    @property
    def title_line(self) -> Line:
        return [("Collector", self.palette.title), (" & store", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        headline, size = self.headline, self.size_on_disk
        if headline is None or size is None:
            return self.unread
        calendar = headline.calendar
        if height <= _SHORT:
            room = width - len(_EDGE)
            lines = [self._short(headline, size, calendar, room), self._short_prices(room)]
            return [[(_EDGE, self.palette.text), *line] for line in lines[:height]]
        lines = self._process(headline.applied, calendar)
        log = "" if size.log is None else f", wal {formats.size(size.log)}"
        lines.append(self._fact("store", f"{formats.size(size.data)}{log}"))
        lines.append(self._fact("holds", counted(headline.recorded, "counted request", write=formats.grouped)))
        lines.append(self._fact("bodies", self._bodies(size, calendar)))
        plans = [] if self.plans is None else self.plans.lines(width, height, self.palette, self.glyphs)
        return [*lines, *plans, *self._waiting(headline), *self._prices(width)]

    def _short(self, headline: Headline, size: StoreSize, calendar: Calendar, width: int) -> Line:
        log = "" if size.log is None else f" wal {formats.size(size.log)}"
        parts = [
            f"store {formats.size(size.data)}{log}",
            formats.requests(headline.recorded),
            f"bodies {self._bodies(size, calendar)}",
        ]
        if headline.applied is not None and self.collector is not None and (up := self._uptime(headline.applied)):
            parts.append(f"up {up}")
        return [(_whole(parts, f" {self.glyphs.between} ", width), self.palette.muted)]

    def _short_prices(self, width: int) -> Line:
        if self.price_list is None:
            return []
        return self._fact("prices", _whole(self._list_words(self.price_list).split(", "), ", ", width - _LABEL))

    def _process(self, applied: Applied | None, calendar: Calendar) -> list[Line]:
        palette = self.palette
        if applied is None or self.collector is None:
            return [self._state()]
        process = applied.collector
        doors = applied.doors
        signed: tuple[str, Style] = ("signed ones only", palette.good)
        if doors.unsigned:
            signed = ("! UNSIGNED too (allow_unsigned)", palette.bad)
        elif not doors.webhook_secret:
            signed = ("off: no secret", palette.muted)
        watching = self.collector.other_viewers
        return [
            self._state(),
            self._fact("listens", clean_line(process.url.removeprefix("http://").rstrip("/"), 60)),
            *([self._fact("tunnel", clean_line(process.public_url, 60))] if process.public_url else []),
            self._fact("webhooks", *signed),
            self._fact("pushes", "with an ingest key" if doors.ingest_keys else "off: no ingest key"),
            self._fact(
                "process", f"{process.pid} on {clean_name(process.host, 30)}, v{clean_line(process.version, 20)}"
            ),
            self._fact(
                "up",
                f"{self._uptime(applied) or 'not yet'}, since {formats.day_clock(process.started_at, calendar)[:-3]}",
            ),
            self._fact("viewers", ", ".join(("this one", *watching))),
        ]

    def _state(self) -> Line:
        since = f" since {self.since}" if self.since else ""
        style = self.palette.bad if self.standing.is_amiss else self.palette.text
        return self._fact("state", f"{self.standing.word}{since}", style)

    def _prices(self, width: int) -> list[Line]:
        if self.price_list is None:
            return []
        pieces = textwrap.wrap(self._list_words(self.price_list), max(width - _LABEL, _LABEL))
        style = self.palette.warn if self.price_list.is_old(self.face.session.clock()) else None
        return [self._fact("" if number else "prices", piece, style) for number, piece in enumerate(pieces)]

    def _list_words(self, state: PriceListState) -> str:
        return f"{state.version.name}, {age(state.version, self.face.session.clock())}"

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
        """Empty before it started."""
        up = self.face.session.clock() - applied.collector.started_at
        return formats.span(up) if up >= 0 else ""

    def _bodies(self, size: StoreSize, calendar: Calendar) -> str:
        return "none" if size.bodies_since is None else f"since {calendar.local(size.bodies_since):%Y-%m-%d}"

    def _fact(self, label: str, words: str, style: Style | None = None) -> Line:
        value: Piece = (words, style or self.palette.text)
        return [(fit(label, _LABEL), self.palette.muted), value]


def _whole(parts: Sequence[str], joint: str, width: int) -> str:
    """As many of the first parts as there is room for, none of them cut."""
    line, *more = parts
    for part in more:
        if len(line) + len(joint) + len(part) > width:
            break
        line += joint + part
    return line


class SourceEvents(Panel):
    """The newest first."""

    def __init__(self) -> None:
        super().__init__(id="source-events")
        self.refusals: tuple[Refusal, ...] = ()
        self.set_aside: tuple[QuarantineRow, ...] = ()
        self.gaps: tuple[GapRow, ...] = ()
        self.remarks: tuple[SourceRemark, ...] = ()
        self.price_list: PriceListState | None = None
        self.calendar = Calendar()
        self.conditions: tuple[Condition, ...] = ()
        """What is amiss with the collector now."""

    @property
    def title_line(self) -> Line:
        return [("Events", self.palette.title), (" refused in 24 h, not read, set aside, gaps", self.palette.muted)]

    def of_source(self, name: str) -> list[Line]:
        """What one source sent in vain, and what was not read of it, the newest first."""
        events = [self._refusal(each) for each in self.refusals if each.source == name]
        events += [self._remark(each) for each in self.remarks if each.source == name]
        if name == HELICONE_API.name:
            events += map(self._gap, self.gaps)
        return [line for _, line in sorted(events, key=lambda event: -event[0])]

    def content(self, width: int, height: int) -> list[Line]:
        events = [*map(self._refusal, self.refusals), *map(self._aside, self.set_aside)]
        events += map(self._gap, self.gaps[:_GAPS_SHOWN])
        events += map(self._remark, self.remarks)
        if self.price_list is not None and self.price_list.problem is not None:
            events.append(self._refused_list(self.price_list.at, self.price_list.problem))
        if older := self.gaps[_GAPS_SHOWN:]:
            events.append(self._older_gaps(older))
        amiss = [self._amiss(condition, width) for condition in self.conditions]
        if self.is_unread:
            return [*chain(*amiss), *self.unread]
        told = [*amiss, *([line] for _, line in sorted(events, key=lambda event: -event[0]))]
        if not told:
            return [[("nothing refused, nothing that was not understood, no gaps, no test events", self.palette.faint)]]
        if sum(map(len, told)) <= height:
            return [*chain(*told)]
        return self._newest(told, height)

    def _newest(self, told: Sequence[list[Line]], height: int) -> list[Line]:
        """As many whole events as there is room for, and how many are left; of the first one all of it that fits."""
        ends = [*accumulate(map(len, told))]
        shown = max(bisect_right(ends, height - 1), 1)
        left: Line = [(f"+{len(told) - shown} older", self.palette.faint)]
        if len(told) == shown:
            return self._begun(told[0], height)
        return [*self._begun([*chain(*told[:shown])], height - 1), left]

    def _begun(self, lines: list[Line], height: int) -> list[Line]:
        if height <= 0 or len(lines) <= height:
            return lines[: max(height, 0)]
        return [*lines[: height - 1], [*lines[height - 1], (self.glyphs.cut, self.palette.muted)]]

    def _amiss(self, condition: Condition, width: int) -> list[Line]:
        """The whole sentence, on as many lines as it needs."""
        palette = self.palette
        style = palette.bad if condition.status is ConditionStatus.DOWN else palette.warn
        when = f"{self._moment(condition.since)} "
        taken = " " * len(when)
        first, *more = textwrap.wrap(clean_line(condition.sentence), max(width - 5, _LABEL), initial_indent=taken)
        return [
            [(when, palette.muted), ("!!  ", style), (first.removeprefix(taken), palette.text)],
            *([("    ", palette.muted), (line, palette.text)] for line in more),
        ]

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

    def _refused_list(self, at: int, problem: str) -> tuple[int, Line]:
        palette = self.palette
        return at, [
            (self._moment(at), palette.muted),
            (" !! ", palette.bad),
            (f"prices: {clean_line(problem)}", palette.text),
        ]

    def _refusal(self, refusal: Refusal) -> tuple[int, Line]:
        palette = self.palette
        reason, _, token = refusal.reason.raw.removeprefix("ingest_").partition("/")
        words = _REASONS.get(reason, clean_line(reason).replace("_", " "))
        if token:
            words += f" ({clean_name(token, 40)})"
        until = formats.minute(refusal.hour + HOUR, self.calendar)
        return refusal.hour + HOUR - 1, [
            (f"{self._day(refusal.hour)}-{until} ", palette.muted),
            (" !  ", palette.warn),
            (f"{refusal.source} refused {formats.grouped(refusal.count)}: {words}", palette.text),
        ]

    def _remark(self, remark: SourceRemark) -> tuple[int, Line]:
        palette = self.palette
        return remark.at, [
            (self._moment(remark.at), palette.muted),
            (" !  ", palette.warn) if remark.is_loss else ("    ", palette.muted),
            (f"{clean_name(remark.source, 40)}: {remark.words}", palette.text),
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
