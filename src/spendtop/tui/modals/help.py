"""Help: the keys that work now, and the filter language; typing searches both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from spendtop.domain.filters import FIELDS
from spendtop.tui.actions import GROUPS, Action, key_name
from spendtop.tui.screens import SCREENS

if TYPE_CHECKING:
    from spendtop.tui.app import SpendtopApp


class HelpScreen(ModalScreen[None]):
    """Made from the tables of actions, screens, commands and fields."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "close", "close"),
        ("down", "scroll(1)", "down"),
        ("up", "scroll(-1)", "up"),
        ("pagedown", "scroll(10)", "page down"),
        ("pageup", "scroll(-10)", "page up"),
    ]

    def __init__(self, offered: Sequence[tuple[Action, str]]) -> None:
        super().__init__()
        self._offered = offered

    def compose(self) -> ComposeResult:
        """A search line over the topics."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Help: the keys that work now"
            dialog.border_subtitle = "type to search, arrows scroll, esc closes"
            yield Input(placeholder="search keys, commands and filter fields", compact=True)
            with VerticalScroll(id="topics", can_focus=False):
                yield Static(id="found", markup=False)

    def on_mount(self) -> None:
        """Everything."""
        self.query_one(Input).focus()
        self._search("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """What matches."""
        self._search(event.value)

    def on_input_submitted(self) -> None:
        """Enter closes too."""
        self.action_close()

    def action_close(self) -> None:
        """Back."""
        self.dismiss()

    def action_scroll(self, step: int) -> None:
        """Up or down."""
        self.query_one("#topics").scroll_relative(y=step, animate=False)

    def _search(self, needle: str) -> None:
        palette = cast("SpendtopApp", self.app).dress.palette
        text = Text()
        for title, entries in self._topics():
            found = [pair for pair in entries if needle.lower() in f"{pair[0]} {pair[1]}".lower()]
            if not found:
                continue
            text.append(f"{title}\n", palette.title)
            for key, words in found:
                text.append(f"  {key:<16}", palette.key)
                text.append(f" {words}\n", palette.text)
            text.append("\n")
        if not text:
            text.append("nothing matches", palette.muted)
        self.query_one("#found", Static).update(text)

    def _topics(self) -> list[tuple[str, list[tuple[str, str]]]]:
        topics: list[tuple[str, list[tuple[str, str]]]] = []
        for group in GROUPS:
            entries = [(self._keys(action, key), action.help) for action, key in self._offered if action.group == group]
            if group == "app":
                entries += [(entry.key, f"{entry.title}: {entry.help}") for entry in SCREENS.values()]
            topics.append((group, entries))
        commands = cast("SpendtopApp", self.app).commands.all.values()
        topics.append(("commands", [(f":{command.usage}", command.help) for command in commands]))
        fields = [(field.example, f"{field.help}  ({field.name}:)") for field in FIELDS.values()]
        combine = [
            ("& | ! ( )", "and, or, not, groups; side by side means and"),
            ("word", "in user, model, session, path or id"),
        ]
        return [*topics, ("filter, after /", [*fields, *combine])]

    def _keys(self, action: Action, key: str) -> str:
        keys = [known for known in action.keys.split(",") if known != key] if key in action.keys.split(",") else []
        return " ".join(key_name(found) for found in [key, *keys])
