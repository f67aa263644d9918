"""Alerts as records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import to_iso
from spendtop.domain.money import Usd

if TYPE_CHECKING:
    from spendtop.store.reads.alerts.attention import AlertRow

COLUMNS = (
    "id",
    "kind",
    "limit",
    "entity",
    "state",
    "severity",
    "crossed_at",
    "resolved_at",
    "used_usd",
    "used_nanousd",
    "limit_usd",
    "limit_nanousd",
    "unpriced",
    "window_start",
    "window_end",
    "acked_at",
    "acked_by",
    "snoozed_until",
)


def record(row: AlertRow) -> dict[str, object]:
    """One alert as JSON values, named as `/alerts` names them; what it says was so when it spoke last."""
    values = (
        row.id,
        row.kind,
        row.limit_name,
        row.entity.raw,
        row.state,
        row.severity,
        to_iso(row.crossed_at),
        _instant(row.resolved_at),
        Usd.float_of(row.used),
        row.used.nano,
        Usd.float_of(row.limit),
        row.limit.nano,
        row.unpriced,
        to_iso(row.window_start),
        _instant(row.window_end),
        _instant(row.acked_at),
        None if row.acked_by is None else row.acked_by.raw,
        _instant(row.snoozed_until),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _instant(at: int | None) -> str | None:
    return None if at is None else to_iso(at)
