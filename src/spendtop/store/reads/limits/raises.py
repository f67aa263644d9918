"""Which limits are raised."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, select

from spendtop.domain.limits.raises import Raise, Raises
from spendtop.domain.money import Usd
from spendtop.store.fixed_select import FixedSelect
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitRaiseTable

_RAISE = table_of(LimitRaiseTable)
_NOW = bindparam("now", type_=BigInteger())
_IN_FORCE = FixedSelect(select(_RAISE).where(_RAISE.c.since <= _NOW, _RAISE.c.until > _NOW).order_by(_RAISE.c.id))


def raises_in_force(connection: Connection, now: int) -> Raises:
    """Those that hold at `now` (UTC µs), the oldest first."""
    return Raises(tuple(map(from_row, _IN_FORCE.run(connection, {"now": now}))))


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
