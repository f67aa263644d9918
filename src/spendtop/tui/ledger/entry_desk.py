"""Calibrating an account, and recording what came and went besides spend: the forms, and what is done with them."""

from __future__ import annotations

from functools import partial
from getpass import getuser
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from textual.app import ComposeResult
from textual.widgets import Checkbox, Input, Label

from spendtop.domain.clock import HOUR, age
from spendtop.domain.ledger.amounts import typed
from spendtop.domain.ledger.balance import Drift, EntryKind
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.modals.dialog import FormDialog, Tick
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.ledger.entries import Calibrated
    from spendtop.store.reads.ledger.accounts import AccountNow


_NO_BALANCE = "Type the balance as the page shows it, such as 42.93."
_NO_AMOUNT = "An amount of US dollars is needed, such as 20 or 42.93."
_WORDS = {
    EntryKind.DEPOSIT: "Credit that was bought, in US dollars (the credit, not the card's charge)",
    EntryKind.REFUND: "Credit that was given back, in US dollars",
    EntryKind.EXPIRY: "Credit that expired, in US dollars; it is taken away",
    EntryKind.ADJUSTMENT: "Anything else, in US dollars; -3 takes away",
}


_KINDS = {
    "d": EntryKind.DEPOSIT,
    "r": EntryKind.REFUND,
    "e": EntryKind.EXPIRY,
    "a": EntryKind.ADJUSTMENT,
}
_CHOICES = {
    "d": "deposit: credit that was bought",
    "r": "refund: credit that was given back",
    "e": "expiry: credit that ran out of time",
    "a": "adjustment: anything else, up or down",
}


class CalibrateScreen(FormDialog[Usd]):
    """Gives the balance that was typed, or None; says how far the ledger is off while it is typed."""

    HINT = "enter calibrates · esc gives up"

    def __init__(self, account: str, predicted: Usd | None, ages: str, complaint: str = "") -> None:
        """`ages` says how old the costs behind `predicted` are; `complaint` why the last try was refused."""
        super().__init__(f"Calibrate {account}", "")
        self._predicted = predicted
        self._ages = ages
        self._first_words = f"! {complaint}" if complaint else _NO_BALANCE

    def fields(self) -> ComposeResult:
        if self._predicted is None:
            yield Label("The ledger knows no balance yet; this is where it begins.", markup=False)
        else:
            yield Label(f"The ledger predicts {self._predicted.floored} (estimated).", markup=False)
        yield Label(self._ages, classes="dim", markup=False)
        yield Label("What does the provider's billing page say is left, in US dollars?", classes="spaced", markup=False)
        yield Input(placeholder="for example 42.93", id="amount", compact=True)
        yield Label(self._first_words, id="drift", classes="spaced", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """The drift as it would be recorded."""
        self.query_one("#drift", Label).update(self._drift_words(event.value))

    def _drift_words(self, text: str) -> str:
        observed = _amount(text)
        if observed is None:
            return f"! {_NO_BALANCE}" if text.strip() else _NO_BALANCE
        if self._predicted is None:
            return f"The ledger begins at {observed.floored}."
        drift = Drift(self._predicted, observed)
        if drift.amount.nano == 0:
            return "Drift $0.00: they agree."
        means = (
            "credit that nobody recorded, or costs not billed yet"
            if drift.amount.nano > 0
            else "spend or an expiry that the ledger does not know"
        )
        words = f"{'! ' if drift.is_large else ''}Drift {formats.change(drift.amount)}: {means}."
        if drift.suggests_deposit:
            words += "\nDid you buy credit? Then esc, and record the deposit with + first."
        return words

    def action_submit(self) -> None:
        observed = _amount(self.typed("amount"))
        if observed is None:
            self.query_one("#drift", Label).update(f"! {_NO_BALANCE}")
        else:
            self.dismiss(observed)


class EntryDraft(Struct, frozen=True):
    """An entry as it was typed."""

    kind: EntryKind
    text: str = ""
    note: str = ""
    included: bool = False
    """Whether the balance of the last calibration holds it already."""

    @property
    def amount(self) -> Usd | None:
        """What was typed as an amount; None where that is none."""
        return _amount(self.text)


class LedgerEntryScreen(FormDialog[EntryDraft]):
    """Gives what was typed, or None."""

    HINT = "tab next · enter records · esc gives up"

    def __init__(self, account: str, draft: EntryDraft, calibrated: str, complaint: str = "") -> None:
        """`calibrated` says when the last calibration was if that is so recent that it may hold the entry, else
        nothing; `complaint` why the draft could not be used."""
        super().__init__(f"Record {draft.kind.value}: {account}", complaint)
        self._draft = draft
        self._calibrated = calibrated

    def fields(self) -> ComposeResult:
        yield Label(_WORDS[self._draft.kind], markup=False)
        yield Input(self._draft.text, placeholder="for example 20.00", id="amount", compact=True)
        yield Label("Note", classes="spaced", markup=False)
        yield Input(self._draft.note, placeholder="for example invoice 2026-1107", id="note", compact=True)
        if self._calibrated:
            words = "already included in the balance you typed?"
            yield Tick(words, self._draft.included, id="included", compact=True)
            yield Label(
                f"calibrated {self._calibrated} ago; ticked, it changes no balance", classes="dim", markup=False
            )

    def action_submit(self) -> None:
        draft = replace(
            self._draft,
            text=self.typed("amount"),
            note=self.typed("note"),
            included=any(box.value for box in self.query(Checkbox)),
        )
        if draft.amount is None:
            self.complain(_NO_AMOUNT)
        else:
            self.dismiss(draft)


def _amount(text: str) -> Usd | None:
    """`42.93`, `$1,042.93` or `-3` in US dollars; None for anything else."""
    try:
        return typed(text)
    except ValueError:
        return None


class RecordedEntry(Struct, frozen=True):
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
            from spendtop.services.ledger import entries as ledger

            return ledger.calibrate(connection, account.account, observed, now, now, getuser())

        self._writer.write(work, partial(self._calibrated, name), partial(self.calibrate, account))

    def _calibrated(self, account: str, calibrated: Calibrated) -> None:
        words = f"{clean_line(account)} is calibrated at {calibrated.observed.floored}"
        if calibrated.predicted is not None and calibrated.drift is not None:
            words += f"; the ledger had {calibrated.predicted.floored}, drift {formats.change(calibrated.drift)}"
        self._tell(f"{words}.")

    def record(self, account: AccountNow) -> None:
        """Ask what kind of entry, then for it."""
        if self._writer.may_write():
            dialog = ChooseScreen("Record an entry", list(_CHOICES.items()))
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
            from spendtop.services.ledger import entries as ledger

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
            from spendtop.services.ledger import entries as ledger

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
        return "not read"
    if account.as_of is None:
        return "never polled"
    since = age(max(now - account.as_of, 0))
    return f"as of {since}" if since == "now" else f"as of {since} ago"
