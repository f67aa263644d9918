"""A question before something is done that cannot be undone: staying is what enter does."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from spendtop.tui.modals.choose import CHOOSE_HINT


class ConfirmScreen(ModalScreen[bool]):
    """Whether the user means it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,n", "answer(False)", "stay"), ("y", "answer(True)", "do it")]

    def __init__(self, title: str, words: str, yes: str, no: str) -> None:
        """`words` say what it does; `yes` and `no` are the answers in words."""
        super().__init__()
        self._title = title
        self._words = words
        self._answers = (Option(f"n  {no}", id="no"), Option(f"y  {yes}", id="yes"))

    def compose(self) -> ComposeResult:
        """What it does, and the answers."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = CHOOSE_HINT
            yield Label(self._words, markup=False)
            yield OptionList(*self._answers, compact=True, markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or click."""
        self.dismiss(event.option_id == "yes")

    def action_answer(self, answer: bool) -> None:
        """By its letter."""
        self.dismiss(answer)
