"""In which order sessions are listed, and how they stand still while somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from spendtop.domain.clock import MINUTE
from spendtop.domain.money import Usd

if TYPE_CHECKING:
    from spendtop.store.reads.sessions import SessionRow

ACTIVE_FOR = 5 * MINUTE
"""A session is active as long after its last request."""


def per_minute(row: SessionRow) -> Usd:
    """Cost per minute from its first to its last request; one shorter than a minute is taken as a minute long."""
    return per_minute_of(row.spend.cost, row.first_at, row.last_at)


def per_minute_of(cost: Usd, first_at: int, last_at: int) -> Usd:
    """The same of any cost between two instants (UTC µs)."""
    return Usd(cost.nano * MINUTE // max(last_at - first_at, MINUTE))


def is_active(row: SessionRow, now: int) -> bool:
    """Whether its last request is only minutes old."""
    return now - row.last_at < ACTIVE_FOR


ORDERS: Mapping[str, Callable[[SessionRow], int]] = {
    "last": lambda row: row.last_at,
    "first": lambda row: row.first_at,
    "cost": lambda row: row.spend.cost.nano,
    "requests": lambda row: row.spend.requests,
    "tokens": lambda row: row.spend.tokens,
    "$/min": lambda row: per_minute(row).nano,
}
"""What sessions can be ordered by."""


def ordered(rows: Sequence[SessionRow], order: str, descending: bool) -> list[SessionRow]:
    return sorted(rows, key=lambda row: (ORDERS[order](row), row.session.raw), reverse=descending)


def in_place(shown: Sequence[SessionRow], rows: Sequence[SessionRow]) -> tuple[list[SessionRow], int]:
    """Newer figures for the sessions that are shown, each in its place, older sessions after them, and how many have
    begun since and are left out."""
    newer = {row.session.raw: row for row in rows}
    kept = [newer.pop(row.session.raw) for row in shown if row.session.raw in newer]
    begun_from = max((row.first_at for row in kept), default=0)
    older = [row for row in newer.values() if row.first_at <= begun_from]
    return [*kept, *older], len(newer) - len(older)
