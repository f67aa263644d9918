"""What a provider says of its own windows of a plan: how much of one is used, and when it begins anew."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from spendtop.domain.clock import DAY, HOUR, MINUTE


class PlanWindow(Struct, frozen=True, kw_only=True):
    """One window as it was told at `at` (UTC µs): the provider's word, and no figure of ours."""

    agent: str
    minutes: int
    """How long the window is."""
    used_percent: float
    resets_at: int | None = None
    """UTC µs."""
    at: int

    @property
    def name(self) -> str:
        """`5h`, `7d`."""
        length = self.minutes * MINUTE
        for unit, letter in ((DAY, "d"), (HOUR, "h")):
            if length % unit == 0:
                return f"{length // unit}{letter}"
        return f"{self.minutes}m"

    def stands(self, now: int) -> bool:
        """Whether it was told by then and no other one has begun since, of which it says nothing."""
        end = self.at + self.minutes * MINUTE if self.resets_at is None else self.resets_at
        return self.at <= now < end


def newest(windows: Iterable[PlanWindow]) -> list[PlanWindow]:
    """What was told last of each window, by agent and length."""
    last: dict[tuple[str, int], PlanWindow] = {}
    for each in windows:
        before = last.get((each.agent, each.minutes))
        if before is None or (before.at, before.used_percent) < (each.at, each.used_percent):
            last[each.agent, each.minutes] = each
    return [last[key] for key in sorted(last)]
