"""Help: the keys that work now, and the filter language; typing searches both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from spendtop.tui.widgets.canvas import fit

if TYPE_CHECKING:
    from spendtop.tui.app import SpendtopApp


_COLUMN = 25
_COMBINE = (
    ("side by side", "and", "conditions side by side must all hold; & says the same"),
    ("|  !  ( )", "or, not", "either, not, and groups"),
    ("word", "any of them", "a bare word is looked for in user, model, session, path and id"),
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Entries of key, label and full words under one title."""

    title: str
    key_width: int
    entries: list[tuple[str, str, str]]


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
        """All in columns, or what matches with its full words."""
        palette = cast("SpendtopApp", self.app).palette
        text = Text()
        for topic in self.topics():
            found = [entry for entry in topic.entries if needle.lower() in " ".join(entry).lower()]
            if not found:
                continue
            text.append(f"{topic.title}\n", palette.title)
            columns = max(min((self.size.width - 4) // _COLUMN, 3), 1) if not needle else 1
            for index, (key, label, words) in enumerate(found):
                key_width = topic.key_width if columns > 1 else 22
                text.append(f"  {fit(key, key_width)} ", palette.key)
                text.append(fit(label, _COLUMN - key_width - 3) if columns > 1 else words, palette.text)
                if index % columns == columns - 1 or index == len(found) - 1:
                    text.append("\n")
        if not text:
            text.append("nothing matches", palette.muted)
        self.query_one("#found", Static).update(text)

    def topics(self) -> list[Topic]:
        """Everything that help knows, as it is now."""
        topics = [
            Topic(group, 9, [(self._keys(action, key), action.label, action.help) for action, key in entries])
            for group in GROUPS
            if (entries := [pair for pair in self._offered if pair[0].group == group])
        ]
        topics.append(Topic("screens", 9, [(entry.key, entry.title, entry.help) for entry in SCREENS.values()]))
        fields = [
            (f"~{field.short}", field.name, f"{field.help}, e.g. {field.example} or {field.long_example}")
            for field in FIELDS.values()
        ]
        topics.append(Topic("filter, after /", 9, [*fields, *_COMBINE]))
        commands = cast("SpendtopApp", self.app).commands.all.values()
        topics.append(
            Topic("commands", 9, [(f":{found.name}", "", f"{found.usage}: {found.help}") for found in commands])
        )
        return topics

    def _keys(self, action: Action, key: str) -> str:
        """The key in use, and the others of the table where the user's keymap did not replace them."""
        known = action.keys.split(",")
        others = [other for other in known if other != key] if key in known else []
        return " ".join(key_name(found) for found in [key, *others])
