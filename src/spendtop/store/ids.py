"""Our ids of requests, 64-bit integers that grow with arrival and never meet another collector's; and what makes an id
from a source unique."""

from __future__ import annotations

from hashlib import blake2b

from spendtop.domain.sources.records import Source

SLOTS = 64
"""How many can record into one store at once."""
COMMAND_SLOT = SLOTS - 1
"""Reserved for commands; collectors take the others."""


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


def identity(source: Source, external_id: str, scope: str = "") -> bytes:
    """The 16-byte digest under which a source's id is known for ever. `scope` is what the id is unique within."""
    inside = f"{scope}\0" if scope else ""
    text = f"{source.space}\0{inside}{external_id}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def former_identity(request_id: int) -> bytes:
    """The 16-byte digest under which a request is known that turned out to be another one."""
    return blake2b(f"former\0{request_id}".encode(), digest_size=16).digest()
