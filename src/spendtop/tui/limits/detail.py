"""One limit in full: the curve of its window against the amount, what was said of it, and what drove it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from spendtop.domain.alerting.episode import thresholds
from spendtop.domain.clock import DAY, HOUR, age
from spendtop.domain.limits.forecast import reach_words
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import LimitMeasure
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.percent import exact_percent
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.tui import formats
from spendtop.tui.widgets.axis import nice_ceiling
from spendtop.tui.widgets.canvas import Line, Panel, Piece

if TYPE_CHECKING:
    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.limits.provider_limits import ProviderLimitUse
    from spendtop.store.reads.alerts.attention import AlertRow, DeliveryRow
    from spendtop.store.reads.limits.curves import CurvePoint
    from spendtop.tui.limits.questions import LimitDetail

_CONSEQUENCES = {True: "behind it requests are refused", False: "behind it somebody is told by mail"}
_MEASURES = {
    LimitMeasure.TOLD: "what is used is told by the provider",
    LimitMeasure.BILLED: "what is used is what was billed",
    LimitMeasure.SEEN: "what is used is what passed here",
}
_AXIS = 7
_BESIDE_FROM = 60
"""Cells from which on the words stand beside the curve."""
_WORDS_WIDTH = 40
_DRIVER = _WORDS_WIDTH - 11
"""Characters of who or what drove it."""
_LEAST_CURVE = 3


class LimitPanel(Panel):
    """Curve and words side by side where the panel is wide and low, else one below the other."""

    def __init__(self) -> None:
        super().__init__(id="limit-detail")
        self.detail: LimitDetail | None = None
        self.told: ProviderLimitUse | None = None
        """In its place: a limit of a provider."""
        self.is_unused = False
        """Whether nobody has used the limit in its window, so that there is no detail."""
        self.now = 0
        """UTC µs."""
        self.calendar = Calendar()

    @property
    def title_line(self) -> Line:
        if self.told is not None:
            whose = f" {clean_line(self.told.holder)} {clean_line(self.told.told.interval)}"
            return [(clean_line(self.told.provider), self.palette.title), (whose, self.palette.muted)]
        if self.detail is None:
            return [("Limit", self.palette.title)]
        use = self.detail.question.use
        whose = f" {use.name}" if use.entity.raw else ""
        return [(clean_line(use.limit.name), self.palette.title), (f"{whose} {use.limit.window}", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        detail = self.detail
        if self.told is not None:
            return list(self._of_provider(self.told))
        if detail is None:
            unused: list[Line] = [[("nobody has used it in its window yet", self.palette.faint)]]
            return self.unread if self.is_unread else unused if self.is_unused else []
        words = list(self._words(detail))
        if not detail.points:
            return words
        if width >= _BESIDE_FROM and height < 2 * _LEAST_CURVE + len(words):
            curve = self._curve(detail, width - _WORDS_WIDTH - 2, height)
            rows = [*words, *[()] * max(height - len(words), 0)][:height]
            return [[*line, ("  ", self.palette.text), *beside] for line, beside in zip(curve, rows, strict=True)]
        high = max(height - len(words) - 1, _LEAST_CURVE)
        return [*self._curve(detail, width, min(high, height)), (), *words]

    # Words

    def _words(self, detail: LimitDetail) -> Iterator[Line]:
        """What was said of the present window and before, what drove it, and what is not in it."""
        palette, use = self.palette, detail.question.use
        if use.limit.measure is LimitedValue.API_EQUIVALENT:
            yield [("API-equivalent value of plan usage", palette.plan)]
        if use.limit.window.kind is WindowKind.BLOCK:
            yield [("an estimate; no provider tells blocks", palette.muted)]
        yield [("tells at ", palette.muted), (_thresholds(use.limit), palette.text)]
        yield from self._ahead(detail)
        for each in use.raises:
            until = formats.moment(each.until, self._now, self.calendar)
            by = f" by {clean_line(each.by)}" if each.by else ""
            yield [(f"raised by {each.amount} until {until}", palette.key), (by, palette.muted)]
        if use.unpriced:
            unpriced = f"{formats.grouped(use.unpriced)} unpriced, not counted"
            yield [
                (f"+ {unpriced}" if use.limit.reserve is None else f"+ {unpriced} but for the reserve", palette.unknown)
            ]
        said = [line for alert in detail.alerts for line in self._said(alert, detail.deliveries.get(alert.id, ()))]
        yield from said[:4] or [[("nothing was said of it yet", palette.faint)]]
        shown = [driver for driver in detail.drivers if driver[2]]
        if shown:
            since = "this window" if detail.drivers_since == use.starts_at else "24 h"
            yield [(f"most of {since}", palette.muted)]
        for dimension, key, nano in shown[:4]:
            style = palette.who if dimension == "user" else palette.model
            money = f"{use.limit.measure.sign}{formats.cost(Usd(nano), 0, 10)}"
            yield [(f" {money:>9} ", palette.value(use.limit.measure)), (clean_name(key, _DRIVER) or "(none)", style)]

    def _of_provider(self, use: ProviderLimitUse) -> Iterator[Line]:
        """What is known of a limit that can only be read here."""
        palette, limit = self.palette, use.limit
        yield [("set at the provider; ", palette.muted), (_CONSEQUENCES[use.told.enforced], palette.text)]
        if limit is not None and use.used is not None:
            amounts = f"{use.used} of {limit.amount}"
            yield [(f"{amounts} ", palette.money), (limit.percent(use.used), palette.text)]
        since = max(self.now - use.as_of, 0)
        yield [(_MEASURES[use.told.measure], palette.muted), (f", as of {age(since)} ago", palette.muted)]
        if limit is not None:
            yield [("tells at ", palette.muted), (_thresholds(limit), palette.text)]
        forecast = use.forecast()
        if forecast is not None and forecast.linear is not None:
            if use.state is not LimitState.EXCEEDED:
                style = palette.text if forecast.reaches_at is None else palette.warn
                yield [("100% ", palette.muted), (reach_words(forecast, self.now, self.calendar), style)]
            yield [(f"{formats.short_usd(forecast.linear)} if all goes on as so far", palette.faint)]
        if use.bounds.end_us is not None:
            until = formats.moment(use.bounds.end_us, self.now, self.calendar)
            yield [("begins anew ", palette.muted), (until, palette.text)]

    def _ahead(self, detail: LimitDetail) -> Iterator[Line]:
        """How its use may go on, beside the average so far going on."""
        forecast, palette = detail.forecast, self.palette
        if forecast is None:
            return
        style = palette.text if forecast.reaches_at is None else palette.warn
        yield [("100% ", palette.muted), (reach_words(forecast, self._now, self.calendar), style)]
        if forecast.end is None or forecast.end_low is None or forecast.end_high is None:
            return
        end, *band = map(formats.short_usd, (forecast.end, forecast.end_low, forecast.end_high))
        yield [
            ("ends at ", palette.muted),
            (f"~{end}", palette.value(detail.question.use.limit.measure)),
            (f" ({'-'.join(band)})", palette.muted),
        ]
        if forecast.linear is not None:
            yield [(f"{formats.short_usd(forecast.linear)} if all went on as so far", palette.faint)]

    def _said(self, alert: AlertRow, deliveries: Sequence[DeliveryRow]) -> Iterator[Line]:
        """The messages of an alert, the newest first; its state where there were none."""
        palette, now = self.palette, self._now
        style = palette.bad if alert.severity == "critical" else palette.warn
        for each in reversed(deliveries):
            when = formats.moment(each.sent_at or each.created_at, now, self.calendar)
            yield [
                (f"{when} ", palette.muted),
                (each.kind, style),
                (f" {clean_line(each.channel)} {each.state}", palette.muted),
            ]
        if not deliveries:
            when = formats.moment(alert.crossed_at, now, self.calendar)
            word = "exceeded" if alert.severity == "critical" else "approaching"
            was = "was " if alert.resolved_at is not None else ""
            yield [(f"{when} {was}", palette.muted), (word, style), (", told nobody", palette.muted)]

    # Curve

    @property
    def _now(self) -> int:
        return self.detail.question.now if self.detail else 0

    def _curve(self, detail: LimitDetail, width: int, height: int) -> list[Line]:
        limit, palette, glyphs = detail.question.use.limit, self.palette, self.glyphs
        plot, rows = max(width - _AXIS, 1), max(height - 1, 1)
        since, until = _span(detail)
        columns = thinned(detail.points, since, until, plot)
        most = max((used.nano for used in columns if used is not None), default=0)
        top = max(limit.amount.nano, nice_ceiling(most) if most > limit.amount.nano else 0)
        limit_row = max(rows - -(-limit.amount.nano * rows // top), 0)
        lines: list[Line] = []
        for row in range(rows):
            label = formats.short_usd(limit.amount, _AXIS - 1) if row == limit_row else ""
            if row == 0 and limit_row:
                label = formats.short_usd(Usd(top), _AXIS - 1)
            axis: list[Piece] = [
                (f"{label:>{_AXIS - 1}}", palette.warn if row == limit_row else palette.muted),
                (glyphs.tee if label else glyphs.down, palette.line),
            ]
            lines.append([*axis, *self._row(columns, rows - 1 - row, rows, top, limit.amount, row == limit_row)])
        lines.append([(" " * (_AXIS - 1) + glyphs.bottom_left, palette.line), *self._times(since, until, plot)])
        return lines

    def _row(
        self, columns: Sequence[Usd | None], level: int, rows: int, top: int, amount: Usd, is_limit: bool
    ) -> Iterator[Piece]:
        palette, glyphs = self.palette, self.glyphs
        for used in columns:
            eighths = 0 if used is None else round((used.nano * rows / top - level) * len(glyphs.rises))
            if eighths > 0 or (used is not None and used > ZERO and level == 0):
                style = palette.bad if used is not None and used >= amount else palette.chart
                yield glyphs.rises[min(max(eighths, 1), len(glyphs.rises)) - 1], style
            else:
                yield (glyphs.across, palette.warn) if is_limit else (" ", palette.text)

    def _times(self, since: int, until: int, plot: int) -> Iterator[Piece]:
        """When the window began and ends, and where now lies between."""
        first, last = (self.calendar.local(at) for at in (since, until))
        form = "%m-%d" if until - since > 2 * DAY else "%H:%M" if first.date() == last.date() else "%m-%d %H:%M"
        ends = [first.strftime(form), last.strftime(form)]
        place = (self._now - since) * plot // max(until - since, 1)
        line = [self.glyphs.across] * plot
        line[: len(ends[0])] = ends[0]
        if plot > 3 * len(ends[1]):
            line[plot - len(ends[1]) :] = ends[1]
        if len(ends[0]) + 1 < place < plot - len(ends[1]) - 4:
            line[place : place + 3] = "now"
        yield "".join(line)[:plot], self.palette.muted


def _thresholds(limit: Limit) -> str:
    return ", ".join(exact_percent(each) for each in thresholds(limit))


def _span(detail: LimitDetail) -> tuple[int, int]:
    """What the curve is drawn over: the whole window, as far as it has ends."""
    use, now = detail.question.use, detail.question.now
    first_used = next((point.at for point in detail.points if point.used > ZERO), now - HOUR)
    since = first_used if use.starts_at is None else use.starts_at
    return since, use.ends_at if use.ends_at is not None else now


def thinned(points: Sequence[CurvePoint], since: int, until: int, columns: int) -> list[Usd | None]:
    """The highest use in each of `columns` equal parts of `since`..`until`; None behind the last point. Where a part
    has no point of its own the use before it goes on."""
    highest: list[Usd | None] = [None] * columns
    if not points or until <= since:
        return highest
    places = [min(max((at - since) * columns // (until - since), 0), columns - 1) for at, _ in points]
    for place, (_, used) in zip(places, points, strict=True):
        before = highest[place]
        highest[place] = used if before is None or used > before else before
    for place in range(1, places[-1] + 1):
        if highest[place] is None:
            highest[place] = highest[place - 1]
    return highest
