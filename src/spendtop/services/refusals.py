"""What sources pushed and the listener refused, counted by the hour; no money is in it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from spendtop.domain.clock import HOUR
from spendtop.store.statements import insert_or_add
from spendtop.store.tables import TotalTable

REFUSED = "refused"
"""Dimension of `total`; its keys are `source/reason`."""


def note(connection: Connection, counts: Mapping[tuple[str, str], int], now: int, shard: int) -> None:
    """Add refusals of this hour, by source and reason."""
    hour = now - now % HOUR
    rows = [
        (REFUSED, f"{source}/{reason}", hour, shard, count, 0, 0, 0, 0, 0)
        for (source, reason), count in sorted(counts.items())
    ]
    insert_or_add(TotalTable, connection.dialect).run_many(connection, rows)
