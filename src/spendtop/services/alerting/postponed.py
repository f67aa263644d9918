"""What of limits could not be evaluated: it waits ever longer for the next try, and is told of meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.untrusted import clean_line

_FIRST_WAIT, _LONGEST_WAIT = MINUTE, 16 * MINUTE
_GONE_AFTER = HOUR
"""What nobody has tried for so long after its time is not there any more."""
_MOST_OF_A_LIMIT = 10
"""Entities of one limit that fail before the whole limit waits."""
_NAMED = 3


class _Failed(NamedTuple):
    times: int
    again_at: int
    """UTC µs."""


class Postponed:
    """Entities of limits whose evaluation failed. Told by the evaluator, read from any thread."""

    def __init__(self) -> None:
        self._failed: Mapping[tuple[str, str], _Failed] = {}

    def add(self, limit: str, entity: str, now: int) -> None:
        """It failed, perhaps once more."""
        before = self._failed.get((limit, entity))
        times = 1 if before is None else before.times + 1
        wait = min(_FIRST_WAIT << (times - 1), _LONGEST_WAIT)
        self._failed = {**self._alive(now), (limit, entity): _Failed(times, now + wait)}

    def remove(self, limit: str, entities: Collection[str]) -> None:
        """They were evaluated."""
        if self._failed:
            evaluated = {(limit, entity) for entity in entities}
            self._failed = {key: each for key, each in self._failed.items() if key not in evaluated}

    def entities(self, now: int) -> Sequence[tuple[str, str]]:
        """Limit and entity of all that wait."""
        return [key for key, each in self._failed.items() if each.again_at > now]

    def failed(self, limit: str) -> Sequence[str]:
        """Entities of a limit that wait or whose time has come again."""
        return [entity for name, entity in self._failed if name == limit]

    def limits(self, now: int) -> Sequence[str]:
        """Limits that wait as a whole, as too many of their entities fail."""
        counted = Counter(limit for limit, _ in self.entities(now))
        return [limit for limit, failed in counted.items() if failed >= _MOST_OF_A_LIMIT]

    def waits(self, limit: str, entity: str, now: int) -> bool:
        return (limit, entity) in self.entities(now) or limit in self.limits(now)

    def words(self, now: int) -> str | None:
        """What is not evaluated, as a sentence."""
        failed = list(self._alive(now))
        if not failed:
            return None
        names = [clean_line(f"{limit} for {entity}" if entity else limit) for limit, entity in failed[:_NAMED]]
        more = [f"{len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
        return (
            f"Limits that cannot be evaluated: {', '.join(names + more)}. The log says why; they are tried again within"
            " 16 minutes, and at once when the configuration is saved. What rolling windows held meanwhile is not told."
        )

    def _alive(self, now: int) -> Mapping[tuple[str, str], _Failed]:
        """All but those that nobody tries any more."""
        return {key: each for key, each in self._failed.items() if each.again_at + _GONE_AFTER > now}
