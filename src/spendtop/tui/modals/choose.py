"""One of several: arrows and enter, or the letter in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from spendtop.tui.modals.dialog import Dialog, Picker

CHOOSE_HINT = "enter chooses · esc stays"
MOVING = frozenset("jkgGq")
"""Characters that mean the same in every picker: no option has one of them as its key."""


class ChooseScreen(Dialog[str]):
    """Gives the chosen option's key, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "cancel", "cancel")]
    HINT = CHOOSE_HINT

    def __init__(self, title: str, options: Sequence[tuple[str, str]], present: str | None = None) -> None:
        """`options` are key and words; a key is one character, and none of `MOVING`. The cursor begins on `present`."""
        super().__init__(title)
        assert MOVING.isdisjoint(key for key, _ in options)
        self._options = options
        self._present = present

    def body(self) -> ComposeResult:
        options = [Option(f"{key}  {words}", id=key) for key, words in self._options]
        picker = Picker(*options, compact=True, markup=False)
        if self._present is not None:
            picker.highlighted = picker.get_option_index(self._present)
        yield picker

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def on_key(self, event: events.Key) -> None:
        if event.character in {key for key, _ in self._options}:
            event.stop()
            self.dismiss(event.character)


class ConfirmScreen(Dialog[bool]):
    """A question before something is done that cannot be undone: staying is what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,n", "cancel", "stay"), ("y", "confirm", "do it")]
    HINT = CHOOSE_HINT

    def __init__(self, title: str, words: str, yes: str, no: str) -> None:
        """`words` say what it does; `yes` and `no` are the answers in words."""
        super().__init__(title)
        self._words = words
        self._answers = (Option(f"n  {no}", id="no"), Option(f"y  {yes}", id="yes"))

    def body(self) -> ComposeResult:
        yield Label(self._words, markup=False)
        yield Picker(*self._answers, compact=True, markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id == "yes")

    def action_confirm(self) -> None:
        self.dismiss(True)

    def action_cancel(self) -> None:
        self.dismiss(False)
