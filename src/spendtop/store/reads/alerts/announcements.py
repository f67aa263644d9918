"""What alerts had to say, when, and at which amount, whether a channel heard of it or a silence kept it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, or_, select

from spendtop.domain.alerting.episode import EpisodeState, MessageKind, unusual_words
from spendtop.domain.cost_words import use_words
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd, side_by_side
from spendtop.store.reads.alerts.attention import AlertRow
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTransitionTable

_TRANSITION = table_of(AlertTransitionTable)
_KINDS: Mapping[str, MessageKind] = {
    "anomaly": MessageKind.UNUSUAL,
    "loop": MessageKind.LOOP,
    "balance": MessageKind.LOW_BALANCE,
    "source": MessageKind.STALE,
    "store": MessageKind.NOT_RECORDING,
}
_WITHOUT_AMOUNT = (MessageKind.STALE, MessageKind.NOT_RECORDING)


class AlertAnnouncement(Struct, frozen=True):
    """One thing that an alert had to say."""

    at: int
    """UTC µs."""
    kind: MessageKind
    used: Usd | None
    """None where it names no amount."""
    limit: Usd
    """Of unusual spend: what is usual."""
    unpriced: int
    measure: LimitedValue

    @property
    def words(self) -> str:
        """`exceeded: $5.20 of $5.00`."""
        return self.kind.value if self.used is None else f"{self.kind}: {self._amounts(self.used)}"

    def _amounts(self, used: Usd) -> str:
        match self.kind:
            case MessageKind.UNUSUAL:
                return unusual_words(used, self.limit)
            case MessageKind.LOOP:
                return str(used)
            case MessageKind.LOW_BALANCE:
                return " of ".join(side_by_side(used, self.limit))
        return use_words(used, self.unpriced, self.limit, self.measure)


def announcements_of(connection: Connection, alerts: Sequence[AlertRow]) -> Mapping[int, tuple[AlertAnnouncement, ...]]:
    """By alert, the oldest first; alerts that said nothing that is known are left out."""
    rows = {row.id: row for row in alerts}
    before = (_before(_TRANSITION.c.spoke), _before(_TRANSITION.c.falls))
    each = select(_TRANSITION, *before).where(_TRANSITION.c.alert_id.in_(rows)).subquery()
    # Of what is not kept of an alert's begin it is not known when it was said.
    spoke = or_(each.c.spoke > each.c.spoke_before, (each.c.version == 1) & (each.c.spoke > 0))
    announced: defaultdict[int, list[AlertAnnouncement]] = defaultdict(list)
    for row in connection.execute(select(each).where(spoke).order_by(each.c.alert_id, each.c.version)):
        announced[row.alert_id].append(_announcement(row, rows[row.alert_id]))
    return {alert_id: tuple(several) for alert_id, several in announced.items()}


def _before(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What the transition before held."""
    before = func.lag(column).over(partition_by=_TRANSITION.c.alert_id, order_by=_TRANSITION.c.version)
    return before.label(f"{column.name}_before")


def _announcement(row: Any, alert: AlertRow) -> AlertAnnouncement:
    is_limit = alert.kind == "limit"
    kind = _kind(row, alert)
    names_amount = kind not in _WITHOUT_AMOUNT and (is_limit or kind is not MessageKind.RESOLVED)
    used = Usd(row.used_nano) if names_amount else None
    return AlertAnnouncement(row.at, kind, used, Usd(row.limit_nano), row.unpriced, alert.measure)


def _kind(row: Any, alert: AlertRow) -> MessageKind:
    """An alert that fell back to a lower threshold says that the higher one is over."""
    if row.state == EpisodeState.RESOLVED or row.falls > (row.falls_before or 0):
        return MessageKind.RESOLVED
    return _KINDS.get(alert.kind) or MessageKind(row.state)
