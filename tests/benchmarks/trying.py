"""Limits tried on a full store, and the screen of limits over it."""

from __future__ import annotations

import time
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
from tests.benchmarks.measuring import Figure, in_millis, in_turn, ratio, taken_by
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
    tried = {name: partial(_try, store, limit, now) for name, limit in (calendar | by_rows).items()}
    works = {"rows": partial(_read, store), **tried, "screen": partial(_list, store, now)}
    taken = in_turn({name: partial(taken_by, work) for name, work in works.items()}, workshop.rounds)
    figures = [in_millis(f"back-test of {name}, at {workshop.requests:,}", taken[name], 3_000) for name in calendar]
    for name in by_rows:
        rows, whole = ([each.cpu for each in taken[key]] for key in ("rows", name))
        detail = f"CPU; {median(rows):.0f} → {median(whole):.0f} ms"
        figures.append(Figure(f"back-test of {name}, against reading", ratio(whole, rows), 5.0, True, detail=detail))
    figures.append(in_millis(f"limits with entities, at {workshop.requests:,}", taken["screen"], 300))
    store.close()
    return figures


def _limit(window: str, each: Each | None = None, where: str = "") -> Limit:
    tree = parse_filter(where) if where else None
    return Limit(name="tried", window=parse_window(window), amount=_AMOUNT, each=each, where=tree, where_text=where)


def _try(store: Store, limit: Limit, now: int) -> None:
    assert backtest(store, limit, _CALENDAR, _DAYS, now) is not None


def _read(store: Store) -> None:
    """The rows of all requests, in the order of time."""
    request = table_of(RequestTable)
    rows = select(request.c.occurred_at, request.c.cost_nano, request.c.user_id).order_by(request.c.occurred_at)
    with store.reading() as connection:
        for _ in connection.execute(rows):
            pass


def _list(store: Store, now: int) -> None:
    with store.reading() as connection:
        limit_entities(connection, limits(), _CALENDAR, now - now % SECOND)
