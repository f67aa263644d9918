"""The one seam through which everything is recorded: prepare, queue, commit, tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from sqlalchemy import Connection

from spendtop.domain.request import Cost, Event, Request
from spendtop.services.limit_book import LimitBook
from spendtop.services.preparation import Preparer, Ready
from spendtop.services.recording import Outcome, Recording
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.reads.requests import newest_id
from spendtop.store.writer import Writer

Result = TypeVar("Result")


class Recorder:
    """Records events of all sources, webhook, poll and push alike. Nothing else writes requests."""

    def __init__(
        self,
        store: Store,
        preparer: Preparer,
        book: LimitBook,
        slot: int = 0,
        on_recorded: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
        on_commit: Callable[[], None] = lambda: None,
        prices: Future[None] | None = None,
    ) -> None:
        """`on_recorded` and `on_commit` are called in the writer's thread and must be quick.

        `prices` is done once the price list is loaded. What is submitted earlier is prepared in the thread that loads
        it, as the caller's is mostly the event loop, which must not wait for that.
        """
        self._preparer = preparer
        with store.reading() as connection:
            ids = RequestIds(slot, newest_id(connection))
        self._recording = Recording(store.write_engine.dialect, ids, book, preparer.cost)
        self._on_recorded = on_recorded
        self._prices = prices
        self._writer: Writer[Ready, Outcome] = Writer(store, self._recording.record, on_commit)

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    def stop(self, patience: float | None = None) -> None:
        """Commit all that was submitted, then stop the writer; wait for that at most `patience` seconds."""
        self._writer.stop(patience)

    @property
    def alive(self) -> bool:
        """Whether the writer runs; without it nothing can be recorded."""
        return self._writer.alive

    @property
    def waiting(self) -> int:
        """How much is queued."""
        return self._writer.waiting

    @property
    def book(self) -> LimitBook:
        """The limits in force."""
        return self._recording.book

    def apply(self, preparer: Preparer, book: LimitBook) -> None:
        """Record by a new configuration from the next event on."""
        self._preparer = preparer
        self._recording.book, self._recording.price = book, preparer.cost

    def submit(
        self,
        events: Sequence[Event],
        done: Callable[[Sequence[Outcome] | Exception], None],
        patience: float = 60.0,
    ) -> None:
        """Record events durably. `done` is called in the writer's thread, after the commit or with the failure.

        `patience` is how many seconds a locked, full or absent store is waited for before CannotWrite.
        Raises CannotWrite once the recorder is stopped.
        """

        def told(outcomes: Sequence[Outcome] | Exception) -> None:
            done(outcomes)
            if not isinstance(outcomes, Exception):
                self._on_recorded(outcomes)

        if self._prices is None or self._prices.done():
            self._writer.submit(self.prepare(events), told, patience)
        else:
            self._prices.add_done_callback(lambda prices: self._submit_late(events, told, patience))

    def _submit_late(
        self, events: Sequence[Event], done: Callable[[Sequence[Outcome] | Exception], None], patience: float
    ) -> None:
        try:
            self._writer.submit(self.prepare(events), done, patience)
        except Exception as failure:  # nobody who could be raised to is left
            done(failure)

    def run(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Run any other write in a transaction of its own, in turn with the groups."""
        return self._writer.run(work)

    def cost(self, request: Request) -> Cost:
        """What a request costs by the prices in force."""
        return self._preparer.cost(request)

    def prepare(self, events: Sequence[Event]) -> list[Ready]:
        """Price, redact and pack events ahead of their transaction, in any thread."""
        return [self._preparer.prepare(event) for event in events]

    def record_prepared(self, connection: Connection, ready: Sequence[Ready]) -> list[Outcome]:
        """Record what is prepared inside a transaction that `run` opened."""
        return self._recording.record(connection, ready)

    def record_within(self, connection: Connection, events: Sequence[Event]) -> list[Outcome]:
        """Record events inside a transaction that `run` opened."""
        return self.record_prepared(connection, self.prepare(events))
