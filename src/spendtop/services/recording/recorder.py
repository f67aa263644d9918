"""The one seam through which everything is recorded: prepare, queue, commit, tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from sqlalchemy import Connection

from spendtop.domain.requests.request import Cost, Event, Request
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer, Ready, without_body
from spendtop.services.recording.transaction import Outcome, Recording
from spendtop.store.dictionaries import Dictionary
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.reads.requests.lists import newest_id
from spendtop.store.writer import Writer

_SMALL = 64 * 1024
"""Bytes of prompt and response. To prepare more takes milliseconds, for which the writer would keep others waiting."""


class Recorder(Writer[Ready, Outcome]):
    """The writer that records events of all sources, webhook, poll and push alike. Nothing else writes requests."""

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
            self._ids = RequestIds(slot, newest_id(connection))
        self._recording = Recording(store.write_engine.dialect, self._ids, book, preparer.cost)
        self._on_recorded = on_recorded
        self.keeps_bodies = True
        """Whether there is room for prompts and responses."""
        self.dictionary: Dictionary | None = None
        """By which prompts and responses are packed; None for the one that is shipped."""
        self._prices = prices
        self._early: deque[tuple[Sequence[Event], Callable[[Sequence[Outcome] | Exception], None], float]] = deque()
        super().__init__(store, self._recording.record, on_commit)

    @property
    def recording(self) -> Recording:
        """What records inside a transaction that `run` opened."""
        return self._recording

    def move_to(self, slot: int) -> None:
        """Number requests and totals by another slot from the next event on."""
        self._ids.slot = slot

    @property
    def book(self) -> LimitBook:
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

        A small one is prepared there as well, together with others; for more the caller's thread takes its time.
        `patience` is how many seconds a locked, full or absent store is waited for before CannotWrite.
        Raises CannotWrite once the recorder is stopped.
        """

        def tell(outcomes: Sequence[Outcome] | Exception) -> None:
            done(outcomes)
            if not isinstance(outcomes, Exception):
                self._on_recorded(outcomes)

        if self._prices is None or self._prices.done():
            if _is_small(events):
                self.queue_unready(partial(self.prepare, events), len(events), tell, patience)
            else:
                self.queue(self.prepare(events), tell, patience)
        else:
            self._early.append((events, tell, patience))
            self._prices.add_done_callback(self._submit_early)

    def _submit_early(self, _prices: Future[None]) -> None:
        """Submit the next of those that came before the prices. They wait in a queue of ours, as a future never lets
        go of its callbacks, nor of the prompts and responses that these would hold."""
        events, done, patience = self._early.popleft()
        try:
            self.queue(self.prepare(events), done, patience)
        except Exception as failure:  # nobody who could be raised to is left
            done(failure)

    def cost(self, request: Request) -> Cost:
        return self._preparer.cost(request)

    def prepare(self, events: Sequence[Event]) -> list[Ready]:
        """Price, redact and pack events ahead of their transaction, in any thread."""
        dictionary = None if self.dictionary is None else self.dictionary.id
        prepared = [self._preparer.prepare(event, dictionary) for event in events]
        return prepared if self.keeps_bodies else [without_body(each) for each in prepared]

    def record_prepared(self, connection: Connection, ready: Sequence[Ready]) -> list[Outcome]:
        """Record what is prepared inside a transaction that `run` opened."""
        return self._recording.record(connection, ready)


def _is_small(events: Sequence[Event]) -> bool:
    """Whether it is one request that is prepared at once."""
    if len(events) != 1 or not isinstance(events[0], Request):
        return False
    return len(events[0].request_body or b"") + len(events[0].response_body or b"") <= _SMALL
