"""Which limits are raised."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from spendtop.domain.limits.raises import Raise, Raises
from spendtop.domain.money import Usd
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitRaiseTable

_RAISE = table_of(LimitRaiseTable)


def raises_in_force(connection: Connection, now: int) -> Raises:
    """Those that hold at `now` (UTC µs), the oldest first."""
    holding = select(_RAISE).where(_RAISE.c.since <= now, _RAISE.c.until > now).order_by(_RAISE.c.id)
    return Raises(tuple(map(from_row, connection.execute(holding))))


def from_row(row: Any) -> Raise:
    return Raise(
        id=row.id,
        limit_name=row.limit_name,
        entity=row.entity,
        amount=Usd(row.amount_nano),
        since=row.since,
        until=row.until,
        by=row.raised_by,
    )
