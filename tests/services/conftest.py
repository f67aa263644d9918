"""One collector's recording and evaluating on a store, and what the totals have to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import pytest
from sqlalchemy import Row, delete, select
from sqlmodel import SQLModel

from spendtop.domain.alerting.episode import Message
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price
from spendtop.domain.pricing.pricer import Pricer, is_failed
from spendtop.domain.requests.request import Basis, Cost, Request, Status, TimeSource
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.alerting import episodes
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.evaluator import Evaluator, mark_crossed
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.totals import ASSUMED_REPEATS, JOINED, PLAN, REPEATS, SHADOW
from spendtop.services.recording.transaction import Outcome, Recording
from spendtop.store import bodies, day_totals
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds, identity
from spendtop.store.reads.requests.lists import newest_id
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.grown_costs import LOWERED
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DayTotalTable, DeliveryTable, RequestTable, TotalTable
from tests.conftest import SettableClock

DOLLAR = 1_000_000_000
PRICER = Pricer({}, None, lambda provider, model, terms, at: None)
BESIDE = (REPEATS, ASSUMED_REPEATS, SHADOW, PLAN, JOINED)
Sums = dict[tuple[str, str, int], tuple[int, ...]]
Counts = Callable[[Request], tuple[str, int | None] | None]
"""The entity that a request counts for under a limit of its own scope, and the reserve if its cost is unknown."""


def limit(name: str = "daily", window: str = "day", usd: int = 100, where: str = "", **fields: Any) -> Limit:
    tree = parse_filter(where) if where else None
    amount = Usd(usd * DOLLAR)
    return Limit(name=name, window=parse_window(window), amount=amount, where=tree, where_text=where, **fields)


def request(number: object, at: int, cost: int | None = DOLLAR, **fields: Any) -> Request:
    """A request of Helicone's with this id, `cost` in nano-USD."""
    amount = None if cost is None else Usd(cost)
    values: dict[str, Any] = {
        "source": HELICONE,
        "external_id": f"id-{number}",
        "received_at": at,
        "occurred_at": at,
        "time_source": TimeSource.PROVIDER,
        "cost": Cost(amount=amount, basis=Basis.UNKNOWN if amount is None else Basis.REPORTED, reported=amount),
    }
    return Request(**{**values, **fields})


def prepared(report: Request) -> Prepared:
    """The report under the key of Helicone's id, whichever source it comes from, as the id is the same call's."""
    body = None
    if report.request_body is not None or report.response_body is not None:
        body = bodies.encode(report.request_body, report.response_body)
    plain = msgspec.structs.replace(report, request_body=None, response_body=None)
    return Prepared(identity(HELICONE, report.external_id), plain, body)


def rows(store: Store, model: type[SQLModel]) -> list[Row[Any]]:
    """All rows of a table in primary-key order."""
    table = table_of(model)
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)))


def clear(store: Store) -> None:
    """Empty all tables."""
    with store.writing() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(delete(table))


def totals(store: Store) -> Sums:
    """What `total` says of the spend, over shards, without sums of nothing, nor what costs once were."""
    left_out = {*BESIDE, *LOWERED.values()}
    return {named: values for named, values in _over_shards(store).items() if named[0] not in left_out}


def beside(store: Store) -> dict[tuple[str, str], tuple[int, int]]:
    """What `total` says besides the spend: how many and their nano-USD, by dimension and key."""
    return {named[:2]: (values[0], values[1]) for named, values in _over_shards(store).items() if named[0] in BESIDE}


_SUMS = len(spend_sql.NAMES)


def _over_shards(store: Store) -> Sums:
    return _summed(rows(store, TotalTable))


def _summed(totals: Iterable[Row[Any]], unit: int = 1) -> Sums:
    """Over shards and buckets of `unit` µs."""
    found: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0] * _SUMS)
    for row in totals:
        named, values = (row.dimension, row.key, row.bucket - row.bucket % unit), tuple(row)[4:]
        found[named] = [a + b for a, b in zip(found[named], values, strict=True)]
    return {named: tuple(values) for named, values in found.items() if any(values)}


def day_sums(store: Store) -> Sums:
    """What `day_total` says, over shards, without sums of nothing."""
    return _summed(rows(store, DayTotalTable))


def sum_hours(store: Store, before: int) -> None:
    """Sum all hours that begin before `before` (UTC µs) by days."""
    more = True
    while more:
        with store.writing() as connection:
            more = day_totals.add_hours(connection, before)


def hour_sums_by_day(store: Store) -> Sums:
    """What the totals by day have to be: the hours before the one up to which they are summed."""
    with store.reading() as connection:
        until = day_totals.until(connection)
    hours = [row for row in rows(store, TotalTable) if row.dimension != "minute" and row.bucket < until]
    return _summed(hours, DAY)


def sums(store: Store, own: Mapping[str, Counts] | None = None) -> Sums:
    """What the totals have to be: added up request by request; `own` is by dimension."""
    found: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0] * _SUMS)

    def add(dimension: str, key: str, bucket: int, values: Sequence[int]) -> None:
        found[dimension, key, bucket] = [a + b for a, b in zip(found[dimension, key, bucket], values, strict=True)]

    for row in rows(store, RequestTable):
        one = from_row(row).request
        if not one.counted:
            continue
        cost = one.cost.amount.nano if one.cost.amount else 0
        rest = (
            int(one.cost.amount is None or one.cost.partial),
            int(one.status is Status.ERROR),
            one.usage.prompt or 0,
            one.usage.completion or 0,
            int(is_failed(one)),
        )
        hour = one.occurred_at // HOUR * HOUR
        add("minute", "", one.occurred_at // MINUTE * MINUTE, (1, cost, *rest))
        named = {"all": "", "user": one.user_id or "", "model": one.model or "", "provider": one.provider or ""}
        named |= {"source": one.source.name}
        named |= {"session": one.session_id} if one.session_id is not None else {}
        named |= {"token": one.token} if one.token is not None else {}
        for dimension, key in named.items():
            add(dimension, key, hour, (1, cost, *rest))
        for dimension, counts in (own or {}).items():
            counted = counts(one)
            if counted is not None:
                entity, reserve = counted
                is_whole = one.cost.amount is not None and not one.cost.partial
                add(dimension, entity, hour, (1, cost if is_whole else max(cost, reserve or 0), *rest))
    return {key: tuple(values) for key, values in found.items() if any(values)}


class Collecting:
    """What one collector does: records under its limits, evaluates, and queues messages."""

    def __init__(
        self,
        store: Store,
        clock: SettableClock,
        *limits: Limit,
        channels: Sequence[Channel] = (Channel("ops"),),
        reserves: Mapping[str, Price] | None = None,
        calendar: Calendar | None = None,
        slot: int = 0,
        timer: Callable[[], float] | None = None,
    ) -> None:
        """A turn of evaluating goes on until nothing is left, unless another `timer` ends it."""
        self.store = store
        self.clock = clock
        self.book = LimitBook(limits, calendar or Calendar(), reserves or {})
        with store.reading() as connection:
            ids = RequestIds(slot, newest_id(connection))
        self.recording = Recording(store.write_engine.dialect, ids, self.book, PRICER.cost)
        self.evaluator = Evaluator(self.book, channels, timer or (lambda: 0.0))
        self._numbers = count(len(rows(store, RequestTable)) + 1)

    def record(self, *reports: Request) -> list[Outcome]:
        """Record reports as one group."""
        with self.store.writing() as connection:
            return self.recording.record(connection, [prepared(report) for report in reports])

    def evaluate(self) -> list[Announcement]:
        """One pass over the marks."""
        with self.store.writing() as connection:
            return self.evaluator.evaluate(connection, self.clock())

    def take_over(self) -> list[str]:
        """Its limits come into force, new or again; what is said then."""
        with self.store.writing() as connection:
            for each in self.book.limits:
                episodes.resume(connection, each, self.book.calendar, self.clock())
            mark_crossed(connection, self.book.limits, self.book, self.clock())
        return said([*self.evaluate(), *self.revisit()])

    def revisit(self) -> list[Announcement]:
        """One look at what is unresolved."""
        with self.store.writing() as connection:
            return self.evaluator.revisit(connection, self.clock())

    def spend(self, dollars: float, at: int | None = None, **fields: Any) -> list[str]:
        """One request of this cost, now or at an instant, and what is said about it."""
        when = self.clock() if at is None else at
        self.record(request(f"spend-{next(self._numbers)}", when, round(dollars * DOLLAR), **fields))
        return said(self.evaluate())

    def told(self, channel: str | None = None) -> list[Message]:
        """The messages in the outbox, in order; of one channel or of all."""
        return [
            msgspec.json.decode(row.payload, type=Message)
            for row in rows(self.store, DeliveryTable)
            if channel in (None, row.channel)
        ]

    def alerts(self) -> list[Row[Any]]:
        """The alert rows, in order."""
        return rows(self.store, AlertTable)


def said(announcements: Iterable[Announcement]) -> list[str]:
    """`kind limit entity` of each announcement."""
    return [f"{a.message.kind} {a.message.limit_name} {a.message.entity}".rstrip() for a in announcements]


@pytest.fixture
def collecting(store: Store, clock: SettableClock) -> Callable[..., Collecting]:
    """Makes collectors on the store."""

    def make(*limits: Limit, **settings: Any) -> Collecting:
        return Collecting(store, clock, *limits, **settings)

    return make
