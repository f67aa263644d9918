"""Limits: whose spend, in which window, against which amount."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct

from spendtop.domain.filters.filters import Filter
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.percent import used_percent
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import AgentSource
from spendtop.domain.windows import Window, WindowKind

OWN_DIMENSION = "limit/"
"""What the dimensions of limits with totals of their own begin with."""


class Each(StrEnum):
    """What a template limit makes one limit of: one per value seen."""

    USER = "user"
    MODEL = "model"
    TOKEN = "token"
    SESSION = "session"
    MODEL_FAMILY = "model_family"
    AGENT = "agent"
    """A coding agent of one user: whose blocks of five hours are."""

    def value_of(self, request: Request) -> str | None:
        """The entity that this request counts for, or None when it names none."""
        match self:
            case Each.USER:
                return request.user_id
            case Each.MODEL:
                return request.model
            case Each.TOKEN:
                return request.token
            case Each.SESSION:
                return request.session_id
            case Each.MODEL_FAMILY:
                return family_of(request.model)
            case Each.AGENT:
                return agent_of(request)


def agent_of(request: Request) -> str | None:
    """`claude-code mira`: the coding agent whose call it is, and whose agent that is; None of all other requests."""
    if request.billing is None:
        return None
    named = isinstance(request.source, AgentSource)
    agent = request.source.name if named else (request.properties or {}).get("agent", "")
    return f"{agent} {request.user_id or ''}"


def family_of(model: str | None) -> str | None:
    """The family that a request counts for; None when it names no model."""
    return None if model is None else family(model) or None


class LimitState(StrEnum):
    """How a limit stands; also the words of the alerts about it."""

    OK = "ok"
    APPROACHING = "approaching"
    EXCEEDED = "exceeded"


class Limit(Struct, frozen=True, kw_only=True):
    name: str
    window: Window
    amount: Usd
    warn: tuple[float, ...] = (0.8,)
    """Fractions of the amount at which the limit is approaching, ascending."""
    each: Each | None = None
    where: Filter | None = None
    where_text: str = ""
    notify: tuple[str, ...] | None = None
    """Names of channels; None means all."""
    reserve: str | None = None
    """Model whose price unpriced requests are counted at."""
    measure: LimitedValue = LimitedValue.SPEND

    @property
    def dimension(self) -> str:
        """The dimension of `total` that holds what this limit sums.

        A limit with a scope or a reserve of its own keeps totals of its own, and so do those of families, of agents and
        of API-equivalent value, which are kept by nothing else.
        """
        of_spend = self.measure is LimitedValue.SPEND
        is_kept = self.each not in (Each.MODEL_FAMILY, Each.AGENT)
        if of_spend and is_kept and not self.where_text and self.reserve is None:
            return self.each.value if self.each else "all"
        parts = [str(self.each), self.where_text, str(self.reserve), *([] if of_spend else [self.measure])]
        digest = blake2b("\0".join(parts).encode(), digest_size=8)
        return f"{OWN_DIMENSION}{digest.hexdigest()}"

    def state(self, used: Usd) -> LimitState:
        """Approaching from the first threshold on, exceeded from 100 % on; a single request only above 100 %."""
        if self.window.kind is WindowKind.REQUEST:
            return LimitState.EXCEEDED if used > self.amount else LimitState.OK
        if used >= self.amount:
            return LimitState.EXCEEDED
        if self.warn and used >= self.threshold(self.warn[0]):
            return LimitState.APPROACHING
        return LimitState.OK

    def threshold(self, fraction: float) -> Usd:
        """The use at which this fraction is reached, exactly as the fraction is written."""
        return self.amount.times(Decimal(str(fraction)))

    def fraction(self, used: Usd) -> float:
        """Use as a fraction of the amount, for display."""
        return used.nano / self.amount.nano

    def percent(self, used: Usd) -> str:
        """Use in percent, for people."""
        return used_percent(used.nano, self.amount.nano, self.window.text)
