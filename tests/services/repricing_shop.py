"""A store whose prices change, and pricing it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from spendtop.domain.filters.filters import EVERYTHING, FilterContext, parse_filter
from spendtop.domain.limits.limit import Limit
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Cost, Request, Usage
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.transaction import Outcome
from spendtop.services.repricing import current_costs, repricing
from spendtop.services.repricing.current_costs import CostComparison, Page, as_read_now
from spendtop.services.repricing.repricing import Run
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, request

ALL = RequestQuery(None)
PER_TOKEN = 10**12
"""1 nano-USD per token, as a rate."""


def price(nano: int, version: str = "own", *units: str) -> Price:
    """So many nano-USD for each token, in and out; each of the other units costs a cent."""
    tokens = {unit: Rate(nano * PER_TOKEN) for unit in ("input_tokens", "output_tokens")}
    return Price.of({**tokens, **{unit: Rate(10**19) for unit in units}}, version)


def call(number: object, at: int, prompt: int | None = 1_000, **fields: Any) -> Request:
    """A call that nobody told the cost of, unless `cost` does."""
    values: dict[str, Any] = {"model": "gpt-4o", "cost": Cost(), "usage": Usage(prompt=prompt, completion=0)}
    return replace(request(number, at), **{**values, **fields})


def answer(**usage: Any) -> bytes:
    return msgspec.json.encode({"model": "gpt-4o", "usage": usage})


def forget_usage(store: Store) -> None:
    """As rows of the versions were that kept no usage object."""
    with store.writing() as connection:
        connection.execute(table_of(RequestTable).update().values(provider_usage=None, quantities=None))


class Shop:
    """One collector, its prices, and what it makes of its store with them."""

    def __init__(
        self, store: Store, clock: SettableClock, *limits: Limit, reserves: Mapping[str, Price] | None = None
    ) -> None:
        self.store = store
        self.clock = clock
        self.collecting = Collecting(store, clock, *limits, reserves=reserves)
        self.prices({"gpt-4o": price(2)})

    def prices(self, own: Mapping[str, Price]) -> None:
        """From now on these are the prices."""
        self.pricer = Pricer(own, None, lambda provider, model, terms, at: None)
        self.recording.price = self.pricer.cost
        self._preparer = Preparer(self.pricer, None, keep_bodies=True)

    @property
    def recording(self) -> Any:
        return self.collecting.recording

    @property
    def book(self) -> LimitBook:
        return self.collecting.book

    @property
    def context(self) -> FilterContext:
        return FilterContext(self.clock(), self.book.calendar)

    def record(self, *reports: Request) -> list[Outcome]:
        """Record reports as one group, priced as a collector does."""
        ready = [self._preparer.prepare(report) for report in reports]
        with self.store.writing() as connection:
            outcomes: list[Outcome] = self.recording.record(connection, ready)
            return outcomes

    def begin(self, query: RequestQuery = ALL, text: str = "") -> int:
        with self.store.writing() as connection:
            return repricing.begin(connection, query, text, "ann", self.clock())

    def step(self, run_id: int, meanwhile: Callable[[], object] = lambda: None) -> Run:
        """One page; something else may happen between its reading and its writing."""
        with self.store.reading() as connection:
            page = repricing.next_page(connection, run_id, self.book.calendar)
        differing = list(current_costs.corrections(page.candidates, as_read_now, self.pricer.cost))
        meanwhile()
        with self.store.writing() as connection:
            return repricing.step(connection, run_id, page, differing, self.recording, self.context, as_read_now)

    def reprice(self, text: str = "", since: int | None = None, until: int | None = None) -> Run:
        """A whole run."""
        run_id = self.begin(RequestQuery(parse_filter(text) if text else EVERYTHING, since, until), text)
        return self.go_on(run_id)

    def go_on(self, run_id: int) -> Run:
        while not (run := self.step(run_id)).is_over:
            pass
        return run

    def undo_step(self, run_id: int, by: str = "bob") -> Run:
        with self.store.writing() as connection:
            return repricing.undo_step(connection, run_id, self.recording, self.context, by)

    def undo(self, run_id: int) -> Run:
        while not (run := self.undo_step(run_id)).is_over:
            pass
        return run

    def compare(self) -> CostComparison:
        comparison, page, is_last = CostComparison(self.book.calendar), Page(None, ()), False
        while not is_last:
            with self.store.reading() as connection:
                page = current_costs.read_page(connection, ALL, self.context, page.end)
            comparison.add(page, current_costs.corrections(page.candidates, as_read_now, self.pricer.cost))
            is_last = page.is_last
        return comparison
