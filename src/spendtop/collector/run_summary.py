"""What one run of a collector did, for its last words."""

from __future__ import annotations

from collections.abc import Sequence

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.counted import counted
from spendtop.services.recording.transaction import Outcome


class RunSummary:
    """Counts from `started_at` (UTC µs) on."""

    def __init__(self, started_at: int) -> None:
        self._started_at = started_at
        self._requests = 0
        self._reports = 0
        self._set_aside = 0
        self._alerts = 0

    def recorded(self, outcomes: Sequence[Outcome]) -> None:
        """Called in the writer's thread alone."""
        new = sum(outcome.request is not None for outcome in outcomes)
        set_aside = sum(outcome.status in ("test", "quarantined") for outcome in outcomes)
        self._requests += new
        self._set_aside += set_aside
        self._reports += len(outcomes) - new - set_aside

    def announced(self, alerts: int) -> None:
        self._alerts += alerts

    def farewell(self, now: int, messages: int) -> str:
        """How long it ran, and what came of it; `messages` were sent."""
        counts = (
            counted(self._requests, "request recorded", "requests recorded"),
            counted(self._reports, "further report", "further reports"),
            f"{self._set_aside:,} set aside",
            counted(self._alerts, "alert told", "alerts told"),
            counted(messages, "message sent", "messages sent"),
        )
        return f"Stopped after {_length(max(0, now - self._started_at))}: {', '.join(counts)}. Goodbye."


def _length(micros: int) -> str:
    if micros < MINUTE:
        return f"{micros // SECOND} s"
    if micros < HOUR:
        return f"{micros // MINUTE} min"
    return f"{micros // HOUR} h {micros % HOUR // MINUTE} min"
