"""Our ids of requests, 64-bit integers that grow with arrival and never meet another collector's; and ids from sources,
by which requests are found again."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from sqlalchemy import Connection, select

from spendtop.domain.sources import Source, by_trust
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestKeyTable, TokenTable, TotalTable

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


_BY_TOKEN = ("token", "shadow")
"""Dimensions of the totals whose keys are tracking tokens."""
_PER_QUERY = 500


def known_as(connection: Connection, external_id: str) -> list[int]:
    """Our ids of all requests to which a source gave this id, those of the most trusted source first.

    The same id under two tracking tokens is two requests. A request that was purged is still known.
    """
    key = table_of(RequestKeyTable)
    digests = list(dict.fromkeys(_digests(connection, external_id)))
    ids: dict[bytes, int] = {}
    for start in range(0, len(digests), _PER_QUERY):
        part = digests[start : start + _PER_QUERY]
        rows = connection.execute(select(key.c.digest, key.c.request_id).where(key.c.digest.in_(part)))
        ids.update({bytes(row.digest): int(row.request_id) for row in rows})
    return list(dict.fromkeys(ids[digest] for digest in digests if digest in ids))


def _digests(connection: Connection, external_id: str) -> Iterator[bytes]:
    for source in by_trust():
        yield identity(source, external_id)
    by_hand = [source for source in by_trust() if source.written_by_hand]
    for token in _tokens(connection):
        yield from (identity(source, external_id, token) for source in by_hand)


def _tokens(connection: Connection) -> list[str]:
    """All tracking tokens, also deleted ones under which something was counted."""
    token, total = table_of(TokenTable), table_of(TotalTable)
    kept = connection.execute(select(token.c.token).order_by(token.c.id)).scalars()
    counted = connection.execute(select(total.c.key).where(total.c.dimension.in_(_BY_TOKEN)).distinct()).scalars()
    return list(dict.fromkeys([*kept, *counted]))
