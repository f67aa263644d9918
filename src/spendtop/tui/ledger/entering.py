"""Calibrating an account, and recording what came and went besides spend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from getpass import getuser
from typing import TYPE_CHECKING

from spendtop.domain.clock import HOUR
from spendtop.domain.ledger import EntryKind
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.ledger.calibrate import CalibrateScreen
from spendtop.tui.ledger.entry_dialog import EntryDraft, LedgerEntryScreen
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.writing import Writing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.ledger import Calibrated
    from spendtop.store.reads.ledger import AccountNow

_KINDS = {
    "d": EntryKind.DEPOSIT,
    "r": EntryKind.REFUND,
    "e": EntryKind.EXPIRY,
    "a": EntryKind.ADJUSTMENT,
}
_WORDS = {
    "d": "deposit: credit that was bought",
    "r": "refund: credit that was given back",
    "e": "expiry: credit that ran out of time",
    "a": "adjustment: anything else, up or down",
}


@dataclass(frozen=True, slots=True)
class _Made:
    """An entry that was made here."""

    account: str
    kind: EntryKind
    amount: Usd
    """Signed, as it moved the balance."""
    at: int


class LedgerEntering(Writing):
    """The part of the screen of the ledger that changes something."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: AccountNow | None = None
        self.made: list[_Made] = []
        """Entries of this screen, the last one last."""

    def bill_age(self) -> str:
        """How old what the chosen account was billed is, in words."""
        chosen = self.chosen
        if chosen is None or chosen.account.poller is None:
            return "entered by hand only"
        if chosen.as_of is None:
            return "never polled"
        age = formats.age(max(self.face.session.clock() - chosen.as_of, 0))
        return f"as of {age}" if age == "now" else f"as of {age} ago"

    def action_calibrate(self) -> None:
        """Ask what the provider's page says."""
        if self.chosen is not None and self.may_write():
            self._ask_balance(self.chosen)

    def _ask_balance(self, chosen: AccountNow, complaint: str = "") -> None:
        late = "; r first asks the provider" if chosen.wants_poll(self.face.session.clock()) else ""
        ages = f"Billed costs: {self.bill_age()}{late}."
        name = clean_line(chosen.account.name)
        self.app.push_screen(CalibrateScreen(name, chosen.balance, ages, complaint), partial(self._calibrate, chosen))

    def _calibrate(self, chosen: AccountNow, observed: Usd | None) -> None:
        if observed is None:
            return
        now, name = self.face.session.clock(), chosen.account.name

        def work(connection: Connection) -> Calibrated:
            from spendtop.services import ledger

            return ledger.calibrate(connection, name, observed, now, now, getuser())

        self.write(work, partial(self._calibrated, name), lambda reason: self._ask_balance(chosen, reason))

    def _calibrated(self, account: str, found: Calibrated) -> None:
        words = f"{clean_line(account)} is calibrated at {found.observed.floored}"
        if found.predicted is not None and found.drift is not None:
            words += f"; the ledger had {found.predicted.floored}, drift {formats.change(found.drift)}"
        self._told(f"{words}.")

    def action_record(self) -> None:
        """Ask what kind of entry."""
        if self.chosen is not None and self.may_write():
            self.app.push_screen(
                ChooseScreen("Record an entry", list(_WORDS.items())), partial(self._take_kind, self.chosen)
            )

    def _take_kind(self, chosen: AccountNow, key: str | None) -> None:
        if key is not None:
            self._ask_entry(chosen, EntryDraft(_KINDS[key]))

    def _ask_entry(self, chosen: AccountNow, draft: EntryDraft, complaint: str = "") -> None:
        age = self.face.session.clock() - (chosen.calibrated_at or 0)
        recently = formats.span(max(age, 0)) if age < HOUR else ""
        name = clean_line(chosen.account.name)
        self.app.push_screen(LedgerEntryScreen(name, draft, recently, complaint), partial(self._record, chosen))

    def _record(self, chosen: AccountNow, draft: EntryDraft | None) -> None:
        amount = draft.amount if draft is not None else None
        if draft is None or amount is None:
            return
        now = self.face.session.clock()
        at = chosen.calibrated_at if draft.included and chosen.calibrated_at is not None else now

        def work(connection: Connection) -> None:
            from spendtop.services import ledger

            note = draft.note.strip() or None
            ledger.record(connection, chosen.account.name, draft.kind, amount, at, now, note=note, by=getuser())

        moved = -amount if draft.kind is EntryKind.EXPIRY else amount
        made = _Made(chosen.account.name, draft.kind, moved, at)
        self.write(work, lambda _: self._recorded(made), partial(self._ask_entry, chosen, draft))

    def _recorded(self, made: _Made) -> None:
        self.made.append(made)
        self._told(
            f"Recorded: {made.kind.value} {formats.change(made.amount)} at {clean_line(made.account)}. u undoes it."
        )

    def action_undo(self) -> None:
        """Append the opposite of the last entry made here; nothing is ever taken out."""
        if not self.made or not self.may_write():
            return
        made, now = self.made[-1], self.face.session.clock()

        def work(connection: Connection) -> None:
            from spendtop.services import ledger

            note = f"undoes {made.kind.value} {formats.change(made.amount)}"
            kind = EntryKind.ADJUSTMENT
            ledger.record(connection, made.account, kind, -made.amount, made.at, now, note=note, by=getuser())

        self.write(work, lambda _: self._undone(made), self.warn)

    def _undone(self, made: _Made) -> None:
        if made in self.made:
            self.made.remove(made)
        self._told(
            f"Undone: {formats.change(-made.amount)} at {clean_line(made.account)}; both entries stay in the ledger."
        )

    def _told(self, words: str) -> None:
        self.notify(words, markup=False)
        self.news()
        self.tick()
