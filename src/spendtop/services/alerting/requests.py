"""The requests behind an alert: in which span of time they are, which filter lists them, and who or what drove it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from spendtop.domain.alerting.episode import Reading
from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import quoted
from spendtop.domain.filters.instants import of_span
from spendtop.domain.filters.parser import LONGEST_FILTER
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.services.alerting import messages as alert_messages
from spendtop.store.reads.alerts import anomalies
from spendtop.store.reads.alerts.attention import AlertRow
from spendtop.store.reads.alerts.uses import most_of
from spendtop.store.reads.requests.model_families import names_of
from spendtop.store.reads.spending.bucket_spans import Span


def limit_of(alert: AlertRow, limits: Sequence[Limit]) -> Limit | None:
    """The limit that the alert is about, as far as it is in force and still has the kind of window that it had."""
    limit = next((each for each in limits if alert.kind == "limit" and each.name == alert.limit_name), None)
    if limit is None:
        return None
    has_end = limit.window.kind not in (WindowKind.ROLLING, WindowKind.SESSION, WindowKind.LIFETIME)
    return limit if has_end is (alert.window_end is not None) else None


def span_of(alert: AlertRow, limit: Limit | None, now: int) -> Span:
    """When the requests behind an alert happened: within the limit's window as it was while the alert stood, or since
    spend is unusual."""
    if limit is None:
        return Span(alert.window_start, alert.resolved_at)
    if alert.window_end is not None:
        return Span(alert.window_start, alert.window_end)
    length = limit.window.length_us
    if length is None:
        return Span(None, alert.resolved_at)
    return Span((alert.crossed_at if alert.resolved_at else now) - length, alert.resolved_at)


def request_filter(connection: Connection, alert: AlertRow, limit: Limit | None, calendar: Calendar, now: int) -> str:
    """The filter that lists them; empty where the alert is about none, or about a limit that is no longer there."""
    if alert.kind in ("anomaly", "loop"):
        whose = f"{alert.about}:{quoted(alert.entity.raw)}" if alert.entity.raw else ""
        return _joined(whose, of_span(*span_of(alert, None, now), calendar))
    if limit is None:
        return ""
    if limit.window.kind is WindowKind.REQUEST:
        return f"id:{alert.entity.raw}"
    span = span_of(alert, limit, now)
    scope = f"({limit.where_text})" if limit.where_text else ""
    measure = "~plan" if limit.measure is LimitedValue.API_EQUIVALENT else ""
    return _joined(of_entity(connection, limit, alert.entity.raw, span), scope, measure, of_span(*span, calendar))


def drivers(connection: Connection, alert: AlertRow, limit: Limit | None, now: int) -> anomalies.Contributors:
    """Who and what spent most of it, the largest first, as the message about it says it; nothing where that is to read
    too many requests."""
    if limit is None:
        return most_of(connection, alert, now)
    span = span_of(alert, limit, now)
    until = now if span.until is None else min(now, span.until)
    reading = Reading(
        used=alert.used, window_start=span.since, window_end=span.until, at=until, happened_at=alert.crossed_at
    )
    return tuple(alert_messages.contributors(connection, limit, alert.entity.raw, reading))


def of_entity(connection: Connection, limit: Limit, entity: str, span: Span) -> str:
    """The part of a filter that selects the requests of one entity of a limit within a span; empty for everyone."""
    match limit.each:
        case None:
            return ""
        case Each.MODEL_FAMILY:
            names = [f"model:{quoted(name)}" for name in names_of(connection, [entity], [span.widened(HOUR)])]
            listed = f"({' | '.join(names)})"
            # So many names are better found by what they have in common.
            return listed if names and len(listed) < LONGEST_FILTER // 2 else f"model:*{entity}*"
        case Each.AGENT:
            agent, _, user = entity.partition(" ")
            name = quoted(agent)
            return f"(source:{name} | prop.agent:{name}){f' user:{quoted(user)}' if user else ''}"
        case each:
            return f"{each.value}:{quoted(entity)}"


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
