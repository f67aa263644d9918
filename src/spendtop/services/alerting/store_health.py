"""Alerts about the store itself: it cannot be written, its disk is full or short, or writing is held up.

Each stands as long as the condition does. What could not be written down while it lasted is written once it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from spendtop.domain.alerting.episode import EpisodeState
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.services.alerting import alert_rows
from spendtop.store.reads.alerts.attention import STORE_RULE
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

ABOUT = frozenset({"store", "disk", "writer", "bodies"})
"""Names of the conditions that are alerts."""
_ALERT = table_of(AlertTable)


class StoreTrouble(Struct, frozen=True):
    """A condition that stands, or that is over."""

    condition: Condition
    over_at: int | None = None
    """UTC µs."""

    @property
    def rule(self) -> str:
        return STORE_RULE + self.condition.name


def keep(connection: Connection, troubles: Sequence[StoreTrouble], now: int) -> None:
    """Bring the alerts to what is amiss: `troubles` are all that stand, and what is over since the last time."""
    standing = select(_ALERT).where(
        _ALERT.c.rule.startswith(STORE_RULE, autoescape=True), _ALERT.c.resolved_at.is_(None)
    )
    rows = {row.rule: row for row in connection.execute(standing)}
    stand = {trouble.rule for trouble in troubles if trouble.over_at is None}
    over = {trouble.rule: trouble.over_at for trouble in troubles if trouble.over_at is not None}
    for rule, row in rows.items():
        if rule not in stand:
            _resolve(connection, row, over.get(rule) or now)
    for trouble in troubles:
        if trouble.rule not in rows:
            _begin(connection, trouble, now)


def _resolve(connection: Connection, row: Any, at: int) -> None:
    values = {"state": EpisodeState.RESOLVED.value, "resolved_at": at}
    alert_rows.change_all(connection, _ALERT.c.id == row.id, values, at)


def _begin(connection: Connection, trouble: StoreTrouble, now: int) -> None:
    """One that is over already never calls for anybody."""
    condition, is_down = trouble.condition, trouble.condition.status is ConditionStatus.DOWN
    same = (_ALERT.c.rule == trouble.rule, _ALERT.c.window_start == condition.since)
    if connection.execute(select(_ALERT.c.id).where(*same)).first() is not None:
        return
    state = EpisodeState.EXCEEDED if is_down else EpisodeState.APPROACHING
    begun = {
        "rule": trouble.rule,
        "entity": "",
        "window_start": condition.since,
        "state": (state if trouble.over_at is None else EpisodeState.RESOLVED).value,
        "severity": "critical" if is_down else "warning",
        "announced": 1.0,
        "used_nano": 0,
        "limit_nano": 0,
        "crossed_at": condition.since,
        "resolved_at": trouble.over_at,
    }
    alert_rows.begin(connection, begun, now)
