"""What the screen of limits asks the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.filters.instants import of_span
from spendtop.domain.limits.forecast import Forecast
from spendtop.domain.limits.limit import Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import ProviderLimitUse
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Bounds, Calendar, WindowKind
from spendtop.services.alerting.messages import spent_most
from spendtop.services.alerting.requests import of_entity
from spendtop.store.reads.alerts.attention import AlertRow, DeliveryRow, alerts_of_limit, deliveries_of
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.limits.curves import CurvePoint, curve
from spendtop.store.reads.limits.entities import LimitEntities, limit_entities
from spendtop.store.reads.limits.provider_limits import provider_limits
from spendtop.store.reads.limits.uses import REQUEST_SPAN, LimitUse, fullest_first
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.tui.headline import Headline
from spendtop.tui.limits.table import FOLDED_BELOW, Forecasts, LimitRow
from spendtop.tui.screens.questions import read_headline

_ALERTS = 6
_LOOKED_AHEAD = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsQuestion:
    """All limits with their entities."""

    now: int
    calendar: Calendar

    def ask(self, connection: Connection) -> LimitsFigures:
        headline = read_headline(connection, self.now, self.calendar)
        applied = headline.applied
        limits = limit_entities(connection, applied.limits, applied.calendar, self.now) if applied else ()
        uses = [use for each in limits for use in each.uses]
        listed = fullest_first(use for use in uses if use.limit.each is None or use.fraction >= FOLDED_BELOW)
        forecasts = {
            (use.limit.name, use.entity.raw): forecast_of(connection, use, headline.calendar, self.now)
            for use in listed[:_LOOKED_AHEAD]
        }
        return LimitsFigures(headline, limits, forecasts, [*_told_rows(provider_limits(connection, self.now))])


def _told_rows(told: Sequence[ProviderLimitUse]) -> Iterator[LimitRow]:
    """Providers' own limits, but for those that are unlimited."""
    for each in told:
        limit = each.limit
        if limit is None:
            continue
        use = None
        if each.used is not None:
            bounds, whose = each.bounds, Untrusted(each.holder)
            use = LimitUse(
                *(limit, Untrusted(each.told.subject), whose, bounds.start_us, bounds.end_us),
                *(each.used, 0, each.state, each.fraction),
            )
        yield LimitRow(limit, use, forecast=each.forecast(), told=each)


@dataclass(frozen=True, slots=True)
class LimitsFigures:
    """Limits in the order of the configuration."""

    headline: Headline
    limits: Sequence[LimitEntities]
    forecasts: Forecasts
    """Of the fullest that are listed one by one."""
    told: Sequence[LimitRow]
    """Limits of providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDetailQuestion:
    """How the use of one limit for one entity came about, and what was said of it."""

    use: LimitUse
    now: int
    calendar: Calendar

    def ask(self, connection: Connection) -> LimitDetail:
        limit, entity = self.use.limit, self.use.entity.raw
        window = Bounds(self.use.starts_at, self.use.ends_at)
        alerts = alerts_of_limit(connection, limit.name, entity if limit.each else None, _ALERTS)
        is_single = limit.window.kind is WindowKind.REQUEST
        since = max(window.start_us or 0, self.now - DAY)
        return LimitDetail(
            question=self,
            points=() if is_single else curve(connection, limit, entity, window, self.use.used, self.now),
            alerts=alerts,
            deliveries=deliveries_of(connection, [alert.id for alert in alerts]),
            drivers=tuple(spent_most(connection, limit, entity, Span(since, None))),
            drivers_since=since,
            forecast=forecast_of(connection, self.use, self.calendar, self.now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDetail:
    """What is shown of the selected limit."""

    question: LimitDetailQuestion
    points: tuple[CurvePoint, ...]
    alerts: tuple[AlertRow, ...]
    """The newest first."""
    deliveries: Mapping[int, tuple[DeliveryRow, ...]]
    """By alert."""
    drivers: tuple[tuple[str, str, int], ...]
    """(dimension, raw key, nano-USD), largest first."""
    drivers_since: int
    """From when on they are summed, UTC µs."""
    forecast: Forecast | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedQuestion:
    """Which filter selects the requests that count against a limit for one entity."""

    use: LimitUse
    now: int
    calendar: Calendar

    def ask(self, connection: Connection) -> str:
        limit = self.use.limit
        parts = [
            of_entity(connection, limit, self.use.entity.raw, Span(self.use.starts_at, self.use.ends_at)),
            f"({limit.where_text})" if limit.where_text else "",
            "~plan" if limit.measure is LimitedValue.API_EQUIVALENT else "",
            self._time(limit),
        ]
        return " ".join(filter(None, parts))

    def _time(self, limit: Limit) -> str:
        if limit.window.kind is WindowKind.REQUEST:
            since = of_span(_second(self.now - REQUEST_SPAN), None, self.calendar)
            of_spend = limit.measure is LimitedValue.SPEND
            return f"cost>{limit.amount.dollars.normalize():f} {since}" if of_spend else since
        if limit.window.kind is WindowKind.ROLLING:
            return f"t:-{limit.window.text}"
        return of_span(_second(self.use.starts_at), _second(self.use.ends_at), self.calendar)


def _second(at: int | None) -> int | None:
    return None if at is None else at // SECOND * SECOND
