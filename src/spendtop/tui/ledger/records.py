"""Days and entries of an account as plain values for files."""

from __future__ import annotations

from spendtop.domain.clock import DAY, to_datetime, to_iso
from spendtop.domain.money import Usd
from spendtop.store.reads.ledger import LedgerDay, LedgerEvent

DAY_COLUMNS = (
    "account",
    "date",
    "billed_usd",
    "billed_nanousd",
    "ours_usd",
    "ours_nanousd",
    "unpriced",
    "difference_usd",
    "difference_nanousd",
    "restated",
    "doubted",
)
ENTRY_COLUMNS = (
    "account",
    "kind",
    "effective_at",
    "recorded_at",
    "amount_usd",
    "amount_nanousd",
    "observed_nanousd",
    "predicted_nanousd",
    "note",
    "recorded_by",
)


def day_record(account: str, each: LedgerDay) -> dict[str, object]:
    """One UTC day; what no poll covers is None."""
    difference = None if each.billed is None else each.billed - each.ours
    values = (
        account,
        f"{to_datetime(each.day * DAY):%Y-%m-%d}",
        Usd.float_of(each.billed),
        Usd.nano_of(each.billed),
        Usd.float_of(each.ours),
        each.ours.nano,
        each.unpriced,
        Usd.float_of(difference),
        Usd.nano_of(difference),
        each.restated,
        each.doubted,
    )
    return dict(zip(DAY_COLUMNS, values, strict=True))


def entry_record(account: str, each: LedgerEvent) -> dict[str, object]:
    """One entry or calibration; the amount of a calibration is its drift."""
    values = (
        account,
        each.kind.value,
        to_iso(each.effective_at),
        to_iso(each.recorded_at),
        Usd.float_of(each.amount),
        Usd.nano_of(each.amount),
        Usd.nano_of(each.observed),
        Usd.nano_of(each.predicted),
        None if each.note is None else each.note.raw,
        None if each.recorded_by is None else each.recorded_by.raw,
    )
    return dict(zip(ENTRY_COLUMNS, values, strict=True))
