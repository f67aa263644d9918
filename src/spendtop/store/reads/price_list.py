"""Which price list the collector prices by, as it says itself: no face loads a list to show that."""

from __future__ import annotations

from msgspec import Struct, json
from sqlalchemy import Connection

from spendtop.domain.pricing.list_version import ListVersion
from spendtop.store import facts

_NAME = "price_list"
_LATE = 3
"""A list that was fetched so many times its interval ago is old."""


class PriceListState(Struct, frozen=True, kw_only=True):
    """Of the collector that spoke last, where several share a store: each fetches for itself."""

    version: ListVersion
    at: int
    """When the collector said so, UTC µs."""
    every: int | None = None
    """How often it is fetched, in µs; None where it is not."""
    problem: str | None = None
    """A sentence: why it is not the one that it should be."""

    def is_old(self, now: int) -> bool:
        """Whether it should have been fetched again long ago."""
        if self.every is None:
            return False
        return self.version.as_of is None or now - self.version.as_of > _LATE * self.every


def keep(connection: Connection, state: PriceListState) -> None:
    facts.put(connection, _NAME, json.encode(state).decode())


def price_list(connection: Connection) -> PriceListState | None:
    """None while no collector has loaded a list on this store."""
    written = facts.get(connection, _NAME)
    return None if written is None else json.decode(written, type=PriceListState)
