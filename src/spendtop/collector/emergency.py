"""Messages about what stops recording. They go to the channels at once and by themselves, as the store, through which
all other messages go, may be what is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from hashlib import sha256

from spendtop.alerts.backoff import Timing, next_try
from spendtop.alerts.courier import Courier, delivery_job
from spendtop.alerts.delivery_process import DeliveryOutcome
from spendtop.alerts.message_text import Dispatch
from spendtop.collector.conditions import Conditions
from spendtop.collector.supervisor import pause
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import MINUTE, SECOND, Clock
from spendtop.domain.condition import Condition, ConditionStatus

_LOOK = 1.0
_LASTS = 3 * SECOND
"""What is over sooner, such as a database's restart, is told to nobody."""
_AGAIN = 15 * MINUTE
"""What comes and goes is told once in so much time, in µs."""
_OWNED_WITHIN = MINUTE
"""Of the collectors that share a PostgreSQL, the one that delivered until so long ago tells of its loss."""
_log = logging.getLogger(__name__)


class EmergencyMessages:
    """One message to each channel for each condition that stops recording, tried again while the condition lasts."""

    def __init__(
        self,
        conditions: Conditions,
        channels: Callable[[], Mapping[str, str]],
        courier: Courier,
        clock: Clock,
        owns: Callable[[], bool],
        zone: Callable[[], str],
        sender: Callable[[], str],
        timing: Timing | None = None,
    ) -> None:
        """`channels` gives the URL of each channel by name, `zone` the one in which instants are told, `sender` what
        the machine is called in messages."""
        self._conditions = conditions
        self._channels = channels
        self._courier = courier
        self._clock = clock
        self._owns = owns
        self._zone = zone
        self._sender = sender
        self._timing = timing or Timing()
        self._owned_at: int | None = None
        self._told: dict[str, Condition] = {}
        """By name, the latest that was told."""
        self._told_at: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look for conditions and tell of them, until the stop event."""
        async with asyncio.TaskGroup() as tasks:
            telling: set[asyncio.Task[None]] = set()
            while not stop.is_set():
                for condition in self._new():
                    for name, url in self._channels().items():
                        task = tasks.create_task(self._tell(name, url, condition))
                        telling.add(task)
                        task.add_done_callback(telling.discard)
                await pause(stop, _LOOK)
            for task in telling:
                task.cancel()

    def _new(self) -> list[Condition]:
        now = self._clock()
        if self._owns():
            self._owned_at = now
        if self._owned_at is None or now - self._owned_at > _OWNED_WITHIN:
            return []
        found = [each for each in self._conditions.present if self._is_due(each, now)]
        for condition in found:
            self._told[condition.name], self._told_at[condition.name] = condition, now
        return found

    def _is_due(self, condition: Condition, now: int) -> bool:
        if condition.status is not ConditionStatus.DOWN or now - condition.since < _LASTS:
            return False
        told = self._told.get(condition.name)
        return told is None or (told.since != condition.since and now - self._told_at[condition.name] >= _AGAIN)

    async def _tell(self, channel: str, url: str, condition: Condition) -> None:
        began, attempts = self._clock(), 0
        ref = sha256(f"{condition.name} {condition.since}".encode()).hexdigest()
        while True:
            attempts += 1
            job = delivery_job(
                url,
                _message(condition, self._zone()),
                Dispatch(sender=self._sender(), ref=ref, attempt=attempts),
                severity=MessageKind.NOT_RECORDING.severity,
                deadline=self._timing.deadline,
            )
            result = await self._courier.deliver(job)
            if result.outcome is DeliveryOutcome.SENT:
                return
            _log.warning("channel %s: %s (%s)", channel, result.detail, result.outcome)
            again = next_try(
                self._timing,
                result,
                attempts=attempts,
                created_at=began,
                now=self._clock(),
                spread=random.uniform(0.8, 1.2),
            )
            if again is None:
                return
            await asyncio.sleep(max(0, again - self._clock()) / SECOND)
            if all(each.since != condition.since for each in self._conditions.present if each.name == condition.name):
                return


def _message(condition: Condition, zone: str) -> Message:
    return Message(
        kind=MessageKind.NOT_RECORDING,
        limit_name=condition.name,
        at=condition.since,
        zone=zone,
        lines=tuple(condition.sentence.splitlines()),
    )
