"""Limits, calendar and accounts as the collector applied them; the local configuration's where none ran yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.config.settings import Settings
from spendtop.domain.limits.limit import Limit
from spendtop.domain.windows import Calendar
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.limits.uses import Ceiling


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """What spend is measured against."""

    limits: tuple[Limit, ...]
    calendar: Calendar


def effective_limits(connection: Connection, settings: Settings) -> EffectiveLimits:
    """As the collector of this store applied them last, whatever the local configuration says."""
    by_collector = applied(connection)
    if by_collector is None:
        return EffectiveLimits(tuple(limit.limit() for limit in settings.limits), settings.time.calendar)
    return EffectiveLimits(by_collector.limits, by_collector.calendar)


def accounts_in_force(connection: Connection, settings: Settings) -> tuple[Account, ...]:
    """Those that the collector applied; the local configuration's where none ran yet."""
    by_collector = applied(connection)
    if by_collector is not None:
        return by_collector.accounts
    from spendtop.collector.polling.poll_config import accounts_of

    return accounts_of(settings)


def ceilings(limits: tuple[Limit, ...], settings: Settings, now: int) -> Mapping[str, Ceiling]:
    """What unpriced requests count for, by name of limit, for limits with a `reserve`."""
    if not any(limit.reserve for limit in limits):
        return {}
    from spendtop.collector.from_settings import book_for, own_prices
    from spendtop.collector.price_lists.kept_list import catalogue_of
    from spendtop.domain.pricing.pricer import Pricer

    pricer = Pricer(own_prices(settings), None, catalogue_of(settings.pricing))
    return book_for(limits, Calendar(), pricer, now).ceilings


def now() -> int:
    """UTC µs."""
    return time.time_ns() // 1000
