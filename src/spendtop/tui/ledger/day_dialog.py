"""One UTC day: who was billed beside whom we saw, what accounts for the difference, and both sides part by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.counted import counted
from spendtop.domain.ledger.bill_kinds import BILL_KINDS, BillKind
from spendtop.domain.ledger.holders import HolderBill, holder_words
from spendtop.domain.ledger.used import used_words
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.widgets.canvas import fit, fit_middle, fit_right

if TYPE_CHECKING:
    from spendtop.tui.ledger.questions import DayAnswer

_AMOUNT, _TOKENS, _GAP = 11, 13, 2
_TOKENS_FROM = 80
"""Columns of the terminal from which on there is room for them."""
_WIDE_FROM, _WIDEST, _FRAME = 120, 136, 6


class LedgerDayScreen(ReadingDialog):
    """Who was billed, then two lists side by side, or one below the other."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "cancel", "close"), ("enter,b", "next_kind", "by")]
    HINT = "enter by key, user, project · j k scroll · esc closes"

    def __init__(self, title: str, age: str, answer: DayAnswer, calendar: Calendar) -> None:
        """`age` says how old the bill is."""
        super().__init__(title)
        self._age = age
        self._answer = answer
        self._calendar = calendar
        self._by: BillKind = BILL_KINDS[0]

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(id="lists", markup=False)

    def on_resize(self) -> None:
        self._redraw()

    def action_next_kind(self) -> None:
        """The same day by the next kind of holder."""
        self._by = BILL_KINDS[(BILL_KINDS.index(self._by) + 1) % len(BILL_KINDS)]
        self._redraw()

    def _redraw(self) -> None:
        """Beside each other only where there is room."""
        self.query_one("#lists", Static).update("\n".join(self._lines(self.app.size.width >= _WIDE_FROM)))

    def _lines(self, wide: bool) -> list[str]:
        answer = self._answer
        ours = sum((model.cost for model in answer.seen), ZERO)
        billed = None if answer.bill is None else answer.bill.cost
        width = min(self.app.size.width, _WIDEST) - _FRAME
        side = width * 4 // 7 if wide else width  # parts have longer names than models
        rest = width - side - _GAP if wide else width
        left = [_titled(f"BILLED by the provider, {self._age}", billed, side), *self._parts(side)]
        right = [_titled("OURS, priced usage by model", ours, rest), *self._models(rest)]
        lines = [*self._who(), *self._difference(billed, ours)]
        if not wide:
            return [*lines, *left, "", *right]
        height = max(len(left), len(right))
        left += [""] * (height - len(left))
        right += [""] * (height - len(right))
        return [*lines, *(f"{fit(one, side + _GAP)}{other}" for one, other in zip(left, right, strict=True))]

    def _who(self) -> list[str]:
        """Each key, user or project, the largest bill first."""
        found = self._answer.who[self._by]
        if not found.holders:
            return []
        counts_tokens = found.counts_tokens and self.app.size.width >= _TOKENS_FROM
        width = min(self.app.size.width, _WIDEST) - _FRAME - 3 * (_AMOUNT + 1) - counts_tokens * (_TOKENS + 1)
        title = f"{'BILLED':>{_AMOUNT}} {'SEEN':>{_AMOUNT}} {'DIFFERENCE':>{_AMOUNT}}"
        lines = [f"{title}{' TOKENS OF BOTH' if counts_tokens else ''} BY {found.by.upper()}"]
        for each in found.holders:
            amounts = (
                formats.cents(each.billed, _AMOUNT) if found.is_billed else "-",
                "never" if each.never_passed else formats.cents(each.seen, _AMOUNT),
                formats.change(each.difference, _AMOUNT) if found.is_compared else "-",
            )
            named = fit_middle(
                f"{holder_words(each.id, each.name, found.by, each.is_shared)}{_remark(each)}", width
            ).rstrip()
            both = f"{formats.count(each.billed_tokens)} / {formats.count(each.seen_tokens)}"
            tokens = f"{fit_right(both, _TOKENS + 1)} " if counts_tokens else " "
            lines.append(f"{' '.join(fit_right(amount, _AMOUNT) for amount in amounts)}{tokens}{named}")
        if self._answer.bill is not None and not found.is_billed:
            lines.append(f"The bill names no {found.by}.")
        if found.whole.later_requests and found.billed_until is not None:
            until = f"{self._calendar.local(found.billed_until):%Y-%m-%d %H:%M}"
            since = f"{found.whole.later} of {counted(found.whole.later_requests, 'request')} since"
            lines.append(f"Billed until {until}; {since} are not billed yet.")
        if beside := used_words(found.used):
            lines += wrap(f"The provider also counted {beside}.", max(width + 3 * (_AMOUNT + 1), 20))
        return [*lines, ""]

    def _difference(self, billed: Usd | None, ours: Usd) -> list[str]:
        if billed is None:
            return ["No poll covers this day, so there is nothing to compare.", ""]
        sides = f"billed {formats.cents(billed)} - ours {formats.cents(ours)}"
        lines = [f"DIFFERENCE {formats.change(billed - ours)}, derived: {sides}"]
        width = min(self.app.size.width, _WIDEST) - _FRAME - _AMOUNT - 2
        for amount, words in self._answer.reasons:
            first, *rest = wrap(words, max(width, 20)) or [""]
            lines.append(f"{fit_right(formats.change(amount, _AMOUNT), _AMOUNT)}  {first}")
            lines += [f"{' ' * _AMOUNT}  {more}" for more in rest]
        if self._answer.bill is not None and self._answer.bill.doubted:
            lines.append("! The last poll lacks a part of this day or all of it; what was billed before stands.")
        return [*lines, ""]

    def _parts(self, width: int) -> Iterable[str]:
        if self._answer.bill is None:
            return ["  not polled"]
        parts = sorted(self._answer.bill.parts, key=lambda part: -part.cost.nano)
        rows = [_row((part.project, part.api_key, part.line_item), part.cost, width) for part in parts]
        return rows or ["  no parts"]

    def _models(self, width: int) -> Iterable[str]:
        rows = []
        for model in sorted(self._answer.seen, key=lambda model: -model.cost.nano):
            unpriced = f" +{model.unpriced} unpriced" if model.unpriced else ""
            named = (model.model or "(no model)", f"{counted(model.requests, 'request')}{unpriced}")
            rows.append(_row(named, model.cost, width))
        return rows or ["  nothing passed through us"]


def _remark(each: HolderBill) -> str:
    return f": +{each.unpriced:,} unpriced" if each.unpriced else ""


def _titled(words: str, amount: Usd | None, width: int) -> str:
    return words if amount is None else f"{fit_right(formats.cents(amount, _AMOUNT), _AMOUNT)}  {words}"[:width]


def _row(names: Sequence[str], amount: Usd, width: int) -> str:
    shown = " · ".join(clean_line(name) for name in names if name) or "(not named)"
    return f"{fit_right(formats.cents(amount, _AMOUNT), _AMOUNT)}  {fit_middle(shown, width - _AMOUNT - 2).rstrip()}"
