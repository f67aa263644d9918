"""What is amiss with this collector now: one list behind /health, the announcement beside the store and the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock
from typing import Literal

from spendtop.domain.clock import Clock
from spendtop.domain.condition import Condition, ConditionStatus

_log = logging.getLogger(__name__)
_LEVELS = {
    ConditionStatus.NOTICE: logging.WARNING,
    ConditionStatus.DEGRADED: logging.WARNING,
    ConditionStatus.DOWN: logging.ERROR,
}
_WORST_FIRST = (ConditionStatus.DOWN, ConditionStatus.DEGRADED, ConditionStatus.NOTICE)


class Conditions:
    """May be told from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._present: Mapping[str, Condition] = {}

    def begin(self, name: str, status: ConditionStatus, sentence: str) -> None:
        """Something is amiss; told again, it keeps its start. Logged once, and again when it gets worse or better."""
        with self._lock:
            before = self._present.get(name)
            since = self._clock() if before is None else before.since
            condition = Condition(name=name, status=status, sentence=sentence, since=since)
            self._present = {**self._present, name: condition}
        if before is None or before.status != status:
            _log.log(_LEVELS[status], "%s: %s", name, sentence)

    def end(self, name: str) -> None:
        """It is well again, if it was not."""
        with self._lock:
            before = self._present.get(name)
            self._present = {other: condition for other, condition in self._present.items() if other != name}
        if before is not None:
            _log.info("%s: well again after %d s", name, (self._clock() - before.since) // 1_000_000)

    def keep(self, name: str, status: ConditionStatus, sentence: str | None) -> None:
        """It is amiss as `sentence` says, or well where that is None."""
        if sentence is None:
            self.end(name)
        else:
            self.begin(name, status, sentence)

    @property
    def present(self) -> tuple[Condition, ...]:
        """What is amiss now, the worst first, then the oldest."""
        return tuple(
            sorted(
                self._present.values(),
                key=lambda condition: (_WORST_FIRST.index(condition.status), condition.since, condition.name),
            )
        )

    @property
    def status(self) -> Literal["healthy", "degraded", "down"]:
        present = self.present
        if not present or present[0].status is ConditionStatus.NOTICE:
            return "healthy"
        return "down" if present[0].status is ConditionStatus.DOWN else "degraded"
