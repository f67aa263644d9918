"""A small file beside the store for prompts and tmux lines: read without opening the store."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.domain.errors import CannotWrite
from spendtop.domain.limits.forecast import Forecast, reach_words
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.stores.presence import publish
from spendtop.store.engine import Store, named
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.ledger.bills import Bills, bills_unseen
from spendtop.store.reads.limits import uses as limits
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.present import spent_last_hour, spent_today, under_plan_today

_EVERY = 1.0
"""Seconds between two snapshots while spend comes in."""
_LATEST = 30.0
"""Seconds after which a snapshot is made anew in any case, so that its age says that somebody collects."""
_log = logging.getLogger(__name__)


class StatusSnapshot:
    """Keeps the file fresh. Its amounts are nano-USD, its instants UTC µs."""

    def __init__(self, path: Path, store: Store, book: Callable[[], LimitBook], clock: Clock, url: str) -> None:
        self._path = path
        self._store = store
        self._book = book
        self._clock = clock
        self._url = url
        self._changed = True
        self._is_told = False

    def changed(self) -> None:
        """A commit was made. May be called from any thread."""
        self._changed = True

    async def run(self, stop: asyncio.Event) -> None:
        """Write at most once a second, at least every half minute, and at the end."""
        waited = 0.0
        while not stop.is_set():
            if self._changed or waited >= _LATEST:
                self._changed, waited = False, 0.0
                await asyncio.to_thread(self._write)
            await pause(stop, _EVERY)
            waited += _EVERY
        await asyncio.to_thread(self._write)

    def _write(self) -> None:
        try:
            publish(self._path, json.dumps(self._read()))
        except (OSError, CannotWrite) as failure:
            if not self._is_told:
                _log.warning("the status file cannot be written: %s", failure)
            self._is_told = True
        else:
            self._is_told = False

    def _read(self) -> dict[str, Any]:
        now, book = self._clock(), self._book()
        with named(self._store), self._store.reading() as connection:
            today = spent_today(connection, book.calendar, now)
            hour = spent_last_hour(connection, now)
            under_plan = under_plan_today(connection, book.calendar, now)
            config = applied(connection)
            bills = bills_unseen(connection, config.accounts if config else (), now)
            uses = limits.uses(connection, book.limits, book.calendar, now, 1, book.ceilings)
            forecasts = [forecast_of(connection, use, book.calendar, now) for use in uses]
            undelivered = outbox_rules.dead(connection)
        return {
            "at": now,
            "url": self._url,
            "bills": None if bills is None else _bills(bills, book.calendar),
            "today": _sums(today),
            "hour": _sums(hour),
            "api_equivalent": {
                "requests": under_plan.requests,
                "tokens": under_plan.tokens,
                "nano": Usd.nano_of(under_plan.known_cost),
            },
            "undelivered": undelivered,
            "limits": [
                {
                    "name": use.limit.name,
                    "entity": use.entity.raw,
                    "entity_name": use.name.raw,
                    "window": use.limit.window.text,
                    "measure": use.limit.measure.value,
                    "state": use.state.value,
                    "used_nano": use.used.nano,
                    "limit_nano": use.limit.amount.nano,
                    "unpriced": use.unpriced,
                    "raised_until": use.raised_until,
                    "forecast": None if forecast is None else _forecast(forecast, now, book.calendar),
                }
                for use, forecast in zip(uses, forecasts, strict=True)
            ],
        }


def _forecast(forecast: Forecast, now: int, calendar: Calendar) -> dict[str, Any]:
    return {
        "enough_data": forecast.has_enough,
        "reaches_at": forecast.reaches_at,
        "low": forecast.reaches_low,
        "high": forecast.reaches_high,
        "words": None if forecast.reaches_at is None else reach_words(forecast, now, calendar),
    }


def _bills(bills: Bills, calendar: Calendar) -> dict[str, Any]:
    day = bills.day
    return {
        "billed": None if day is None else {"day": day.day, "nano": day.cost.nano, "at": day.as_of},
        "accounts": [
            {
                "name": each.account.name,
                "balance_nano": Usd.nano_of(each.balance),
                "burn_nano": Usd.nano_of(each.burn_per_day),
                "runs_out": None if each.run_out_at is None else f"{calendar.local(each.run_out_at):%Y-%m-%d}",
            }
            for each in bills.accounts
        ],
    }


def _sums(spend: Spend) -> dict[str, int]:
    return {
        "nano": spend.cost.nano,
        "unpriced": spend.unpriced,
        "failed": spend.failed,
        "requests": spend.requests,
    }
