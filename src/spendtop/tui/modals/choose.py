"""One of several: arrows and enter, or the letter in front; another letter goes to what begins with it."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters, digits
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from spendtop.tui.modals.dialog import Dialog, Picker

CHOOSE_HINT = "enter chooses · esc stays"
MOVING = frozenset("jkgGq")
"""Characters that mean the same in every picker: no option has one of them as its key."""
_KEYS = {*ascii_letters, *digits} - MOVING


class ChooseScreen(Dialog[str]):
    """Gives the chosen option's key, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "cancel", "cancel"),
        # A key that was typed ahead began below, where the dialog would not see it; bindings are looked up at its end.
        *((key, f"pick({key!r})", "choose") for key in sorted(_KEYS)),
    ]
    HINT = CHOOSE_HINT

    def __init__(self, title: str, options: Sequence[tuple[str, str]], present: str | None = None) -> None:
        """`options` are key, a letter or digit and none of `MOVING`, and words. The cursor begins on `present`."""
        super().__init__(title)
        assert _KEYS.issuperset(key for key, _ in options)
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

    def action_pick(self, key: str) -> None:
        """Give the option that has this key; without one, go to the next that has a word which begins with it."""
        if any(key == each for each, _ in self._options):
            self.dismiss(key)
            return
        picker = self.query_one(Picker)
        begun = [place for place, (_, words) in enumerate(self._options) if f" {key}" in f" {words}".lower()]
        if begun:
            at = -1 if picker.highlighted is None else picker.highlighted
            picker.highlighted = next((place for place in begun if place > at), begun[0])


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
