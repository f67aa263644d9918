"""When limits will be reached, from the totals by hour of the past weeks."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.forecast import Forecast, Outlook, horizon, past_since
from spendtop.domain.limits.raises import falls_of
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar
from spendtop.store.reads.alerts.anomalies import spent_by_hour
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.store.reads.spending.bucket_spans import Span

_MOST_KEPT = 1_000
_Key = tuple[str, str]
"""Limit and entity."""


class _Kept(NamedTuple):
    at: int
    """UTC µs."""
    bounds: Bounds
    amount: Usd
    falls: tuple[tuple[int, Usd], ...]
    is_reached: bool
    forecast: Forecast | None


_KEPT: WeakKeyDictionary[Engine, dict[_Key, _Kept]] = WeakKeyDictionary()


def forecast_of(connection: Connection, use: LimitUse, calendar: Calendar, now: int) -> Forecast | None:
    """How the use of a limit may go on; None for windows that are not looked ahead.

    An answer is kept for a minute, as it takes some milliseconds.
    """
    window, bounds, amount = use.limit.window, Bounds(use.starts_at, use.ends_at), use.limit.amount
    if horizon(window, bounds, now) is None:
        return None
    of_store = _KEPT.setdefault(connection.engine, {})
    key, is_reached = (use.limit.name, use.entity.raw), use.used >= amount
    falls = falls_of(amount, use.raises)
    kept = of_store.get(key)
    if kept is not None and kept[1:5] == (bounds, amount, falls, is_reached) and 0 <= now - kept.at < MINUTE:
        return kept.forecast
    span = Span(past_since(now), now // HOUR * HOUR)
    outlook = Outlook(spent_by_hour(connection, use.limit.dimension, use.entity.raw, span), now, calendar)
    found = outlook.forecast(amount, use.used, window, bounds, falls)
    if len(of_store) >= _MOST_KEPT:
        of_store.clear()
    of_store[key] = _Kept(now, bounds, amount, falls, is_reached, found)
    return found
