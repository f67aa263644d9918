"""What a provider counted beside money, gathered into a whole poll of it."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.ledger.amounts import NotAnAmount, exact
from spendtop.domain.ledger.used import Used, UsedPart
from spendtop.sources.pollers import PollFailed

_MOST = 10**15


def uncounted(failure: PollFailed) -> str:
    """What to say where bills are told and counts are not."""
    return f"Tokens are shown as seen here alone: {failure}"


class Counted:
    """Counts of one poll."""

    def __init__(self, provider: str, first_day: int, last_day: int) -> None:
        self._provider = provider
        self._first_day, self._last_day = first_day, last_day
        self._parts: list[UsedPart] = []

    def add(
        self,
        day: int,
        counts: Mapping[str, object],
        *,
        project: str | None = None,
        api_key: str | None = None,
        user: str | None = None,
        model: str | None = None,
    ) -> None:
        """Counts of one row by unit, with None where the row has none. Days outside the poll are left out.

        Raises PollFailed for what is no count.
        """
        if not self._first_day <= day <= self._last_day:
            return
        for unit, value in counts.items():
            if quantity := whole(self._provider, value):
                self._parts.append(UsedPart(day, unit, quantity, project or "", api_key or "", user or "", model or ""))

    def used(self) -> Used:
        return Used(self._first_day, self._last_day, tuple(self._parts))


def whole(provider: str, value: object) -> int:
    """A count in whatever spelling; None is nothing. Raises PollFailed for what is none."""
    if value is None:
        return 0
    try:
        number = exact(value)
    except NotAnAmount:
        number = None
    if number is None or not 0 <= number <= _MOST:
        raise PollFailed(f"{provider} sent something as a count that is none; nothing of this poll is kept")
    return round(number)
