"""One of several: arrows and enter, or the letter in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

CHOOSE_HINT = "enter chooses · esc stays"


class ChooseScreen(ModalScreen[str | None]):
    """Gives the chosen option's key, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "cancel", "cancel")]

    def __init__(self, title: str, options: Sequence[tuple[str, str]]) -> None:
        """`options` are key and words; a key is one character."""
        super().__init__()
        self._title = title
        self._options = options

    def compose(self) -> ComposeResult:
        """The options."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = CHOOSE_HINT
            options = [Option(f"{key}  {words}", id=key) for key, words in self._options]
            yield OptionList(*options, compact=True, markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or click."""
        self.dismiss(event.option_id)

    def on_key(self, event: events.Key) -> None:
        """The option's own key."""
        if event.character in {key for key, _ in self._options}:
            event.stop()
            self.dismiss(event.character)

    def action_cancel(self) -> None:
        """Nothing."""
        self.dismiss(None)
