"""Help: the keys that work now, and the filter language; typing searches both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from spendtop.domain.filters.filters import FIELDS
from spendtop.tui.actions import GROUPS, Action, key_name
from spendtop.tui.legend import legend
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.widgets.canvas import fit

if TYPE_CHECKING:
    from spendtop.tui.face import Face


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
    columns: int = 3
    """At most; in one alone entries have their full words instead of labels."""


class HelpScreen(ReadingDialog):
    """Made from the tables of actions, screens, commands, fields and signs."""

    HINT = "type to search, arrows scroll, esc closes"

    def __init__(self, offered: Sequence[tuple[Action, str]], screens: Topic, commands: Topic) -> None:
        super().__init__("Help: the keys that work now")
        self._offered = offered
        self._screens = screens
        self._commands = commands

    def body(self) -> ComposeResult:
        yield Input(placeholder="search keys, signs, commands and filter fields", compact=True)
        with VerticalScroll(id="text", can_focus=False):
            yield Static(id="found", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._search("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def on_input_submitted(self) -> None:
        self.action_cancel()

    def _search(self, needle: str) -> None:
        """All in columns, or what matches with its full words."""
        palette = cast("Face", self.app).palette
        text = Text()
        for topic in self.topics():
            entries = [entry for entry in topic.entries if needle.lower() in " ".join(entry).lower()]
            if not entries:
                continue
            text.append(f"{topic.title}\n", palette.title)
            columns = max(min((self.size.width - 4) // _COLUMN, topic.columns), 1) if not needle else 1
            for index, (key, label, words) in enumerate(entries):
                key_width = 22 if needle else topic.key_width
                text.append(f"  {fit(key, key_width)} ", palette.key)
                text.append(fit(label, _COLUMN - key_width - 3) if columns > 1 else words, palette.text)
                if index % columns == columns - 1 or index == len(entries) - 1:
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
        fields = [
            (f"~{field.short}", field.name, f"{field.help}, e.g. {field.example} or {field.long_example}")
            for field in FIELDS.values()
        ]
        return [
            *topics,
            self._screens,
            Topic("filter, after /", 9, [*fields, *_COMBINE]),
            Topic("signs", 9, legend(cast("Face", self.app).glyphs), columns=1),
            self._commands,
        ]

    def _keys(self, action: Action, key: str) -> str:
        """The key in use, and the others of the table where the user's keymap did not replace them."""
        keys = action.keys.split(",")
        others = [other for other in keys if other != key] if key in keys else []
        return " ".join(key_name(each) for each in [key, *others])
