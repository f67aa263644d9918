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
from spendtop.tui.ledger.dialogs import CalibrateScreen, EntryDraft, LedgerEntryScreen
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

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
class RecordedEntry:
    """An entry that was made here."""

    account: str
    kind: EntryKind
    amount: Usd
    """Signed, as it moved the balance."""
    at: int


class EntryDesk:
    """Asks for entries and calibrations, records them, and takes the last entry back by its opposite."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer
        self._recorded: list[RecordedEntry] = []

    @property
    def can_undo(self) -> bool:
        """Whether an entry was made here that was not taken back."""
        return bool(self._recorded)

    @property
    def _now(self) -> int:
        return self._screen.face.session.clock()

    def calibrate(self, account: AccountNow, complaint: str = "") -> None:
        """Ask what the provider's page says."""
        if not self._writer.may_write():
            return
        late = "; r first asks the provider" if account.wants_poll(self._now) else ""
        ages = f"Billed costs: {bill_age(account, self._now)}{late}."
        dialog = CalibrateScreen(clean_line(account.account.name), account.balance, ages, complaint)
        self._screen.app.push_screen(dialog, partial(self._take_balance, account))

    def _take_balance(self, account: AccountNow, observed: Usd | None) -> None:
        if observed is None:
            return
        now, name = self._now, account.account.name

        def work(connection: Connection) -> Calibrated:
            from spendtop.services import ledger

            return ledger.calibrate(connection, name, observed, now, now, getuser())

        self._writer.write(work, partial(self._calibrated, name), partial(self.calibrate, account))

    def _calibrated(self, account: str, calibrated: Calibrated) -> None:
        words = f"{clean_line(account)} is calibrated at {calibrated.observed.floored}"
        if calibrated.predicted is not None and calibrated.drift is not None:
            words += f"; the ledger had {calibrated.predicted.floored}, drift {formats.change(calibrated.drift)}"
        self._tell(f"{words}.")

    def record(self, account: AccountNow) -> None:
        """Ask what kind of entry, then for it."""
        if self._writer.may_write():
            dialog = ChooseScreen("Record an entry", list(_WORDS.items()))
            self._screen.app.push_screen(dialog, partial(self._take_kind, account))

    def _take_kind(self, account: AccountNow, key: str | None) -> None:
        if key is not None:
            self._ask_entry(account, EntryDraft(_KINDS[key]))

    def _ask_entry(self, account: AccountNow, draft: EntryDraft, complaint: str = "") -> None:
        age = self._now - (account.calibrated_at or 0)
        recently = formats.span(max(age, 0)) if age < HOUR else ""
        dialog = LedgerEntryScreen(clean_line(account.account.name), draft, recently, complaint)
        self._screen.app.push_screen(dialog, partial(self._take_entry, account))

    def _take_entry(self, account: AccountNow, draft: EntryDraft | None) -> None:
        amount = draft.amount if draft is not None else None
        if draft is None or amount is None:
            return
        now, note = self._now, draft.note.strip() or None
        at = account.calibrated_at if draft.included and account.calibrated_at is not None else now

        def work(connection: Connection) -> None:
            from spendtop.services import ledger

            ledger.record(connection, account.account.name, draft.kind, amount, at, now, note=note, by=getuser())

        moved = -amount if draft.kind is EntryKind.EXPIRY else amount
        entry = RecordedEntry(account.account.name, draft.kind, moved, at)
        self._writer.write(work, lambda _: self._add(entry), partial(self._ask_entry, account, draft))

    def _add(self, entry: RecordedEntry) -> None:
        self._recorded.append(entry)
        moved = f"{entry.kind.value} {formats.change(entry.amount)}"
        self._tell(f"Recorded: {moved} at {clean_line(entry.account)}. u undoes it.")

    def undo(self) -> None:
        """Append the opposite of the last entry made here; nothing is ever taken out."""
        if not self._recorded or not self._writer.may_write():
            return
        entry, now = self._recorded[-1], self._now

        def work(connection: Connection) -> None:
            from spendtop.services import ledger

            note = f"undoes {entry.kind.value} {formats.change(entry.amount)}"
            kind = EntryKind.ADJUSTMENT
            ledger.record(connection, entry.account, kind, -entry.amount, entry.at, now, note=note, by=getuser())

        self._writer.write(work, lambda _: self._undone(entry))

    def _undone(self, entry: RecordedEntry) -> None:
        if entry in self._recorded:
            self._recorded.remove(entry)
        moved = f"{formats.change(-entry.amount)} at {clean_line(entry.account)}"
        self._tell(f"Undone: {moved}; both entries stay in the ledger.")

    def _tell(self, words: str) -> None:
        self._screen.notify(words, markup=False)
        self._screen.news()
        self._screen.tick()


def bill_age(account: AccountNow | None, now: int) -> str:
    """How old what the account was billed is, in words."""
    if account is None or account.account.poller is None:
        return "entered by hand only"
    if account.as_of is None:
        return "never polled"
    age = formats.age(max(now - account.as_of, 0))
    return f"as of {age}" if age == "now" else f"as of {age} ago"
