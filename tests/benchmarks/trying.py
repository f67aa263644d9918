"""Limits tried on a full store, and the screen of limits over it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from sqlalchemy import select

from spendtop.domain.clock import SECOND
from spendtop.domain.filters.parser import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.limits.backtests import backtest
from spendtop.store.engine import Store
from spendtop.store.reads.limits.entities import limit_entities
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.benchmarks.measuring import Figure, in_turn, ratio
from tests.benchmarks.reading import limits
from tests.benchmarks.workshop import Workshop

_CALENDAR = Calendar()
_DAYS = 30
_AMOUNT = Usd.of("30")


def tries(workshop: Workshop) -> list[Figure]:
    """Back-tests of 30 days: of calendar windows from totals, of others against reading their rows."""
    store = Store(f"sqlite:///{workshop.filled}")
    now = time.time_ns() // 1000
    calendar = {
        "a day": _limit("day"),
        "a day of each user": _limit("day", each=Each.USER),
        "an hour of each user": _limit("hour", each=Each.USER),
    }
    by_rows = {
        "24h": _limit("24h"),
        "24h of each user": _limit("24h", each=Each.USER),
        "a day of a scope": _limit("day", where="-model:gpt-5-1"),
    }
    seconds = {name: partial(_tried, store, limit, now) for name, limit in (calendar | by_rows).items()}
    contenders: dict[str, Callable[[], float]] = {"rows": partial(_read, store), **seconds}
    contenders["screen"] = partial(_listed, store, now)
    taken = in_turn(contenders, workshop.rounds)
    figures = [
        Figure(f"back-test of {name}, at {workshop.requests:,}", median(taken[name]), 3.0, at_most=True, unit="s")
        for name in calendar
    ]
    for name in by_rows:
        detail = f"{median(taken['rows']):.2f} → {median(taken[name]):.2f} s"
        figures.append(
            Figure(f"back-test of {name}, against reading", ratio(taken[name], taken["rows"]), 5.0, True, detail=detail)
        )
    screen = median(taken["screen"]) * 1000
    figures.append(Figure(f"limits with entities, at {workshop.requests:,}", screen, 300, at_most=True, unit="ms"))
    store.close()
    return figures


def _limit(window: str, each: Each | None = None, where: str = "") -> Limit:
    tree = parse_filter(where) if where else None
    return Limit(name="tried", window=parse_window(window), amount=_AMOUNT, each=each, where=tree, where_text=where)


def _tried(store: Store, limit: Limit, now: int) -> float:
    began = time.perf_counter()
    assert backtest(store, limit, _CALENDAR, _DAYS, now) is not None
    return time.perf_counter() - began


def _read(store: Store) -> float:
    """Seconds that the rows of all requests take, in the order of time."""
    request = table_of(RequestTable)
    rows = select(request.c.occurred_at, request.c.cost_nano, request.c.user_id).order_by(request.c.occurred_at)
    began = time.perf_counter()
    with store.reading() as connection:
        for _ in connection.execute(rows):
            pass
    return time.perf_counter() - began


def _listed(store: Store, now: int) -> float:
    began = time.perf_counter()
    with store.reading() as connection:
        limit_entities(connection, limits(), _CALENDAR, now - now % SECOND)
    return time.perf_counter() - began
