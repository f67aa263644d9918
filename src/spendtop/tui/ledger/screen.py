"""Screen 7: prepaid balances, what providers billed, and what we saw of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from spendtop.domain.clock import DAY, age, to_datetime
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.tui import formats
from spendtop.tui.actions import AMONG_PANES, LEDGER, LIVE, MOVE, Action, bindings
from spendtop.tui.ledger.account_history import LedgerDays, LedgerEntries
from spendtop.tui.ledger.account_table import AccountTable, is_low
from spendtop.tui.ledger.entry_desk import EntryDesk, bill_age
from spendtop.tui.ledger.exports import LedgerExport
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.widgets.canvas import Line, length
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.accounts import AccountNow, LedgerDay
    from spendtop.tui.headline import Headline
    from spendtop.tui.ledger.questions import DayAnswer, LedgerFigures

_WIDE_FROM = 120
_BY_HAND = ("calibrate", "record")
_AMONG_ACCOUNTS = ("next-account", "previous-account", *AMONG_PANES)


class LedgerScreen(LiveScreen):
    """Accounts above, days and entries of the chosen one below."""

    NAME: ClassVar[str] = "ledger"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *LEDGER, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, LEDGER, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.writer = StoreWriter(self)
        self.entry_desk = EntryDesk(self, self.writer)
        self.exporter = LedgerExport(self)
        self._answer: LedgerFigures | None = None
        self._account: str | None = None
        """The name of the account that was chosen here."""

    def body(self) -> ComposeResult:
        yield AccountTable()
        with Container(id="ledger-lower"):
            yield LedgerDays()
            yield LedgerEntries()

    @property
    def chosen(self) -> AccountNow | None:
        """The account that is shown in full."""
        return self._answer.chosen if self._answer else None

    @property
    def accounts(self) -> AccountTable:
        return self.query_one(AccountTable)

    @property
    def days(self) -> LedgerDays:
        return self.query_one(LedgerDays)

    def question(self) -> Question:
        from spendtop.tui.ledger.questions import LedgerQuestion

        session = self.face.session
        return LedgerQuestion(now=session.clock(), calendar=session.calendar, account=self._account)

    def show(self, answer: LedgerFigures) -> Headline:
        self._answer = answer
        self.set_class(not answer.accounts, "-no-account")
        calendar, chosen = answer.headline.calendar, answer.chosen
        name = chosen.account.name if chosen else None
        accounts = self.accounts
        accounts.now, accounts.calendar = answer.now, calendar
        accounts.show(answer.accounts)
        calibrated = {event.effective_at // DAY for event in answer.events if event.kind is EntryKind.CALIBRATION}
        entries, days, palette = self.query_one(LedgerEntries), self.days, self.face.palette
        days.subtitle = [(f" {clean_name(name, 24)}", palette.muted)] if name else ()
        billed = f"billed {self._bill_age()}"
        if answer.billed_until is not None:
            billed = f"billed until {formats.moment(answer.billed_until, answer.now, calendar)}"
        days.note = [(f"{billed} {self.face.glyphs.between} ours priced, as of now", palette.muted)]
        days.calibrated, days.now = frozenset(calibrated), answer.now
        days.show(answer.days)
        entries.events, entries.calendar = answer.events, calendar
        entries.redraw()
        return answer.headline

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.days, self.accounts] if len(self.accounts.rows) > 1 else [self.days]

    def works_now(self, action: Action) -> bool:
        """Keys of an account need one, and entries one that is kept here."""
        answer, chosen = self._answer, self.chosen
        if answer is None or chosen is None:
            return action not in LEDGER and action not in MOVE
        if action.id in _BY_HAND:
            return not chosen.account.tells_balance
        if action.id in _AMONG_ACCOUNTS:
            return len(answer.accounts) > 1
        if action.id == "undo-entry":
            return self.entry_desk.can_undo
        if action.id == "poll":
            return chosen.account.poller is not None
        return action.id != "open" or self.days.row is not None

    def remarks(self) -> Line:
        """Where the chosen account's figures come from, and what is wrong with them."""
        chosen, palette = self.chosen, self.face.palette
        if chosen is None:
            return ()
        if chosen.failure is not None:
            return [(f"! the last poll gave nothing: {chosen.failure}", palette.bad)]
        if is_low(chosen) and chosen.account.low_balance is not None:
            low: Line = [(f"! less than {chosen.account.low_balance} is left", palette.bad)]
            whole = [*low, *self._basis()]
            return whole if length(whole) <= self.size.width else low
        return self._basis()

    def _bill_age(self) -> str:
        return bill_age(self.chosen, self.face.session.clock())

    def _basis(self) -> Line:
        chosen, palette = self.chosen, self.face.palette
        assert chosen is not None
        if chosen.account.tells_balance:
            return [(f"  balance: told by the provider, {self._bill_age()}", palette.muted)]
        if chosen.calibrated_at is None:
            low = chosen.account.low_balance
            silent = "no alerts" if low is None else f"no alert below {low}"
            words = self._fitting(
                f"uncalibrated, {silent}: c enters what the page says is left", f"uncalibrated, {silent}: c calibrates"
            )
            return [(words, palette.warn)]
        if chosen.caution is not None:
            return [(f"  {chosen.caution}", palette.warn)]
        ago = age(max(self.face.session.clock() - chosen.calibrated_at, 0))
        drift = "" if chosen.drift is None else f", drift {formats.change(chosen.drift)}"
        ends = f" + entries - billed {self._bill_age()}"
        burn = f" {self.face.glyphs.between} burn: mean of the last 7 whole UTC days, as billed"
        whole = f"est. = page {ago} ago{drift}{ends}"
        longer = [f"{whole}{burn}"] if chosen.burn_per_day is not None and self.size.width >= _WIDE_FROM else []
        return [
            (self._fitting(*longer, whole, f"est. = page {ago} ago{ends}", f"est. = page {ago} ago"), palette.muted)
        ]

    def _fitting(self, *words: str) -> str:
        """The first of these that is not cut, or the last one."""
        return "  " + next((each for each in words if len(each) + 2 <= self.size.width), words[-1])

    # The chosen account

    def action_account(self, step: int) -> None:
        accounts = self.accounts
        accounts.to((accounts.position + step) % max(len(accounts.rows), 1))

    @on(ListTable.Moved, "#accounts")
    def account_chosen(self, event: ListTable.Moved) -> None:
        """Days and entries of another account."""
        name = event.table.selected
        if self.chosen is not None and name not in (None, self._account or self.chosen.account.name):
            self._account = name
            self.days.to_top()
            self.news()

    # What is asked and taken away

    def action_calibrate(self) -> None:
        if self.chosen is not None:
            self.entry_desk.calibrate(self.chosen)

    def action_record(self) -> None:
        if self.chosen is not None:
            self.entry_desk.record(self.chosen)

    def action_undo(self) -> None:
        self.entry_desk.undo()

    def action_poll(self) -> None:
        from spendtop.services.tasks import TaskKind

        if self.chosen is not None:
            self.writer.ask_collector(TaskKind.POLL_NOW, {"poller": self.chosen.account.poller})

    def action_open(self) -> None:
        from spendtop.tui.ledger.questions import DayQuestion

        day, chosen = self.days.row, self.chosen
        if day is not None and chosen is not None:
            account = chosen.account
            self.ask(DayQuestion(account, day.day), partial(self._show_day, account.name, day))

    @on(ListTable.Opened, "#ledger-days")
    def day_opened(self) -> None:
        self.action_open()

    def _show_day(self, account: str, day: LedgerDay, answer: DayAnswer) -> None:
        from spendtop.tui.ledger.day_dialog import LedgerDayScreen

        if self.is_current:
            title = f"{clean_line(account)}, {to_datetime(day.day * DAY):%Y-%m-%d} UTC"
            self.app.push_screen(LedgerDayScreen(title, self._bill_age(), answer, self.calendar))

    def action_export(self) -> None:
        if self._answer is not None:
            self.exporter.ask(self._answer)
