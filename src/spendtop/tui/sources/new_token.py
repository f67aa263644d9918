"""What a new tracking token is to be: its name, its value, and whether its requests count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label

_HINT = "tab next · space ticks · enter creates · esc gives up"


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """A token as it was typed; `value` empty makes a fresh one."""

    name: str = ""
    value: str = ""
    shadow: bool = False


class Tick(Checkbox):
    """A box that shows by a mark whether it is ticked; enter is for the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "screen.create", "create")]

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # what Textual draws into the box
        """A mark only where it is ticked."""
        return "x" if self.value else " "


class NewTokenScreen(ModalScreen[TokenDraft | None]):
    """Gives what was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "cancel", "cancel"),
        ("down", "app.focus_next", "next"),
        ("up", "app.focus_previous", "previous"),
    ]

    def __init__(self, draft: TokenDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__()
        self._draft = draft
        self._complaint = complaint

    def compose(self) -> ComposeResult:
        """Two lines to type and one to tick."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "New tracking token"
            dialog.border_subtitle = _HINT
            yield Label("Name, such as the application and its environment", markup=False)
            yield Input(self._draft.name, placeholder="billing-service prod", id="name", compact=True)
            yield Label("Value that clients send", classes="spaced", markup=False)
            yield Input(self._draft.value, placeholder="leave it empty for a fresh one", id="value", compact=True)
            yield Tick("shadow: store and show, do not count", self._draft.shadow, id="shadow", compact=True)
            yield Label("for an application that another source counts already", classes="dim", markup=False)
            if self._complaint:
                yield Label(f"! {self._complaint}", id="complaint", markup=False)

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#name", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what is typed."""
        if event.input.id == "name":
            self._draft = replace(self._draft, name=event.value)
        else:
            self._draft = replace(self._draft, value=event.value)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Keep what is ticked."""
        self._draft = replace(self._draft, shadow=event.value)

    def on_input_submitted(self) -> None:
        """Enter in either line."""
        self.action_create()

    def action_create(self) -> None:
        """As typed."""
        self.dismiss(self._draft)

    def action_cancel(self) -> None:
        """Nothing."""
        self.dismiss(None)
