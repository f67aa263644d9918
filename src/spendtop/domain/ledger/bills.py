"""What providers billed and what is left of it, in words that all faces share."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from spendtop.domain.clock import DAY, SECOND, age, day_word
from spendtop.domain.cost_words import whole_cents
from spendtop.domain.money import Usd

NO_BILL = "no bill read yet"
"""Where a provider is asked that has not answered yet."""


class BilledDay(NamedTuple):
    """What was billed in all for a UTC day (days since 1970)."""

    day: int
    cost: Usd
    as_of: int
    """When all of it was told last, UTC µs."""

    def words(self, now: int) -> str:
        """`billed today $0.40`."""
        return f"billed {day_word(self.day, now // DAY)} {whole_cents(self.cost)}"

    def age(self, now: int) -> str:
        """`4m ago`."""
        since = max(now - self.as_of, 0)
        return "just now" if since < 5 * SECOND else f"{age(since)} ago"


def balance_words(name: str, balance: Usd | None, burn: Usd | None, runs_out: date | None) -> str:
    """`openai $42.93, $1.20 a day, runs out ~2026-12-24`; `burn` is what a day costs. None is not known."""
    words = [f"{name} {'balance unknown' if balance is None else balance.floored}"]
    words += [f"{whole_cents(burn)} a day"] if burn is not None else []
    words += [f"runs out ~{runs_out:%Y-%m-%d}"] if runs_out is not None else []
    return ", ".join(words)
