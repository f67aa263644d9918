"""The thread that opens the store and looks for news in it and about its collector."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from spendtop.store.engine import Store
    from spendtop.tui.session import AttachedCollector, Session

_LOOK_SECONDS = 0.05
_COLLECTOR_EVERY = 40
"""Looks at the store between two looks at the collector."""


class StoreOpened(Message):
    """The store can be read from now on."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store


class StoreUpgraded(Message):
    """A part of the store's upgrade is done, `share` of it by now, from 0 to 1; it cannot be read before its end."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share


class StoreChanged(Message):
    """Something was committed. Several of them in a row are one."""

    def can_replace(self, message: Message) -> bool:
        """News replaces older news."""
        return isinstance(message, StoreChanged)


class CollectorSeen(Message):
    """Another collector holds the store, or it says something else of itself, or none does any more."""

    def __init__(self, collector: AttachedCollector | None, last_sign: int | None = None) -> None:
        """`last_sign` of life of one that is gone, UTC µs."""
        super().__init__()
        self.collector = collector
        self.last_sign = last_sign


class WatchFailed(Message):
    """A thread ended with an error that ends the program."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.failure = failure


class _Left(Exception):
    """Raised in whoever waits for the store's upgrade, to end the thread."""


class StoreWatch:
    """Posts what it sees; knows no screen."""

    def __init__(self, session: Session, post: Callable[[Message], object], prepare: Callable[[], object]) -> None:
        """`prepare` imports what the first picture needs; it runs in the thread too."""
        self._session = session
        self._post = post
        self._prepare = prepare
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread within one look."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`. An error is posted, not raised."""
        try:
            store = self._session.connect(self._upgraded)
            self._prepare()
            collector = self._session.collector()
            self._tell(collector)
            self._post(StoreOpened(store))
            self._look(store, collector)
        except _Left:
            return
        except BaseException as failure:  # without this thread nothing is shown any more
            self._post(WatchFailed(failure))

    def _tell(self, collector: AttachedCollector | None) -> None:
        self._post(CollectorSeen(collector, self._session.last_sign() if collector is None else None))

    def _upgraded(self, share: float) -> None:
        if self._stopping.is_set():
            raise _Left
        self._post(StoreUpgraded(share))

    def _look(self, store: Store, collector: AttachedCollector | None) -> None:
        from spendtop.store.changes import Changes

        changes = Changes(store)
        try:
            rounds = 0
            while not self._stopping.wait(_LOOK_SECONDS):
                if changes.poll():
                    self._post(StoreChanged())
                rounds += 1
                if rounds % _COLLECTOR_EVERY == 0 and (now := self._session.collector()) != collector:
                    collector = now
                    self._tell(now)
        finally:
            changes.close()
