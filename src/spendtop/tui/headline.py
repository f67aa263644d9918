"""What the status line says on every screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendtop.domain.money import Usd
    from spendtop.domain.windows import Bounds, Calendar
    from spendtop.store.reads.applied_config import Applied, ConfigChange
    from spendtop.store.reads.attention import Attention
    from spendtop.store.reads.limits import LimitUse
    from spendtop.store.reads.rows import Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The bill in one line, as of `at` (UTC µs)."""

    at: int
    today: Spend
    last_hour: Spend
    baseline: Usd | None
    """Spend of the same hour yesterday."""
    worst: LimitUse | None
    """The fullest limit."""
    attention: Attention
    recorded: int
    """Requests in the store: zero on a first run."""
    day: Bounds
    calendar: Calendar
    applied: Applied | None
    """What the collector applied; None before any collector ran."""
    config_news: ConfigChange | None
    """What the last change of the configuration did."""

    @property
    def trend(self) -> float | None:
        """The last hour against the same hour yesterday, as a signed share; None without one to compare."""
        if self.baseline is None or not self.baseline.nano:
            return None
        return self.last_hour.cost.nano / self.baseline.nano - 1
