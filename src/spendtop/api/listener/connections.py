"""All connections of a listener: how many there may be, who makes room for whom, and what is said of those refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from spendtop.api.listener.local_use import is_loopback

_TELLS_EVERY = 60.0
_log = logging.getLogger(__name__)


class Allowance(Struct, frozen=True):
    """What one connection may take, and how many there may be. Seconds and numbers."""

    to_send: float = 10.0
    """For a whole request, plus `per_chunk` for each 256 KiB that have come."""
    per_chunk: float = 1.0
    idle: int = 5
    """Between two requests."""
    after_stop: int = 4
    """For what is being answered when the listener stops."""
    connections: int = 2048
    reserved: int = 256
    """Of the connections; kept for signed events and signs of life, which are never refused for what others do."""
    per_address: int = 32
    """Connections of one address whose request is not complete after `grace`; loopback is exempt."""
    grace: float = 1.0
    """For a request, before its connection may be ended for others: those that come in a burst are all answered."""


class Connection(Protocol):
    """What the table sees of a connection."""

    @property
    def address(self) -> str:
        """Of the other side."""

    @property
    def waits(self) -> bool:
        """Whether it holds no complete request that is being answered."""

    @property
    def waiting_since(self) -> float:
        """Loop time from which on a request has been coming, or none has come."""

    @property
    def is_claimed(self) -> bool:
        """Whether it has shown a signature or a key, be it a good one or not."""

    def abort(self) -> None:
        """End it without a word."""


class ConnectionTable:
    """Who holds a connection. One that is being answered is never ended for another. `now` is loop time."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._connections: set[Connection] = set()
        self._of_address: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._told_at: float | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Connection, now: float) -> None:
        """One more. Where its address has too many that wait, the one that has waited longest is ended."""
        address = connection.address
        self._connections.add(connection)
        self._of_address[address] += 1
        if self._of_address[address] <= self._allowance.per_address or is_loopback(address):
            return
        waiting = [each for each in self._slow(now) if each.address == address]
        if len(waiting) >= self._allowance.per_address:
            self._end(waiting, "for too many of one address")

    def leave(self, connection: Connection) -> None:
        """One less; repeated, it changes nothing."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._of_address[connection.address] -= 1
        if not self._of_address[connection.address]:
            del self._of_address[connection.address]

    def make_room(self, now: float, coming: int) -> bool:
        """Whether one more may enter besides those `coming`; the one that has waited longest is ended if need be."""
        if len(self._connections) + coming < self._allowance.connections:
            return True
        waiting = self._slow(now)
        if waiting:
            self._end(waiting, "to make room for others")
        return bool(waiting)

    @property
    def is_crowded(self) -> bool:
        """Whether only the reserved connections are left, as all others are being answered."""
        unreserved = self._allowance.connections - self._allowance.reserved
        if len(self._connections) <= unreserved:
            return False
        return sum(not each.waits for each in self._connections) >= unreserved

    def refuse(self, why: str) -> None:
        """Count a connection that was refused or ended; `why` goes on after "ended"."""
        self._refused[why] += 1

    def tell_refused(self, now: float) -> None:
        """Log how many were refused, at most once a minute."""
        if not self._refused or (self._told_at is not None and now - self._told_at < _TELLS_EVERY):
            return
        said = ", ".join(f"{number} {why}" for why, number in self._refused.most_common())
        _log.warning("connections were ended: %s; %d are open", said, len(self._connections))
        self._told_at = now
        self._refused.clear()

    def _slow(self, now: float) -> list[Connection]:
        """Those that wait for longer than a request needs that comes at once."""
        until = now - self._allowance.grace
        return [each for each in self._connections if each.waits and each.waiting_since <= until]

    def _end(self, waiting: Iterable[Connection], why: str) -> None:
        longest = min(waiting, key=lambda each: (each.is_claimed, each.waiting_since))
        self.leave(longest)
        longest.abort()
        self.refuse(why)
