"""The thread that opens the store and looks for news in it and about its collector."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from spendtop.tui.session import Collector, Session
from spendtop.tui.store_messages import POLL_SECONDS, CollectorSeen, Failed, StoreChanged, StoreOpened

if TYPE_CHECKING:
    from spendtop.store.engine import Store

_COLLECTOR_EVERY = 40
"""Looks at the store between two looks at the collector."""


class StoreWatch:
    """Posts what it sees; knows no screen."""

    def __init__(self, session: Session, post: Callable[[Message], object]) -> None:
        self._session = session
        self._post = post
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread within one look."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`. An error is posted, not raised."""
        try:
            store = self._session.connect()
            importlib.import_module("spendtop.tui.reading")
            collector = self._session.collector()
            self._post(CollectorSeen(collector))
            self._post(StoreOpened(store))
            self._look(store, collector)
        except Exception as failure:
            self._post(Failed(failure))

    def _look(self, store: Store, collector: Collector | None) -> None:
        from spendtop.store.changes import Changes

        changes = Changes(store)
        try:
            rounds = 0
            while not self._stopping.wait(POLL_SECONDS):
                if changes.poll():
                    self._post(StoreChanged())
                rounds += 1
                if rounds % _COLLECTOR_EVERY == 0 and (now := self._session.collector()) != collector:
                    collector = now
                    self._post(CollectorSeen(now))
        finally:
            changes.close()
