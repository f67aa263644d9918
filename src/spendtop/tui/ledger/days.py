"""UTC days of an account: what its provider billed beside what we saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger import Drift
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Piece, fit, fit_right, laid_over, length
from spendtop.tui.widgets.cursor_panel import CursorPanel

if TYPE_CHECKING:
    from spendtop.store.reads.ledger import LedgerDay

_WIDTHS = (10, 11, 11, 5, 12, 6)
_WITH_SHARE = 66
_TITLES = ("DAY (UTC)", "BILLED", "OURS", "UNPR", "DIFFERENCE", "%")


class LedgerDays(CursorPanel):
    """Rows with a cursor that stays on its day."""

    class Opened(CursorPanel.Opened):
        """A day was clicked that had the cursor already."""

    def __init__(self) -> None:
        super().__init__(id="ledger-days")
        self.days: tuple[LedgerDay, ...] = ()
        self.calibrated: frozenset[int] = frozenset()
        """Days on which the account was calibrated."""
        self.today = 0
        self.subtitle = ""
        self.selected: int | None = None
        """Day under the cursor; None is the newest, whichever that is."""

    @property
    def title_line(self) -> Line:
        """The title, then whose."""
        return [("Days", self.palette.title), (self.subtitle, self.palette.muted)]

    @property
    def position(self) -> int:
        """Of the cursor, from the top."""
        return next((at for at, each in enumerate(self.days) if each.day == self.selected), 0)

    @property
    def day(self) -> LedgerDay | None:
        """What the cursor is on."""
        return self.days[self.position] if self.days else None

    @property
    def row_count(self) -> int:
        """All rows, in view or not."""
        return len(self.days)

    def show(self, days: tuple[LedgerDay, ...], calibrated: frozenset[int], today: int) -> None:
        """Newer figures."""
        self.days, self.calibrated, self.today = days, calibrated, today
        self._settle()

    def to(self, position: int) -> None:
        """Put the cursor there."""
        position = max(0, min(position, len(self.days) - 1))
        self.selected = self.days[position].day if position and self.days else None
        self._settle()

    def content(self, width: int, height: int) -> list[Line]:
        """Heads and the visible rows."""
        faint = self.palette.faint
        shown = len(_WIDTHS) if width >= _WITH_SHARE else len(_WIDTHS) - 1
        heads = [fit(_TITLES[0], _WIDTHS[0])]
        heads += [fit_right(title, size) for title, size in zip(_TITLES[1:shown], _WIDTHS[1:shown], strict=True)]
        lines: list[Line] = [[(" " + " ".join(heads) + "  REMARKS", faint)]]
        if not self.days:
            lines.append([("  no day has cost anything yet", self.palette.muted)])
        for place, each in list(enumerate(self.days))[self._top : self._top + height - 1]:
            line = self._line(each, shown)
            if place == self.position:
                line[0] = (self.glyphs.cursor, self.palette.mark)
                line = laid_over(line, self.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    def _line(self, each: LedgerDay, shown: int) -> list[Piece]:
        palette = self.palette
        billed: Piece = (formats.UNKNOWN, palette.faint)
        difference, share = (formats.UNKNOWN, palette.faint), (formats.UNKNOWN, palette.faint)
        if each.billed is not None:
            billed = (formats.cents(each.billed), palette.money)
            drift = Drift(each.ours, each.billed)
            notable = drift.is_large and each.day != self.today
            style = palette.warn if notable else palette.muted
            difference = (("! " if notable else "") + formats.change(drift.amount), style)
            fraction = drift.amount.share_of(each.ours)
            share = (formats.UNKNOWN if fraction is None else formats.percent(abs(fraction)), style)
        unpriced = (formats.count(each.unpriced), palette.unknown if each.unpriced else palette.faint)
        cells = (billed, (formats.cents(each.ours), palette.text), unpriced, difference, share)
        line: list[Piece] = [(" ", palette.text), (f"{to_datetime(each.day * DAY):%Y-%m-%d}", palette.text)]
        sized = list(zip(cells, _WIDTHS[1:], strict=True))[: shown - 1]
        line += [(" " + fit_right(text, size), style) for (text, style), size in sized]
        return [*line, ("  ", palette.text), *self._remarks(each)]

    def _remarks(self, each: LedgerDay) -> list[Piece]:
        palette = self.palette
        found: list[Piece] = []
        if each.doubted:
            found.append(("! doubted ", palette.warn))
        if each.restated:
            found.append((f"restated {each.restated}x ", palette.warn))
        if each.day == self.today:
            found.append(("open ", palette.muted))
        elif each.billed is None:
            found.append(("no bill ", palette.muted))
        if each.day in self.calibrated:
            found.append(("calibrated", palette.good))
        return found
