"""What people did about alerts, and when: the history of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from spendtop.domain.untrusted import Untrusted
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertActionTable

_ACTION = table_of(AlertActionTable)
_WORDS = {"ack": "acked", "snooze": "snoozed", "unack": "unacked", "undo": "took the last back"}


@dataclass(frozen=True, slots=True)
class AlertDeed:
    """One ack, snooze, or what took that back."""

    at: int
    """UTC µs."""
    by: Untrusted
    what: str
    until: int | None
    """When a snooze ends, UTC µs."""

    @property
    def words(self) -> str:
        """What was done: `snoozed`."""
        return _WORDS.get(self.what, self.what)


def deeds_of(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, tuple[AlertDeed, ...]]:
    """By alert, the oldest first; alerts about which nobody did anything are left out."""
    deeds: defaultdict[int, list[AlertDeed]] = defaultdict(list)
    query = select(_ACTION).where(_ACTION.c.alert_id.in_(alert_ids)).order_by(_ACTION.c.id)
    for row in connection.execute(query):
        deeds[row.alert_id].append(AlertDeed(row.at, Untrusted(row.who), row.what, row.until))
    return {alert_id: tuple(each) for alert_id, each in deeds.items()}
