"""When a store was collected for first: what happened before is history, not something that was missed."""

from __future__ import annotations

from sqlalchemy import Connection

from spendtop.store import facts


def first_start(connection: Connection, now: int) -> int:
    """When a collector first started on this store, UTC µs; `now` where none ever did."""
    known = facts.get(connection, facts.FIRST_START)
    if known is not None:
        return int(known)
    facts.put(connection, facts.FIRST_START, str(now))
    return now
