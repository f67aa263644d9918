"""The alert under the cursor: how it stands, who or what drove it, and what went out about it to which channel."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.alerting.episode import AlertStage
from spendtop.domain.clock import MINUTE
from spendtop.domain.cost_words import use_words
from spendtop.domain.money import ZERO, Usd, side_by_side
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.alerts import words
from spendtop.tui.widgets.canvas import Line, Panel, fit, fit_middle

if TYPE_CHECKING:
    from spendtop.store.reads.alerts.attention import AlertRow, DeliveryRow
    from spendtop.tui.alerts.questions import AlertDetail

_LABEL = 12
_CHANNEL = 12
_NEWS_FOR = 2 * MINUTE
"""How long a test of the channels stands above all else, in µs."""


class AlertDetailPanel(Panel):
    """The most important lines first, as many as there is room for."""

    can_focus = True

    def __init__(self) -> None:
        super().__init__(id="alert-detail")
        self.detail: AlertDetail | None = None
        self.channels: tuple[str, ...] = ()
        """The names of those that are configured."""
        self.tests: tuple[DeliveryRow, ...] = ()
        """How the last test of each channel went."""
        self.calendar = Calendar()
        self.now = 0

    @property
    def title_line(self) -> Line:
        if self.detail is None:
            return [("Alert", self.palette.title)]
        row, now = self.detail.row, self.detail.used_now
        about = words.what(row, None if now is None else now.used, max(self.size.width - 16, 12)).strip()
        return [(f"#{row.id} ", self.palette.muted), (about, self.palette.title)]

    def content(self, width: int, height: int) -> list[Line]:
        if self.is_unread:
            return self.unread
        tests = list(self._of_tests(width))
        is_news = any(self.now - each.created_at < _NEWS_FOR for each in self.tests)
        lines = [*(tests if is_news else ()), *self._of_alert(width), *(() if is_news else tests)]
        if not lines:
            return [[("nothing is selected", self.palette.faint)]]
        if len(lines) > height:
            left = len(lines) - height + 1
            return [*lines[: height - 1], [(f"+{left} lines: - shows them", self.palette.faint)]]
        return lines

    def _of_alert(self, width: int) -> Iterator[Line]:
        detail = self.detail
        if detail is None:
            return
        row = detail.row
        stage = row.stage(self.now)
        yield self._fact("state", self._stage(row, stage))
        yield from self._amounts(detail)
        yield from self._said(detail, width)
        yield from self._wrapped("why", detail.evidence or "", width)
        if not detail.deliveries:
            yield from self._wrapped("told", words.nobody_told(row), width)
        for delivery in reversed(detail.deliveries):
            yield from self._delivery(delivery, delivery.kind, width)
        for number, deed in enumerate(reversed(detail.deeds)):
            until = "" if deed.until is None else f" until {self._moment(deed.until)}"
            did = f"{self._moment(deed.at)} {deed.words}{until} by {clean_name(deed.by.raw or 'somebody', 24)}"
            yield self._fact("" if number else "done", did)
        yield from self._wrapped("most of", self._drivers(detail), width)
        yield from self._wrapped("again", words.again_in_full(row, stage, detail.limit, self.calendar), width)
        yield self._fact("since", self._since(row), self.palette.muted)

    def _stage(self, row: AlertRow, stage: AlertStage) -> str:
        match stage:
            case AlertStage.ACKED if row.acked_at is not None:
                by = clean_name(row.acked_by or "somebody", 24)
                return f"{words.condition(row)}, taken on by {by} at {self._moment(row.acked_at)}"
            case AlertStage.SNOOZED if row.snoozed_until is not None:
                by = clean_name(row.snoozed_by or "somebody", 24)
                return f"{words.condition(row)}, snoozed by {by} until {self._moment(row.snoozed_until)}"
            case AlertStage.SILENCED if row.silence is not None:
                text, until = clean_line(row.silence.text, 40), self._moment(row.silence.until)
                return f"{words.condition(row)}, silence {row.silence.id} ({text}) until {until}"
            case AlertStage.RESOLVED if row.resolved_at is not None:
                return f"resolved at {self._moment(row.resolved_at)}"
        return f"{words.condition(row)}; nobody takes care of it"

    def _amounts(self, detail: AlertDetail) -> Iterator[Line]:
        row, now = detail.row, detail.used_now
        if row.kind == "loop":
            yield self._fact("cost", str(row.used if now is None else now.used), self.palette.money)
            return
        if row.kind == "balance":
            left, least = side_by_side(row.used if now is None else now.used, row.limit)
            yield self._fact("left", f"{left}, less than {least}")
            return
        if now is not None and row.kind == "limit" and row.limit > ZERO:
            used = use_words(now.used, now.unpriced, row.limit, row.measure)
            yield self._fact("used", used, self.palette.value(row.measure))

    def _said(self, detail: AlertDetail, width: int) -> Iterator[Line]:
        """What it said, the newest first; of one about which no more is known, the amount that it keeps."""
        row = detail.row
        for number, said in enumerate(reversed(detail.announcements)):
            yield from self._wrapped("" if number else "said", f"{self._moment(said.at)} {said.words}", width)
        if detail.announcements:
            return
        if row.kind == "anomaly":
            yield self._fact("said", row.unusual_words)
        if row.kind == "limit" and row.limit > ZERO:
            yield self._fact("said", use_words(row.used, row.unpriced, row.limit, row.measure))

    def _drivers(self, detail: AlertDetail) -> str:
        """Who and what spent most of it: `user alice $9.10 · model o3 $8.20`."""
        costs = side_by_side(*(Usd(nano) for *_, nano in detail.drivers))
        named = (
            f"{dimension} {clean_name(key, 40) or '(none)'} {detail.row.measure.sign}{cost}"
            for (dimension, key, _), cost in zip(detail.drivers, costs, strict=True)
        )
        return f" {self.glyphs.between} ".join(named)

    def _of_tests(self, width: int) -> Iterator[Line]:
        tests = {delivery.channel: delivery for delivery in self.tests}
        newest = (channel for channel, delivery in tests.items() if self.now - delivery.created_at < _NEWS_FOR)
        for channel in dict.fromkeys([*self.channels, *newest]):
            if channel in tests:
                yield from self._delivery(tests[channel], "test", width)
            else:
                yield [*self._to("test", channel), ("never tested; T sends a test", self.palette.muted)]

    def _delivery(self, delivery: DeliveryRow, kind: str, width: int) -> Iterator[Line]:
        """To whom, what, and what came of it."""
        outcome, style = self._outcome(delivery)
        room = max(width - _LABEL - _CHANNEL - 1, _LABEL)
        first, *more = textwrap.wrap(outcome, room) or [""]
        yield [*self._to(kind, delivery.channel), (first, style)]
        for line in more:
            yield [(" " * (_LABEL + _CHANNEL + 1), style), (line, style)]

    def _to(self, kind: str, channel: str) -> Line:
        name = fit_middle(clean_line(channel), _CHANNEL, self.glyphs.cut)
        return [(fit(kind, _LABEL - 1, self.glyphs.cut) + " ", self.palette.muted), (f"{name} ", self.palette.text)]

    def _outcome(self, delivery: DeliveryRow) -> tuple[str, Style]:
        palette, took = self.palette, ""
        if delivery.took_ms is not None:
            took = f" ({delivery.took_ms / 1000:.1f} s)"
        why = f": {delivery.last_error}" if delivery.last_error else ""
        tries = f"failed {delivery.attempts}x" if delivery.attempts > 1 else "failed"
        match delivery.state:
            case "sent" if delivery.sent_at is not None:
                return f"sent {self._moment(delivery.sent_at, seconds=True)}{took}", palette.good
            case "dead":
                return f"dead{why}; R sends it again", palette.bad
            case "sending":
                return "being sent", palette.text
            case "superseded":
                return "left out: a later message says more", palette.muted
        if delivery.attempts:
            return f"{tries}{why}, next try {self._moment(delivery.next_at, seconds=True)}", palette.warn
        return f"waits, due {self._moment(delivery.next_at, seconds=True)}", palette.warn

    def _since(self, row: AlertRow) -> str:
        late = ", found late" if row.late else ""
        window = ""
        if row.window_end is not None and row.kind == "limit":
            window = f", window {self._moment(row.window_start)} to {self._moment(row.window_end)}"
        return f"{self._moment(row.crossed_at)}{late}{window}"

    def _wrapped(self, label: str, text: str, width: int) -> Iterator[Line]:
        for number, line in enumerate(textwrap.wrap(text, max(width - _LABEL, _LABEL))):
            yield self._fact("" if number else label, line)

    def _moment(self, at: int, seconds: bool = False) -> str:
        moment = formats.moment(at, self.now, self.calendar)
        return f"{moment}:{self.calendar.local(at):%S}" if seconds else moment

    def _fact(self, label: str, text: str, style: Style | None = None) -> Line:
        return [(fit(label, _LABEL), self.palette.muted), (text, style or self.palette.text)]
