"""The shadow ledger of a prepaid balance: what came in, what was billed, and what people read off the provider's page.

No provider of the larger kind tells the balance, so it is kept here: credit as calibrated, minus what is billed since.
All sums of billed costs run over the same whole UTC days from one fixed day on, so that the part of the first day that
lies before a calibration cancels, and restated days flow through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.money import ZERO, Usd

REARMED_AT = 110
"""Per cent of the low-balance threshold from which on it can fire again."""
SETTLES_AFTER = 48 * HOUR
"""How long after a day, or a calibration, its cost is final, in µs."""
DOUBT_LASTS = DAY
"""How long something that was billed has to be absent from all answers before that is believed, in µs."""


class EntryKind(StrEnum):
    """What moved the balance, besides spend."""

    OPENING = "opening"
    DEPOSIT = "deposit"
    REFUND = "refund"
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"
    CALIBRATION = "calibration"


class Entry(Struct, frozen=True, kw_only=True):
    """Money that came (positive) or went (negative), as it took effect at the provider."""

    kind: EntryKind
    effective_at: int
    amount: Usd


class Calibration(Struct, frozen=True, kw_only=True):
    """What the provider's page said at one instant."""

    at: int
    observed: Usd
    predicted: Usd | None
    """What the ledger said just before; None where it knew of no credit yet."""
    spent: Usd
    """Sum of all billed days as known then."""
    settled: Usd | None = None
    """The same sum as it turned out later, up to the instant; takes the place of `spent` where it is known."""

    @property
    def drift(self) -> Usd | None:
        """Positive: credit that nobody recorded. Negative: spend or expiry that the ledger does not know."""
        return None if self.predicted is None else self.observed - self.predicted

    @property
    def credit(self) -> Usd:
        """All credit ever granted, as the observation implies it."""
        return self.observed + (self.spent if self.settled is None else self.settled)


def balance(calibration: Calibration | None, entries: Iterable[Entry], spent: Usd) -> Usd:
    """What is left: calibrated credit and what came after it, minus all billed days (`spent`).

    Without a calibration it is the sum of the entries minus the spend, which is to be called uncalibrated.
    """
    return (calibration.credit if calibration else ZERO) + _moved_since(calibration, entries) - spent


def estimate(calibration: Calibration | None, entries: Iterable[Entry], seen: Usd) -> Usd:
    """What is left where nobody tells the bills: `seen` is what requests cost since the calibration, or without one
    since the first entry."""
    return (calibration.observed if calibration else ZERO) + _moved_since(calibration, entries) - seen


def _moved_since(calibration: Calibration | None, entries: Iterable[Entry]) -> Usd:
    """What came and went by hand after the calibration."""
    since = calibration.at if calibration else None
    return sum((entry.amount for entry in entries if since is None or entry.effective_at > since), ZERO)


def settled_spend(days_before: Usd, day: Usd, used_before: Usd, used_in_day: Usd) -> Usd | None:
    """What was billed up to an instant: whole days before, and of its own day the share that had been used by then.

    `used_*` is the priced usage of the day up to the instant, and of the whole day. None where the day had none.
    """
    if used_in_day <= ZERO:
        return None
    whole, rest = divmod(day.nano * used_before.nano, used_in_day.nano)
    return days_before + Usd(whole + (2 * rest >= used_in_day.nano))


class LowBalance(Struct, frozen=True):
    """Whether the alert of one account can fire."""

    armed: bool = True


def watch(state: LowBalance, left: Usd, threshold: Usd) -> tuple[LowBalance, bool]:
    """The next state, and whether the alert fires now: once below the threshold, armed again at 110 % of it."""
    if state.armed and left < threshold:
        return LowBalance(False), True
    rearmed = state.armed or left.nano * 100 >= threshold.nano * REARMED_AT
    return LowBalance(rearmed), False


class DayCost(Struct, frozen=True):
    """What a provider billed for one UTC day."""

    cost: Usd
    doubted_since: int | None = None
    """When a poll first lacked something of the day that had cost money, UTC µs; it stands meanwhile."""


class PolledDay(Struct, frozen=True):
    """What one poll says of one UTC day."""

    cost: Usd
    named: bool
    """Whether the answer holds an amount of the day at all, if only a zero."""
    complete: bool
    """Whether it holds every part that is known of the day."""


def take_poll(before: Mapping[int, DayCost], polled: Mapping[int, PolledDay], now: int) -> dict[int, DayCost]:
    """The days as they stand after a whole poll at `now` (UTC µs); days (UTC, counted since 1970) are replaced, never
    added to.

    An amount that is told replaces another, whichever is larger. A day that would fall as something of it is absent is
    doubted instead: it stands until the absence has lasted; a settled day of which nothing is said at all, for good.
    """
    return {day: _day_after(day, before.get(day), told, now) for day, told in polled.items()}


def _day_after(day: int, last: DayCost | None, told: PolledDay, now: int) -> DayCost:
    if last is None or told.complete or told.cost >= last.cost:
        return DayCost(told.cost)
    since = now if last.doubted_since is None else last.doubted_since
    is_settled = now - (day + 1) * DAY > SETTLES_AFTER
    if now - since < DOUBT_LASTS or (is_settled and not told.named):
        return DayCost(last.cost, since)
    return DayCost(told.cost)


_FORESEEN = 100 * 365 * DAY


def runs_out_at(left: Usd, billed: Usd, over: int, now: int) -> int | None:
    """When the balance is gone if `billed` within `over` µs goes on; UTC µs. `now` where nothing is left.

    None without spend, and for what lasts longer than a century.
    """
    if left <= ZERO:
        return now
    lasts = left.nano * over // billed.nano if billed > ZERO else _FORESEEN + 1
    return now + lasts if lasts <= _FORESEEN else None


_LARGE_DRIFT, _DEPOSIT_FROM = Usd.of(1), Usd.of(5)
_LARGE_PERCENT = 2


class Drift(Struct, frozen=True):
    """How far an observed balance lies from the predicted one, and what to make of it."""

    predicted: Usd
    observed: Usd

    @property
    def amount(self) -> Usd:
        """Positive: credit that nobody recorded. Negative: spend or expiry that the ledger does not know."""
        return self.observed - self.predicted

    @property
    def is_large(self) -> bool:
        """Whether it is a dollar, or two per cent of what was predicted, or more; none never is."""
        size = abs(self.amount.nano)
        return size >= _LARGE_DRIFT.nano or 0 < size * 100 >= abs(self.predicted.nano) * _LARGE_PERCENT

    @property
    def suggests_deposit(self) -> bool:
        """Whether it looks like credit that was bought and not recorded."""
        return self.amount >= _DEPOSIT_FROM
