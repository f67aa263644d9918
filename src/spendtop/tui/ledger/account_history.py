"""What happened on an account: its UTC days, billed beside seen, and the entries and calibrations of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger.balance import Drift
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right
from spendtop.tui.widgets.columns import Column, Columns, Ink, SpanningCell
from spendtop.tui.widgets.table import ListTable, TableRows

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.accounts import LedgerDay, LedgerEvent


_KINDS, _AMOUNT = 11, 14


class LedgerDays(ListTable["LedgerDay", int]):
    """The newest first. On top the cursor stays on the newest, whichever that is."""

    def __init__(self) -> None:
        super().__init__("Days", id="ledger-days")
        self.nothing = "no day has cost anything yet"
        self.calibrated: frozenset[int] = frozenset()
        """Days on which the account was calibrated."""

    def layouts(self) -> Sequence[Columns[LedgerDay]]:
        return (
            (
                Column("DAY (UTC)", 10, _day),
                Column("BILLED", 11, _billed, right=True),
                Column("OURS", 11, _ours, right=True),
                Column("UNPR", 5, _unpriced, right=True),
                Column("DIFFERENCE", 12, _difference, right=True),
                Column("%", 6, _share, rank=1, right=True),
                Column(" REMARKS", 8, self._remarks, rank=2, grows=True),
            ),
        )

    def key(self, row: LedgerDay) -> int:
        return row.day

    def show(self, rows: TableRows[LedgerDay]) -> None:
        self.following = self.position == self.start
        super().show(rows)

    def _remarks(self, each: LedgerDay, ink: Ink, width: int) -> SpanningCell:
        palette = ink.palette
        words: list[Piece] = [(" ", palette.text)]
        if each.doubted:
            words.append(("! doubted ", palette.warn))
        if each.restated:
            words.append(("restated " if each.restated == 1 else f"restated {each.restated}x ", palette.warn))
        if _is_open(each, ink):
            words.append(("open ", palette.muted))
        elif each.billed is None:
            words.append(("no bill ", palette.muted))
        if each.day in self.calibrated:
            words.append(("calibrated", palette.good))
        return SpanningCell(words)


def _is_open(each: LedgerDay, ink: Ink) -> bool:
    return each.day == ink.now // DAY


def _day(each: LedgerDay, ink: Ink, width: int) -> Piece:
    return f"{to_datetime(each.day * DAY):%Y-%m-%d}", ink.palette.text


def _billed(each: LedgerDay, ink: Ink, width: int) -> Piece:
    if each.billed is None:
        return formats.UNKNOWN, ink.palette.faint
    return formats.cents(each.billed, width), ink.palette.money


def _ours(each: LedgerDay, ink: Ink, width: int) -> Piece:
    if each.known_ours is None:
        return formats.UNKNOWN, ink.palette.faint
    return formats.cents(each.known_ours, width), ink.palette.text


def _unpriced(each: LedgerDay, ink: Ink, width: int) -> Piece:
    return formats.count(each.unpriced), ink.palette.unknown if each.unpriced else ink.palette.faint


def _difference(each: LedgerDay, ink: Ink, width: int) -> Piece:
    if each.billed is None or each.imported:
        return formats.UNKNOWN, ink.palette.faint
    mark = "! " if _is_notable(each, each.billed, ink) else ""
    words = mark + formats.change(Drift(each.ours, each.billed).amount, width - len(mark))
    return words, _drift_style(each, each.billed, ink)


def _share(each: LedgerDay, ink: Ink, width: int) -> Piece:
    if each.billed is None or each.imported:
        return formats.UNKNOWN, ink.palette.faint
    drift = Drift(each.ours, each.billed).amount
    words = formats.percent(abs(drift.nano), each.ours.nano) if each.ours.nano else formats.UNKNOWN
    return words, _drift_style(each, each.billed, ink)


def _is_notable(each: LedgerDay, billed: Usd, ink: Ink) -> bool:
    return Drift(each.ours, billed).is_large and not _is_open(each, ink)


def _drift_style(each: LedgerDay, billed: Usd, ink: Ink) -> Style:
    return ink.palette.warn if _is_notable(each, billed, ink) else ink.palette.muted


class LedgerEntries(Panel):
    """One entry or calibration per line, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="ledger-entries")
        self.events: tuple[LedgerEvent, ...] | None = None
        """None until they were read."""
        self.calendar = Calendar()

    @property
    def title_line(self) -> Line:
        return [("Entries", self.palette.title), (" & calibrations, recorded by people", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        if self.events is None:
            return self.unread
        if not self.events:
            words = "nothing yet: c takes over the balance on the provider's page, + records a deposit"
            return [[(words, self.palette.muted)]]
        return [self._line(each) for each in self.events[:height]]

    def _line(self, each: LedgerEvent) -> list[Piece]:
        palette = self.palette
        line: list[Piece] = [(f"{self.calendar.local(each.effective_at):%m-%d %H:%M} ", palette.muted)]
        line.append((fit(each.kind.value, _KINDS) + " ", palette.text if each.observed is None else palette.good))
        if each.observed is None:
            line.append((fit_right(_change(each, _AMOUNT), _AMOUNT), palette.money))
        else:
            line.append((fit_right(f"page {formats.balance(each.observed, _AMOUNT - 5)}", _AMOUNT), palette.text))
            line.append((f"  drift {_change(each, _AMOUNT)}", palette.muted))
        words = [f"{each.note}"] if each.note else []
        words += [f"by {each.recorded_by}"] if each.recorded_by else []
        line.append(("  " + f" {self.glyphs.between} ".join(words), palette.muted))
        return line


def _change(each: LedgerEvent, width: int) -> str:
    return formats.UNKNOWN if each.amount is None else formats.change(each.amount, width)
