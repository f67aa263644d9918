"""Limits: whose spend, in which window, against which amount."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct

from spendtop.domain.filters.filters import Filter
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.percent import used_percent
from spendtop.domain.requests.request import Request
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

    @property
    def dimension(self) -> str:
        """The dimension of `total` that holds this limit's spend.

        A limit with a scope or a reserve of its own keeps totals of its own, and so do limits of families, which are
        kept by nothing else.
        """
        if not self.where_text and self.reserve is None and self.each is not Each.MODEL_FAMILY:
            return self.each.value if self.each else "all"
        digest = blake2b(f"{self.each}\0{self.where_text}\0{self.reserve}".encode(), digest_size=8)
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
