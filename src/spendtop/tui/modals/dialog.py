"""What dialogs have in common: a frame with a title and the keys that work, something to pick, type or read in it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, OptionList

Result = TypeVar("Result")


class Dialog(ModalScreen[Result | None]):
    """Escape leaves it without a result. Subclasses give `body`."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "cancel", "cancel")]
    HINT: ClassVar[str] = ""
    """The keys that work, in the frame's lower edge."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._is_answered = False

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with this result. Only the first one counts: another key may come before the dialog is gone."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        return super().dismiss(result)

    def body(self) -> ComposeResult:
        """What is in the frame."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title, dialog.border_subtitle = Text(self._title), self.HINT
            yield from self.body()

    def action_cancel(self) -> None:
        self.dismiss(None)


class Picker(OptionList):
    """Options one below the other, moved through as every other list is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "cursor_down", "down"),
        ("k", "cursor_up", "up"),
        ("g", "first", "first"),
        ("G", "last", "last"),
    ]


class FormDialog(Dialog[Result]):
    """Lines to type; the first one has the keyboard. Subclasses give `fields` and `action_submit`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("down", "app.focus_next", "next"),
        ("up", "app.focus_previous", "previous"),
    ]

    def __init__(self, title: str, complaint: str) -> None:
        """`complaint` says why what was typed before could not be used."""
        super().__init__(title)
        self._complaint = complaint

    def fields(self) -> ComposeResult:
        """Labels, inputs and boxes."""
        raise NotImplementedError

    def body(self) -> ComposeResult:
        yield from self.fields()
        yield Label(id="complaint", markup=False)

    def on_mount(self) -> None:
        self.complain(self._complaint)
        first = self.query(Input).first()
        first.focus()
        first.call_next(first.action_select_all)  # what was typed ahead comes before the focus that would do so

    def complain(self, words: str) -> None:
        """Say below the fields what is wrong; nothing takes it away."""
        label = self.query_one("#complaint", Label)
        label.update(f"! {words}")
        label.display = bool(words)

    def typed(self, field: str) -> str:
        """The text of the line with this id."""
        return self.query_one(f"#{field}", Input).value

    def on_input_submitted(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        """Dismiss with what was typed, or complain."""
        raise NotImplementedError


class Tick(Checkbox):
    """A box that shows by a mark whether it is ticked; enter is for the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "screen.submit", "submit")]

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # what Textual draws into the box
        """A mark only where it is ticked."""
        return "x" if self.value else " "


class ReadingDialog(Dialog[None]):
    """Text to scroll through, in the container `#text`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("down,j", "scroll(1)", "down"),
        ("up,k", "scroll(-1)", "up"),
        ("pagedown,ctrl+d", "scroll(10)", "page down"),
        ("pageup,ctrl+u", "scroll(-10)", "page up"),
        ("g,home", "scroll_top", "top"),
        ("G,end", "scroll_end", "end"),
    ]

    def action_scroll(self, step: int) -> None:
        self.query_one("#text").scroll_relative(y=step, animate=False)

    def action_scroll_top(self) -> None:
        self.query_one("#text").scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        self.query_one("#text").scroll_end(animate=False)
