"""Raising a limit for a while, and taking the last raise back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from getpass import getuser
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Input, Label

from spendtop.domain.ledger.amounts import typed
from spendtop.domain.limits.raises import end_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_name
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.modals.dialog import FormDialog

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.limits.raises import Raise
    from spendtop.store.reads.limits.entities import LimitEntities
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.tui.screens.live_screen import LiveScreen
    from spendtop.tui.screens.store_writer import StoreWriter

_NO_AMOUNT = "Type an amount in US dollars, such as 20."


@dataclass(frozen=True, slots=True)
class RaiseDraft:
    """A raise as it was typed."""

    amount: str = ""
    until: str = "tomorrow"

    @classmethod
    def proposed(cls, limit: Usd, used: Usd = ZERO) -> RaiseDraft:
        """About a fifth of a limit, or a fifth more than is used already, as a round figure: `10` of $48, `0.1` of
        $0.50, `2` where $2.50 of $1.25 are used."""
        more = max(limit.nano // 5, used.nano + used.nano // 5 - limit.nano)
        unit = 10 ** max(len(str(more)) - 1, 0)
        return cls(f"{Usd(max(-(-more // unit), 1) * unit).dollars.normalize():f}")

    @property
    def usd(self) -> Usd | None:
        """What was typed as an amount; None where that is none."""
        try:
            return typed(self.amount.strip().removeprefix("+"))
        except ValueError:
            return None


class RaiseScreen(FormDialog[RaiseDraft]):
    """Gives what was typed, or None; says what the limit will be while it is typed."""

    HINT = "tab next · enter raises · esc gives up"

    def __init__(
        self, whose: str, amount: Usd, used: Usd, draft: RaiseDraft, now: int, calendar: Calendar, complaint: str
    ) -> None:
        """`amount` is the limit's at present, raises included; `complaint` why the draft could not be used."""
        super().__init__(f"Raise {whose}", complaint)
        self._amount = amount
        self._used = used
        self._draft = draft
        self._now = now
        self._calendar = calendar

    def fields(self) -> ComposeResult:
        yield Label(self._question, id="question", markup=False)
        example = f"for example {RaiseDraft.proposed(self._amount, self._used).amount}"
        yield Input(self._draft.amount, placeholder=example, id="amount", compact=True)
        yield Label("Until when?", classes="spaced", markup=False)
        yield Input(self._draft.until, placeholder="for example tomorrow", id="until", compact=True)
        yield Label("tonight, tomorrow, week, month, 2h, 18:00, 2026-12-01", classes="dim", markup=False)
        yield Label(id="outcome", classes="spaced", markup=False)

    @property
    def _question(self) -> str:
        return f"By how many US dollars, on top of {self._amount}?"

    def follow(self, amount: Usd, used: Usd) -> None:
        """What the limit is by now, raises included, and what is used."""
        self._amount, self._used = amount, used
        self.query_one("#question", Label).update(self._question)
        self.on_input_changed()

    def on_input_changed(self) -> None:
        """What becomes of it."""
        amount, until = self._typed().usd, self._until()
        words = ""
        if amount is not None and amount > ZERO and until is not None:
            ends = formats.moment(until, self._now, self._calendar)
            raised = self._amount + amount
            words = f"{raised} until {ends}, then as before."
            if self._used >= raised:
                words = f"{raised} until {ends}: too little, {self._used} is used."
        self.query_one("#outcome", Label).update(words)

    def _typed(self) -> RaiseDraft:
        return RaiseDraft(self.typed("amount"), self.typed("until"))

    def _until(self) -> int | None:
        try:
            return end_of(self.typed("until"), self._now, self._calendar)
        except ValueError:
            return None

    def action_submit(self) -> None:
        draft = self._typed()
        if draft.usd is None:
            self.complain(_NO_AMOUNT)
            return
        try:
            end_of(draft.until, self._now, self._calendar)
        except ValueError as wrong:
            self.complain(f"Until when: {wrong}.")
        else:
            self.dismiss(draft)


class RaiseDesk:
    """Asks for raises, makes them, and takes the last one back."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer
        self._made: list[tuple[Raise, str]] = []
        """The raises that were made here, with whose they are in words."""
        self._asked: tuple[RaiseScreen, str, str | None] | None = None
        """The last question, with the name of its limit and the entity that it is about."""

    @property
    def can_undo(self) -> bool:
        """Whether a raise was made here that was not taken back."""
        return bool(self._made)

    @property
    def _now(self) -> int:
        return self._screen.face.session.clock()

    def ask(self, limit: Limit, use: LimitUse | None, draft: RaiseDraft | None = None, complaint: str = "") -> None:
        """Ask by how much and until when; for the entity of `use`, or for all without one."""
        if not self._writer.may_write():
            return
        whose = _whose(limit, use)
        amount, used = _standing(limit, use)
        draft = draft or RaiseDraft.proposed(amount, used)
        dialog = RaiseScreen(whose, amount, used, draft, self._now, self._screen.calendar, complaint)
        self._asked = dialog, limit.name, None if use is None else use.entity.raw
        self._screen.app.push_screen(dialog, partial(self._take, limit, use))

    def follow(self, limits: Iterable[LimitEntities]) -> None:
        """How limits stand now: a question that is open is about that."""
        if self._asked is None or not self._asked[0].is_running:
            return
        dialog, name, entity = self._asked
        for each in limits:
            use = next((use for use in each.uses if use.entity.raw == entity), None)
            if each.limit.name == name and (use is not None or entity is None):
                dialog.follow(*_standing(each.limit, use))

    def _take(self, limit: Limit, use: LimitUse | None, draft: RaiseDraft | None) -> None:
        amount = draft.usd if draft is not None else None
        if draft is None or amount is None:
            return
        now, until = self._now, end_of(draft.until, self._now, self._screen.calendar)

        def work(connection: Connection) -> Raise:
            from spendtop.services.limits import raises

            entity = None if use is None else use.entity.raw
            return raises.raise_limit(connection, limit, entity, amount, until, now, getuser())

        def refused(words: str) -> None:
            self.ask(limit, use, draft, words)

        self._writer.write(work, partial(self._done, _whose(limit, use)), refused)

    def _done(self, whose: str, made: Raise) -> None:
        self._made.append((made, whose))
        until = formats.moment(made.until, self._now, self._screen.calendar)
        self._tell(f"{whose} is raised by {made.amount} until {until}. u takes it back.")

    def undo(self) -> None:
        """End the last raise that was made here."""
        if not self._made or not self._writer.may_write():
            return
        made, whose = self._made.pop()
        now = self._now

        def work(connection: Connection) -> None:
            from spendtop.services.limits import raises

            raises.take_back(connection, made.id, now)

        self._writer.write(work, lambda _: self._tell(f"{whose} holds again without the {made.amount} more."))

    def _tell(self, words: str) -> None:
        self._screen.notify(words, markup=False)
        self._screen.news()
        self._screen.tick()


def _standing(limit: Limit, use: LimitUse | None) -> tuple[Usd, Usd]:
    """What is to be raised, and what is used of it."""
    return (limit.amount, ZERO) if use is None else (use.limit.amount, use.used)


def _whose(limit: Limit, use: LimitUse | None) -> str:
    name = clean_name(limit.name, 30)
    return f"{name}, {use.name}" if use is not None else name
