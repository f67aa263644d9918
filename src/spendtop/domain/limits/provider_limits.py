"""Limits that providers themselves put on spend: what they tell of them, and how they stand beside ours. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import Subject
from spendtop.domain.limits.forecast import Forecast
from spendtop.domain.limits.limit import Limit, LimitState
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, Window, WindowKind, bounds, parse_duration

INTERVALS = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "month": "month",
    "week": "week",
    "day": "day",
    "lifetime": "lifetime",
}
"""As providers write them, to our words; what is not among them is kept as it is."""
_UTC = Calendar()
_OF_EVERYONE = frozenset({"organization", "usage_tier", "workspace", "billing account"})
"""Scopes that all requests to a provider count for."""
_LEAST_PART = 20
"""The part of a window, as a divisor, that has to be over before its pace says anything; at least an hour."""


class LimitMeasure(StrEnum):
    """How it is known what is used of a limit."""

    TOLD = "told"
    """The provider says it beside the limit."""
    BILLED = "billed"
    """It tells the limit alone: what it billed since the window began."""
    SEEN = "seen"
    """It tells nothing: what its requests cost that were seen here."""


class ProviderLimit(Struct, frozen=True, kw_only=True):
    """One limit as its provider tells it. Names are raw text."""

    scope: str
    """What it holds for: organization, project, workspace, user, key, billing account and the like."""
    subject: str = ""
    """The provider's id of that; empty where there is only one."""
    name: str = ""
    """What people call it."""
    amount: Usd | None
    """None where it is unlimited."""
    used: Usd | None = None
    """None where the provider does not say it."""
    measure: LimitMeasure = LimitMeasure.TOLD
    interval: str
    """day, week, month, lifetime, or a duration such as 30d."""
    resets_at: int | None = None
    """When the next window begins, UTC µs; None where it is the next UTC day, week or month, or never comes."""
    enforced: bool = True
    """Whether requests are refused behind it; else somebody is only told."""

    def bounds(self, now: int) -> Bounds:
        """The window that `now` (UTC µs) lies in, as far as it is known."""
        if self.resets_at is None:
            window = self.window
            return Bounds(None, None) if window.kind is WindowKind.LIFETIME else bounds(window, now, _UTC)
        if now >= self.resets_at:
            return Bounds(self.resets_at, None)
        return Bounds(self._began, self.resets_at)

    @property
    def window(self) -> Window:
        """The window in the words of our own limits; what no calendar has is one without an end that is known."""
        named = self.interval in ("day", "week", "month")
        return Window(WindowKind(self.interval) if named else WindowKind.LIFETIME, self.interval)

    @property
    def _began(self) -> int | None:
        assert self.resets_at is not None
        if self.interval in ("day", "week", "month"):
            return bounds(self.window, self.resets_at - 1, _UTC).start_us
        try:
            return self.resets_at - parse_duration(self.interval)
        except ValueError:
            return None


class ProviderLimitUse(Struct, frozen=True, kw_only=True):
    """A provider's limit as it stands."""

    provider: str
    told: ProviderLimit
    used: Usd | None
    """None where it is not known."""
    bounds: Bounds
    as_of: int
    """When the provider told it, UTC µs."""

    @property
    def kind(self) -> str:
        """Which limit it is, but for whose: `openai project month`. Of what only tells somebody there may be several,
        so that its amount belongs to it."""
        told = self.told
        mail = "" if told.enforced or told.amount is None else f" mail at {told.amount}"
        return f"{self.provider} {told.scope} {told.interval}{mail}"

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others, and stays the same while its figures change."""
        return self.kind, self.told.subject

    @property
    def holder(self) -> str:
        """Whose it is, raw: `project Checkout`; the scope alone where there is only one."""
        return " ".join(filter(None, (self.told.scope, self.told.name or self.told.subject)))

    @property
    def remaining(self) -> Usd | None:
        """What is left; negative where it is exceeded."""
        return None if self.told.amount is None or self.used is None else self.told.amount - self.used

    @property
    def limit(self) -> Limit | None:
        """The same as one of our limits, with the thresholds that ours have; None where it is unlimited."""
        amount = self.told.amount
        if amount is None or amount.nano <= 0:
            return None
        return Limit(name=self.provider, window=self.told.window, amount=amount)

    @property
    def state(self) -> LimitState:
        return LimitState.OK if self.limit is None or self.used is None else self.limit.state(self.used)

    @property
    def fraction(self) -> float:
        """Use as a share of the amount; 0 where one of them is not known."""
        return 0.0 if self.limit is None or self.used is None else self.limit.fraction(self.used)

    def holds_for(self, subject: Subject) -> bool:
        """Whether a request of this subject counts against it, as far as that can be known: a user's by its names, a
        key's by that of the tracking token, unless it is the very key that asked; those of projects never."""
        match self.told.scope:
            case "user":
                return subject.user in (self.told.subject, self.told.name)
            case "key":
                return not self.told.subject or subject.token_name == self.told.name
        return self.told.scope in _OF_EVERYONE

    def forecast(self) -> Forecast | None:
        """How its use goes on if all goes on as so far in its window; None where that cannot be said. What passed here
        is no past of it: others may spend of it, too."""
        start, end, limit = self.bounds.start_us, self.bounds.end_us, self.limit
        if limit is None or self.used is None or start is None or end is None:
            return None
        gone = self.as_of - start
        if gone < max((end - start) // _LEAST_PART, HOUR):
            return Forecast(has_enough=False)
        linear = Usd(self.used.nano * (end - start) // gone)
        left = limit.amount.nano - self.used.nano
        if left <= 0 or self.used.nano <= 0:
            return Forecast(linear=linear)
        reaches = self.as_of + left * gone // self.used.nano
        at = reaches if reaches < end else None
        likely = 0.0 if at is None else 1.0
        return Forecast(reaches_at=at, reaches_low=at, reaches_high=at, likely=likely, linear=linear)
