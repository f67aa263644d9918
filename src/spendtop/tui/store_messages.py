"""News about the store, and when to read it again: at once after a quiet while, then at a steady pace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from spendtop.store.engine import Store
    from spendtop.tui.session import Collector

POLL_SECONDS = 0.05
PACE_SECONDS = 0.3
SLOW_PACE_SECONDS = 2.0
STALE_SECONDS = 15.0
"""A picture is read again after so long without news, because windows of time move on."""


class StoreOpened(Message):
    """The store can be read from now on."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store


class StoreChanged(Message):
    """Something was committed. Several of them in a row are one."""

    def can_replace(self, message: Message) -> bool:
        """News replaces older news."""
        return isinstance(message, StoreChanged)


class CollectorSeen(Message):
    """Another collector holds the store, or none does any more."""

    def __init__(self, collector: Collector | None) -> None:
        super().__init__()
        self.collector = collector


class Failed(Message):
    """A thread ended with an error that ends the program."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure


@dataclass(slots=True)
class Pace:
    """Times in seconds of a monotonic clock. At most one read runs; news meanwhile leads to one more."""

    interval: float
    _started: float = field(default=float("-inf"))
    _running: bool = False
    _waiting: bool = False
    _again: bool = False

    def news(self, now: float) -> float | None:
        """In how many seconds to start a read; None when one is already due or running."""
        if self._running:
            self._again = True
            return None
        if self._waiting:
            return None
        self._waiting = True
        return max(0.0, self._started + self.interval - now)

    def start(self, now: float) -> None:
        """A read starts."""
        self._started, self._running, self._waiting, self._again = now, True, False, False

    def finish(self, now: float) -> float | None:
        """A read ended. In how many seconds to start the next one, if there was news meanwhile."""
        self._running = False
        return self.news(now) if self._again else None

    def stale(self, now: float) -> bool:
        """Whether the last read is so old that another is due without news."""
        return not self._running and not self._waiting and now - self._started >= STALE_SECONDS
