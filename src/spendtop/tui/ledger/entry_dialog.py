"""An entry of the ledger: how much, why, and whether a calibration holds it already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label

from spendtop.domain.ledger import EntryKind
from spendtop.domain.money import Usd
from spendtop.tui.modals.amount_input import typed_amount
from spendtop.tui.sources.new_token import Tick

_WORDS = {
    EntryKind.DEPOSIT: "Credit that was bought, in US dollars (the credit, not the card's charge)",
    EntryKind.REFUND: "Credit that was given back, in US dollars",
    EntryKind.EXPIRY: "Credit that expired, in US dollars; it is taken away",
    EntryKind.ADJUSTMENT: "Anything else, in US dollars; -3 takes away",
}
_NO_AMOUNT = "An amount of US dollars is needed, such as 20 or 42.93."


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
        """What was typed as an amount."""
        return typed_amount(self.text)


class LedgerEntryScreen(ModalScreen[EntryDraft | None]):
    """Gives what was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "cancel", "cancel"),
        ("down", "app.focus_next", "next"),
        ("up", "app.focus_previous", "previous"),
    ]

    def __init__(self, account: str, draft: EntryDraft, calibrated: str, complaint: str = "") -> None:
        """`calibrated` says when the last calibration was if that is so recent that it may hold the entry, else
        nothing; `complaint` why the draft could not be used."""
        super().__init__()
        self._account = account
        self._draft = draft
        self._calibrated = calibrated
        self._complaint = complaint

    def compose(self) -> ComposeResult:
        """Two lines to type and perhaps one to tick."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"Record {self._draft.kind.value}: {self._account}"
            dialog.border_subtitle = "tab next · enter records · esc gives up"
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
            yield Label(f"! {self._complaint}" if self._complaint else "", id="complaint", markup=False)

    def on_mount(self) -> None:
        """Begin with the amount."""
        self.query_one("#amount", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what is typed."""
        if event.input.id == "amount":
            self._draft = replace(self._draft, text=event.value)
        else:
            self._draft = replace(self._draft, note=event.value)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Keep what is ticked."""
        self._draft = replace(self._draft, included=event.value)

    def on_input_submitted(self) -> None:
        """Enter in either line."""
        self.action_create()

    def action_create(self) -> None:
        """As typed, once there is an amount."""
        if self._draft.amount is None:
            self.query_one("#complaint", Label).update(f"! {_NO_AMOUNT}")
        else:
            self.dismiss(self._draft)

    def action_cancel(self) -> None:
        """Nothing."""
        self.dismiss(None)
