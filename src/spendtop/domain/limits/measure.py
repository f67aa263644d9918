"""What a limit sums. It loads nothing, as whatever writes an amount needs it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendtop.domain.money import Usd
    from spendtop.domain.requests.request import Cost, RequestFields


class LimitedValue(StrEnum):
    """What a limit sums: what was spent, or what usage under a plan would have cost, which is no spend."""

    SPEND = "spend"
    API_EQUIVALENT = "api_equivalent"

    @classmethod
    def of(cls, request: RequestFields[Any]) -> LimitedValue | None:
        """As which of them a request counts; None for one that counts nowhere."""
        if request.counted:
            return cls.SPEND
        return cls.API_EQUIVALENT if request.is_plan else None

    def amount_of(self, cost: Cost) -> Usd | None:
        """How much that is of one request; None where it is not known."""
        return cost.amount if self is LimitedValue.SPEND else cost.api_equivalent

    @property
    def sign(self) -> str:
        """What stands before an amount of it, as on all faces."""
        return "" if self is LimitedValue.SPEND else "~"
