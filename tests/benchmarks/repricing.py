"""Pricing 100,000 stored requests anew, against reading them alone; and how long a webhook waits behind a page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median, quantiles

from msgspec import Struct

from spendtop.domain.clock import SECOND
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Cost, Request, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.transaction import Recording
from spendtop.services.repricing import current_costs, repricing
from spendtop.services.repricing.current_costs import CostComparison, Page, as_read_now
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.schema import upgrade
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.workshop import Workshop

_REQUESTS = 100_000
_AT = 1_795_000_000_000_000
_CONTEXT = FilterContext(_AT, Calendar())
_ALL = RequestQuery(None)
_MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3")


class _Took(Struct, frozen=True):
    """Seconds of the whole, and of each page's transaction."""

    whole: float
    transactions: list[float]


def reprices(workshop: Workshop) -> list[Figure]:
    """A dry run and a run over 100,000 requests that had no price, against reading their pages."""
    folder = workshop.own("reprice")
    stored, numbers = _stored(folder / "stored.db"), count()
    price = Pricer({}, None, PublishedPrices()).cost

    def on_a_copy(measure: Callable[[Store], _Took]) -> Callable[[], _Took]:
        def measured() -> _Took:
            path = Path(shutil.copy(stored, folder / f"{next(numbers)}.db"))
            with _opened(path) as store:
                return measure(store)

        return measured

    def dry_run(store: Store) -> _Took:
        comparison, began = CostComparison(Calendar()), time.perf_counter()
        for page in _pages(store):
            comparison.add(page, current_costs.corrections(page.candidates, as_read_now, price))
        assert comparison.whole.requests == _REQUESTS
        return _Took(time.perf_counter() - began, [])

    def run(store: Store) -> _Took:
        recording = Recording(store.write_engine.dialect, RequestIds(0, 0), LimitBook((), Calendar(), {}), price)
        began, transactions = time.perf_counter(), []
        with store.writing() as connection:
            run_id = repricing.begin(connection, _ALL, "", "", _AT)
        is_over = False
        while not is_over:
            with store.reading() as connection:
                page = repricing.next_page(connection, run_id, Calendar())
            differing = list(current_costs.corrections(page.candidates, as_read_now, price))
            at = time.perf_counter()
            with store.writing() as connection:
                is_over = repricing.step(connection, run_id, page, differing, recording, _CONTEXT, as_read_now).is_over
            transactions.append(time.perf_counter() - at)
        return _Took(time.perf_counter() - began, transactions)

    took = in_turn({"pages": on_a_copy(_read), "dry run": on_a_copy(dry_run), "run": on_a_copy(run)}, workshop.rounds)
    for name, each in took.items():
        say(f"  {name:<10} {_REQUESTS / median(one.whole for one in each):8.0f} requests/s")
    transactions = [seconds * 1000 for each in took["run"] for seconds in each.transactions]
    say(f"  a page's transaction: p50 {median(transactions):.1f} ms, p99 {quantiles(transactions, n=100)[-1]:.1f} ms")
    whole = {name: [one.whole for one in each] for name, each in took.items()}
    return [
        Figure("dry run against reading the pages", ratio(whole["pages"], whole["dry run"]), 0.4, at_most=False),
        Figure("run against reading the pages", ratio(whole["pages"], whole["run"]), 0.05, at_most=False),
        Figure("a page's transaction", median(transactions), 50, at_most=True, unit="ms"),
    ]


def _read(store: Store) -> _Took:
    began = time.perf_counter()
    assert sum(len(page.candidates) for page in _pages(store)) == _REQUESTS
    return _Took(time.perf_counter() - began, [])


def _pages(store: Store) -> Iterator[Page]:
    page, is_last = Page(None, ()), False
    while not is_last:
        with store.reading() as connection:
            page = current_costs.read_page(connection, _ALL, _CONTEXT, page.end)
        is_last = page.is_last
        yield page


def _stored(path: Path) -> Path:
    """Recorded by a collector that knew no price."""
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=False)
    with _opened(path) as store:
        upgrade(store)
        recording = Recording(
            store.write_engine.dialect, RequestIds(0, 0), LimitBook((), Calendar(), {}), preparer.cost
        )
        for start in range(0, _REQUESTS, 500):
            with store.writing() as connection:
                recording.record(connection, [preparer.prepare(_request(start + n)) for n in range(500)])
        store.checkpoint()
    return path


def _request(number: int) -> Request:
    at = _AT + number * 20 * SECOND
    return Request(
        source=HELICONE,
        external_id=f"id-{number}",
        received_at=at,
        occurred_at=at,
        time_source=TimeSource.PROVIDER,
        provider="openai",
        model=_MODELS[number % len(_MODELS)],
        user_id=f"user-{number % 200}",
        usage=Usage(prompt=1_000 + number % 900, completion=100 + number % 300),
        cost=Cost(),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}")
    try:
        yield store
    finally:
        store.close()
