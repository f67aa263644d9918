"""What came and went besides spend, and what the provider's page said, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right

if TYPE_CHECKING:
    from spendtop.store.reads.ledger import LedgerEvent

_KINDS, _AMOUNT = 11, 14


class LedgerEntries(Panel):
    """One entry or calibration per line, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="ledger-entries")
        self.events: tuple[LedgerEvent, ...] = ()
        self.calendar = Calendar()

    @property
    def title_line(self) -> Line:
        return [("Entries", self.palette.title), (" & calibrations, recorded by people", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        if not self.events:
            words = "nothing yet: c takes over the balance on the provider's page, + records a deposit"
            return [[(words, self.palette.muted)]]
        return [self._line(each) for each in self.events[:height]]

    def _line(self, each: LedgerEvent) -> list[Piece]:
        palette = self.palette
        line: list[Piece] = [(f"{self.calendar.local(each.effective_at):%m-%d %H:%M} ", palette.muted)]
        line.append((fit(each.kind.value, _KINDS) + " ", palette.text if each.observed is None else palette.good))
        if each.observed is None:
            line.append((fit_right(_change(each), _AMOUNT), palette.money))
        else:
            line.append((fit_right(f"page {each.observed.floored}", _AMOUNT), palette.text))
            line.append((f"  drift {_change(each)}", palette.muted))
        words = [f"{each.note}"] if each.note else []
        words += [f"by {each.recorded_by}"] if each.recorded_by else []
        line.append(("  " + f" {self.glyphs.between} ".join(words), palette.muted))
        return line


def _change(each: LedgerEvent) -> str:
    return formats.UNKNOWN if each.amount is None else formats.change(each.amount)
