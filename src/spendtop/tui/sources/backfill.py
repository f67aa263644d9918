"""Which span of time is to be read from Helicone again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

_HINT = "tab next · enter begins · esc gives up"


@dataclass(frozen=True, slots=True)
class SpanDraft:
    """A span as it was typed; `until` empty is now."""

    since: str = ""
    until: str = ""


class BackfillScreen(ModalScreen[SpanDraft | None]):
    """Gives what was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "cancel", "cancel"),
        ("down", "app.focus_next", "next"),
        ("up", "app.focus_previous", "previous"),
    ]

    def __init__(self, draft: SpanDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__()
        self._draft = draft
        self._complaint = complaint

    def compose(self) -> ComposeResult:
        """Two lines to type."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Back-fill from Helicone's API"
            dialog.border_subtitle = _HINT
            yield Label("Since: 24h, 14:00, yesterday, 2026-11-01, 2026-11-01T14:00", markup=False)
            yield Input(self._draft.since, placeholder="yesterday", id="since", compact=True)
            yield Label("Until, likewise; a date counts whole", classes="spaced", markup=False)
            yield Input(self._draft.until, placeholder="leave it empty for now", id="until", compact=True)
            yield Label("What is missing there is recorded; nothing is counted twice.", classes="dim", markup=False)
            if self._complaint:
                yield Label(f"! {self._complaint}", id="complaint", markup=False)

    def on_mount(self) -> None:
        """Begin with the begin."""
        self.query_one("#since", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what is typed."""
        if event.input.id == "since":
            self._draft = replace(self._draft, since=event.value)
        else:
            self._draft = replace(self._draft, until=event.value)

    def on_input_submitted(self) -> None:
        """Enter in either line."""
        self.dismiss(self._draft)

    def action_cancel(self) -> None:
        """Nothing."""
        self.dismiss(None)
