"""For those who get bills and send no requests: what was billed day by day, and how long the balances last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger.bills import NO_BILL
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, fit_middle, fit_right, spread
from spendtop.tui.widgets.day_chart import Day, date_label

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.accounts import AccountNow
    from spendtop.store.reads.ledger.bills import BillHistory, Bills

_LEFT = 14


def billed_days(history: BillHistory) -> list[Day]:
    """What a chart shows of them."""
    return [
        Day(label=date_label(to_datetime(day * DAY), len(history.billed)), cost=cost, left=left)
        for day, (cost, left) in enumerate(zip(history.billed, history.left, strict=True), history.first)
    ]


class BalancesPanel(Panel):
    """The bills of today and yesterday, and each account with what is left, its burn, and when it runs out."""

    can_focus = True

    def __init__(self) -> None:
        super().__init__(id="balances")
        self.bills: Bills | None = None
        """None until they were read."""
        self.calendar = Calendar()
        self.now = 0

    @property
    def title_line(self) -> Line:
        return [("Bills & balances", self.palette.title), (" 7 ledger", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        if self.bills is None:
            return self.unread
        billed = list(self._billed(self.bills, width))
        whole = [line for each in self.bills.accounts for line in self._account(each, width)]
        if len(billed) + len(whole) <= height:
            return [*billed, *whole]
        return [*billed, *(self._left(each, width) for each in self.bills.accounts)]

    def _billed(self, bills: Bills, width: int) -> Iterator[Line]:
        palette = self.palette
        if not bills.days:
            yield [(NO_BILL, palette.unknown)]
        for day in bills.days:
            label, _, cost = day.words(self.now).rpartition(" ")
            age = f"  {day.age(self.now)}" if day.day == self.now // DAY else ""
            yield spread([(label, palette.muted), (age, palette.faint)], [(cost, palette.money)], width, palette.text)

    def _left(self, each: AccountNow, width: int) -> Line:
        palette = self.palette
        left = "unknown" if each.balance is None else formats.balance(each.balance, _LEFT)
        style = palette.unknown if each.balance is None else palette.money
        name = fit_middle(clean_line(each.account.name), max(width - _LEFT, 6))
        return [(name, palette.strong), (fit_right(left, _LEFT), style)]

    def _account(self, each: AccountNow, width: int) -> Iterator[Line]:
        palette = self.palette
        yield self._left(each, width)
        for words in self._outlook(each):
            yield [(f"  {words}", palette.muted)]
        if each.awaits_answer:
            yield [("  no answer yet", palette.warn) if each.failure is None else (f"  ! {each.failure}", palette.bad)]
        elif each.state.value == "stale":
            yield [(f"  ! stale: {each.failure or 'see the Ledger'}", palette.bad)]

    def _outlook(self, each: AccountNow) -> Iterator[str]:
        if each.burn_per_day is not None:
            yield f"burns {formats.cents(each.burn_per_day)} a day"
        if each.balance is None:
            yield "7, then c: enter what its page says"
        elif each.run_out_at is not None:
            runs_out = f"~{self.calendar.local(each.run_out_at):%Y-%m-%d}"
            yield "used up" if each.run_out_at <= self.now else f"runs out {runs_out}"
