"""What one user spent, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection, select

from spendtop.store.engine import Store
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import scope, spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_AT_ONCE = 31


@dataclass(frozen=True, slots=True)
class DaySpend:
    """Spend of the local day that begins at `start` (UTC µs)."""

    start: int
    spend: Spend


def is_known_user(connection: Connection, user: str) -> bool:
    """Whether anything was ever recorded of this user, also what is purged by now."""
    request, total = table_of(RequestTable), table_of(TotalTable)
    counted = select(total.c.bucket).where(total.c.dimension == "user", total.c.key == user).limit(1)
    stored = select(request.c.id).where(scope("user", user)).limit(1)
    return any(connection.execute(statement).first() is not None for statement in (counted, stored))


def user_days(store: Store, user: str, starts: Sequence[int]) -> tuple[DaySpend, ...]:
    """Exact spend of each day between two of these instants (UTC µs, ascending), also of those without any.

    A month's days at a time are read in a transaction of their own.
    """
    days = list(pairwise(starts))
    found: list[DaySpend] = []
    for begin in range(0, len(days), _AT_ONCE):
        with store.reading() as connection:
            for since, until in days[begin : begin + _AT_ONCE]:
                found.append(DaySpend(since, spend(connection, since, until, "user", user)))
    return tuple(found)
