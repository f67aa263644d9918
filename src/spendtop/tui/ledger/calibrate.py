"""What the provider's page says is left, and how far the ledger is off while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from spendtop.domain.ledger import Drift
from spendtop.domain.money import Usd
from spendtop.tui import formats
from spendtop.tui.modals.amount_input import typed_amount

_EMPTY = "Type the balance as the page shows it, such as 42.93."


class CalibrateScreen(ModalScreen[Usd | None]):
    """Gives the balance that was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "cancel", "cancel")]

    def __init__(self, account: str, predicted: Usd | None, ages: str, complaint: str = "") -> None:
        """`ages` says how old the costs behind `predicted` are; `complaint` why the last try was refused."""
        super().__init__()
        self._account = account
        self._predicted = predicted
        self._ages = ages
        self._complaint = complaint

    def compose(self) -> ComposeResult:
        """What is predicted, a line to type, and what the difference means."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"Calibrate {self._account}"
            dialog.border_subtitle = "enter calibrates · esc gives up"
            if self._predicted is None:
                yield Label("The ledger knows no balance yet; this is where it begins.", markup=False)
            else:
                yield Label(f"The ledger predicts {self._predicted.floored} (estimated).", markup=False)
            yield Label(self._ages, classes="dim", markup=False)
            yield Label(
                "What does the provider's billing page say is left, in US dollars?", classes="spaced", markup=False
            )
            yield Input(placeholder="42.93", id="amount", compact=True)
            yield Label(
                f"! {self._complaint}" if self._complaint else _EMPTY, id="drift", classes="spaced", markup=False
            )

    def on_mount(self) -> None:
        """Begin with the amount."""
        self.query_one("#amount", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The drift as it would be recorded."""
        self.query_one("#drift", Label).update(self._words(event.value))

    def _words(self, text: str) -> str:
        observed = typed_amount(text)
        if observed is None:
            return f"! {_EMPTY}" if text.strip() else _EMPTY
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

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Only an amount."""
        observed = typed_amount(event.value)
        if observed is None:
            self.query_one("#drift", Label).update(f"! {_EMPTY}")
        else:
            self.dismiss(observed)

    def action_cancel(self) -> None:
        """Nothing."""
        self.dismiss(None)
