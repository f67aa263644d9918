"""What the ledger asks a person: the balance on the provider's page, and what came and went besides spend."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.app import ComposeResult
from textual.widgets import Checkbox, Input, Label

from spendtop.domain.billing import typed
from spendtop.domain.ledger import Drift, EntryKind
from spendtop.domain.money import Usd
from spendtop.tui import formats
from spendtop.tui.modals.dialog import FormDialog, Tick

_NO_BALANCE = "Type the balance as the page shows it, such as 42.93."
_NO_AMOUNT = "An amount of US dollars is needed, such as 20 or 42.93."
_WORDS = {
    EntryKind.DEPOSIT: "Credit that was bought, in US dollars (the credit, not the card's charge)",
    EntryKind.REFUND: "Credit that was given back, in US dollars",
    EntryKind.EXPIRY: "Credit that expired, in US dollars; it is taken away",
    EntryKind.ADJUSTMENT: "Anything else, in US dollars; -3 takes away",
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
        yield Input(placeholder="42.93", id="amount", compact=True)
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


@dataclass(frozen=True, slots=True)
class EntryDraft:
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
        yield Input(self._draft.text, placeholder="20.00", id="amount", compact=True)
        yield Label("Note", classes="spaced", markup=False)
        yield Input(self._draft.note, placeholder="invoice 2026-1107", id="note", compact=True)
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
