"""The line for filters and commands: history, completion, and a hint that points at what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class PromptKind(StrEnum):
    """What the line is for; the value is what stands in front of it."""

    FILTER = "/"
    COMMAND = ":"
    FIND = "find"


class PromptInput(Input):
    """An input that hands its special keys to the prompt around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.prompt_history(-1)", show=False, id="prompt-older"),
        Binding("down", "screen.prompt_history(1)", show=False, id="prompt-newer"),
        Binding("tab", "screen.prompt_complete(1)", show=False, id="prompt-complete"),
        Binding("shift+tab", "screen.prompt_complete(-1)", show=False, id="prompt-complete-back"),
        Binding("escape,ctrl+c", "screen.prompt_cancel", show=False, id="prompt-cancel", priority=True),
    ]


class Prompt(Horizontal):
    """Hidden until something is asked."""

    DEFAULT_CSS = """
    Prompt { height: 1; background: $surface; }
    Prompt Label { width: auto; padding: 0 1; color: $accent; text-style: bold; background: $surface; }
    Prompt PromptInput { width: 1fr; border: none; padding: 0; height: 1; background: $surface; color: $foreground; }
    Prompt PromptInput:focus { border: none; background: $surface; }
    """

    class Edited(Message):
        def __init__(self, kind: PromptKind, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Submitted(Message):
        """Enter was pressed."""

        def __init__(self, kind: PromptKind, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Cancelled(Message):
        """The prompt was given up; `before` is the text it began with."""

        def __init__(self, kind: PromptKind, before: str) -> None:
            super().__init__()
            self.kind = kind
            self.before = before

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self.display = False
        self.kind = PromptKind.COMMAND
        self._before = ""
        self._history: Sequence[str] = ()
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        yield PromptInput(compact=True, select_on_focus=False)

    @property
    def input(self) -> PromptInput:
        return self.query_one(PromptInput)

    @property
    def open(self) -> bool:
        return bool(self.display)

    def ask(self, kind: PromptKind, text: str, history: Sequence[str]) -> None:
        self.kind, self._before, self._history, self._at = kind, text, history, len(history)
        self.query_one(Label).update(kind.value)
        self.reopen(text)

    def reopen(self, text: str) -> None:
        """Go on with what was entered; giving up leads to the text that the question began with."""
        self.put(text)
        self.display = True
        # At once, so that keys typed ahead reach the field.
        self.screen.set_focus(self.input)
        self.post_message(self.Edited(self.kind, text))

    def close(self) -> None:
        self.display = False
        self.screen.set_focus(None)

    def give_up(self) -> None:
        """Close without a result."""
        self.close()
        self.post_message(self.Cancelled(self.kind, self._before))

    def recall(self, step: int) -> None:
        """An older (-1) or newer (1) entry."""
        self._at = max(0, min(self._at + step, len(self._history)))
        self.put(self._history[self._at] if self._at < len(self._history) else "")

    def put(self, text: str) -> None:
        self.input.value = text
        self.input.cursor_position = len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.open:
            self.post_message(self.Edited(self.kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()
        self.post_message(self.Submitted(self.kind, event.value))
