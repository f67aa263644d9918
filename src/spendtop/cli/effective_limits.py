"""Limits and calendar as the collector applied them; the local configuration's where none ran yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.config.settings import Settings
from spendtop.domain.limits import Limit
from spendtop.domain.windows import Calendar
from spendtop.store.reads.applied_config import applied
from spendtop.store.reads.limits import Ceiling


@dataclass(frozen=True, slots=True)
class InForce:
    """What spend is measured against."""

    limits: tuple[Limit, ...]
    calendar: Calendar


def in_force(connection: Connection, settings: Settings) -> InForce:
    """What counts for this store."""
    found = applied(connection)
    if found is None:
        return InForce(tuple(limit.limit() for limit in settings.limits), settings.time.calendar)
    return InForce(found.limits, found.calendar)


def ceilings(limits: tuple[Limit, ...], settings: Settings, now: int) -> Mapping[str, Ceiling]:
    """What unpriced requests count for, by name of limit, for limits with a `reserve`."""
    if not any(limit.reserve for limit in limits):
        return {}
    from spendtop.collector.from_settings import book_of
    from spendtop.domain.catalogue import PublishedPrices

    return book_of(settings, PublishedPrices(), now).ceilings


def now() -> int:
    """UTC µs."""
    return time.time_ns() // 1000
