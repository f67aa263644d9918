"""Days and entries of an account into files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, to_datetime, to_iso
from spendtop.domain.money import Usd
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.file_export import FileExport, write_records
from spendtop.tui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.accounts import LedgerDay, LedgerEvent
    from spendtop.tui.ledger.questions import LedgerFigures

_OPTIONS = (
    ("d", "CSV, days: billed and ours"),
    ("e", "CSV, entries and calibrations"),
    ("l", "JSON lines, days"),
    ("n", "JSON lines, entries and calibrations"),
)

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


class LedgerExport:
    """Asks what of an account to export and in which format, and does so."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._files = FileExport(screen)

    def ask(self, answer: LedgerFigures) -> None:
        """The days and entries of this answer are what is exported, whatever is read until the format is chosen."""
        self._screen.app.push_screen(ChooseScreen("Export to a file", _OPTIONS), partial(self._write, answer))

    def _write(self, answer: LedgerFigures, key: str | None) -> None:
        if key is None or answer.chosen is None:
            return
        kind, account = "csv" if key in "de" else "jsonl", answer.chosen.account.name

        def write_days(path: Path) -> int:
            return write_records(path, DAY_COLUMNS, (day_record(account, day) for day in answer.days))

        def write_entries(path: Path) -> int:
            return write_records(path, ENTRY_COLUMNS, (entry_record(account, event) for event in answer.events))

        if key in "dl":
            self._files.write(self._files.dated("ledger-days", kind), ("day", "days"), write_days)
        else:
            self._files.write(self._files.dated("ledger-entries", kind), ("entry", "entries"), write_entries)


def day_record(account: str, each: LedgerDay) -> dict[str, object]:
    """One UTC day; what no poll covers is None."""
    difference = each.difference
    values = (
        account,
        f"{to_datetime(each.day * DAY):%Y-%m-%d}",
        Usd.float_of(each.billed),
        Usd.nano_of(each.billed),
        Usd.float_of(each.known_ours),
        Usd.nano_of(each.known_ours),
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
