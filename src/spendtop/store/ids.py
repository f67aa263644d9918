"""Request ids: 64-bit integers that grow with arrival and never meet another collector's; and ids from sources."""

from __future__ import annotations

from hashlib import blake2b

SLOTS = 64
"""How many collectors can share a store."""


class RequestIds:
    """Ids of one collector: arrival in UTC microseconds, times 64, plus the collector's slot."""

    def __init__(self, slot: int, after: int = 0) -> None:
        """`after` is the store's largest id: a clock that went back never makes one again."""
        self.slot = slot
        self._last = after // SLOTS

    def next(self, arrived_at: int) -> int:
        """A new id, larger than every earlier one of this collector."""
        self._last = max(arrived_at, self._last + 1)
        return self._last * SLOTS + self.slot


def arrival(request_id: int) -> int:
    """The microsecond that an id carries."""
    return request_id // SLOTS


_SHARED_SPACES = {"helicone-api": "helicone"}
"""Sources that give one request the same id: a gateway's webhook and its API."""


def identity(source: str, external_id: str) -> bytes:
    """The 16-byte digest under which a source's id is known for ever."""
    space = _SHARED_SPACES.get(source, source)
    return blake2b(f"{space}\0{external_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
