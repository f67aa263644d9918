"""Ready code that sends under a tracking token: one page per language, to copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

_TITLES = {"python": "Python", "curl": "curl", "litellm": "LiteLLM"}
_HINT = "tab or 1 2 3 page · y copies · esc closes"


class SnippetsScreen(ModalScreen[None]):
    """Pages of text as they are to be pasted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,enter", "close", "close"),
        ("tab,l,right", "turn(1)", "next page"),
        ("shift+tab,h,left", "turn(-1)", "page before"),
        ("1", "page(0)", "first page"),
        ("2", "page(1)", "second page"),
        ("3", "page(2)", "third page"),
        ("y", "copy", "copy"),
        ("down,j", "scroll(1)", "down"),
        ("up,k", "scroll(-1)", "up"),
        ("pagedown", "scroll(10)", "page down"),
        ("pageup", "scroll(-10)", "page up"),
    ]

    def __init__(self, title: str, words: str, snippets: Mapping[str, str], copy: Callable[[str], None]) -> None:
        """`words` stand above the pages; `copy` takes the page's text."""
        super().__init__()
        self._title = title
        self._words = words
        self._pages = tuple(snippets.items())
        self._page = 0
        self._copy = copy

    def compose(self) -> ComposeResult:
        """Words, the pages' names, and the page."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = _HINT
            yield Label(self._words, markup=False)
            yield Static(id="pages", markup=False)
            with VerticalScroll(id="code", can_focus=False):
                yield Static(id="snippet", markup=False)

    def on_mount(self) -> None:
        """The first page."""
        self.action_page(0)

    def action_page(self, number: int) -> None:
        """Show this page."""
        if number >= len(self._pages):
            return
        self._page = number
        names = [
            f"[{_TITLES.get(name, name)}]" if place == number else f" {_TITLES.get(name, name)} "
            for place, (name, _) in enumerate(self._pages)
        ]
        self.query_one("#pages", Static).update("  ".join(names))
        self.query_one("#snippet", Static).update(self._pages[number][1])
        self.query_one("#code").scroll_home(animate=False)

    def action_turn(self, step: int) -> None:
        """The next page, round and round."""
        self.action_page((self._page + step) % len(self._pages))

    def action_copy(self) -> None:
        """The page as it is."""
        self._copy(self._pages[self._page][1])

    def action_scroll(self, step: int) -> None:
        """Up or down."""
        self.query_one("#code").scroll_relative(y=step, animate=False)

    def action_close(self) -> None:
        """Back."""
        self.dismiss()
