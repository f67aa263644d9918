"""Keeps our slot of a shared store, whatever becomes of the session that holds it."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import DBAPIError

from spendtop.collector.conditions import Conditions
from spendtop.collector.process.store_lock import FileHold, SlotHold
from spendtop.collector.supervisor import pause
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import AlreadyRunning
from spendtop.services.recording.recorder import Recorder

_EVERY = 2.0
"""Seconds between two looks."""


class SlotWatch:
    """Says as the condition `slot` when ours cannot be held."""

    def __init__(self, hold: FileHold | SlotHold, recorder: Recorder, conditions: Conditions) -> None:
        self._hold = hold
        self._recorder = recorder
        self._conditions = conditions

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            await pause(stop, _EVERY)

    def look(self) -> None:
        """Take the slot again where it was lost."""
        try:
            self._hold.renew()
        except AlreadyRunning as refusal:
            amiss: str | None = str(refusal)
        except DBAPIError as failure:
            reason = str(failure.orig).strip().partition("\n")[0]
            amiss = f"The store's server cannot be reached: {reason}. Start it, or check its address."
        else:
            amiss = None
            self._recorder.move_to(self._hold.slot)
        self._conditions.keep("slot", ConditionStatus.DEGRADED, amiss)
