"""What a channel does not take for good is told to another one, its fallback, which then hears too when it is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import MINUTE
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.outbox import DeliveryState
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryTable

_DELIVERY = table_of(DeliveryTable)
_UNTOLD = (MessageKind.TEST.value, MessageKind.UNDELIVERED.value)
"""Whoever tests a channel looks at what comes of it; and what a fallback does not take either goes nowhere else."""


class Fallbacks(Struct, frozen=True):
    """Names of the channels that are told."""

    default: str | None = None
    of_rules: Mapping[str, str] = {}
    """By rule of alerts, for limits with one of their own."""

    def of(self, rule: str | None) -> str | None:
        return self.of_rules.get(rule or "", self.default)


def tell(connection: Connection, dead: Sequence[int], fallbacks: Fallbacks, now: int) -> None:
    """Queue for the fallbacks which of these messages are dead, and why."""
    lost = select(_DELIVERY).where(
        _DELIVERY.c.id.in_(dead), _DELIVERY.c.state == DeliveryState.DEAD, _DELIVERY.c.kind.not_in(_UNTOLD)
    )
    by_fallback: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in connection.execute(lost.order_by(_DELIVERY.c.id)):
        fallback = fallbacks.of(row.rule)
        if fallback is not None and fallback != row.channel:
            by_fallback[fallback, row.channel].append(row)
    for (fallback, channel), rows in by_fallback.items():
        _tell(connection, fallback, channel, rows, now)


def _tell(connection: Connection, fallback: str, channel: str, lost: Sequence[Any], now: int) -> None:
    """At once, or with others of the same channel at the end of the minute."""
    level = (fallback, f"channel/{channel}", MessageKind.UNDELIVERED)
    ids = [row.id for row in lost]
    waiting = outbox_rules.gathering(connection, *level, now)
    if waiting is not None:
        said = msgspec.json.decode(waiting.payload, type=Message)
        outbox_rules.rewrite(connection, waiting.id, replace(said, others=said.others + len(lost)))
        outbox_rules.tell_of_same(connection, waiting.id, ids, now)
        return
    began = outbox_rules.minute_began(connection, *level, now)
    first = msgspec.json.decode(lost[0].payload, type=Message)
    queued = outbox_rules.enqueue(
        connection,
        alert_id=None,
        rule=level[1],
        seq=lost[0].id,
        message=Message(
            kind=MessageKind.UNDELIVERED,
            limit_name=channel,
            lost=first,
            others=len(lost) - 1,
            lines=(lost[0].last_error,) if lost[0].last_error else (),
            zone=first.zone,
            at=lost[0].created_at,
        ),
        severity=lost[0].severity,
        channels=[fallback],
        now=now,
        gathers_until=None if began is None else began + MINUTE,
    )
    for number in queued:
        outbox_rules.tell_of_same(connection, number, ids, now)
