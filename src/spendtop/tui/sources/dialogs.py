"""What the screen of sources asks a person, and the ready code that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Label, Static

from spendtop.tui.modals.dialog import FormDialog, ReadingDialog, Tick

_TITLES = {"python": "Python", "curl": "curl", "litellm": "LiteLLM"}


@dataclass(frozen=True, slots=True)
class SpanDraft:
    """A span as it was typed; `until` empty is now."""

    since: str = ""
    until: str = ""


class BackfillScreen(FormDialog[SpanDraft]):
    """Which span of time is to be read from Helicone again: gives what was typed, or None."""

    HINT = "tab next · enter begins · esc gives up"

    def __init__(self, draft: SpanDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__("Back-fill from Helicone's API", complaint)
        self._draft = draft

    def fields(self) -> ComposeResult:
        yield Label("Since: 24h, 14:00, yesterday, 2026-11-01, 2026-11-01T14:00", markup=False)
        yield Input(self._draft.since, placeholder="yesterday", id="since", compact=True)
        yield Label("Until, likewise; a date counts whole", classes="spaced", markup=False)
        yield Input(self._draft.until, placeholder="leave it empty for now", id="until", compact=True)
        yield Label("What is missing there is recorded; nothing is counted twice.", classes="dim", markup=False)

    def action_submit(self) -> None:
        self.dismiss(SpanDraft(self.typed("since"), self.typed("until")))


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """A token as it was typed; `value` empty makes a fresh one."""

    name: str = ""
    value: str = ""
    shadow: bool = False


class NewTokenScreen(FormDialog[TokenDraft]):
    """What a new tracking token is to be: gives what was typed, or None."""

    HINT = "tab next · space ticks · enter creates · esc gives up"

    def __init__(self, draft: TokenDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__("New tracking token", complaint)
        self._draft = draft

    def fields(self) -> ComposeResult:
        yield Label("Name, such as the application and its environment", markup=False)
        yield Input(self._draft.name, placeholder="billing-service prod", id="name", compact=True)
        yield Label("Value that clients send", classes="spaced", markup=False)
        yield Input(self._draft.value, placeholder="leave it empty for a fresh one", id="value", compact=True)
        yield Tick("shadow: store and show, do not count", self._draft.shadow, id="shadow", compact=True)
        yield Label("for an application that another source counts already", classes="dim", markup=False)

    def action_submit(self) -> None:
        self.dismiss(TokenDraft(self.typed("name"), self.typed("value"), self.query_one(Tick).value))


class SnippetsScreen(ReadingDialog):
    """Ready code that sends under a tracking token: a page per language, to copy."""

    HINT = "tab or 1 2 3 page · y copies · esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,enter", "cancel", "close"),
        ("tab,l,right", "turn(1)", "next page"),
        ("shift+tab,h,left", "turn(-1)", "page before"),
        ("1", "page(0)", "first page"),
        ("2", "page(1)", "second page"),
        ("3", "page(2)", "third page"),
        ("y", "copy", "copy"),
    ]

    def __init__(self, title: str, words: str, snippets: Mapping[str, str], copy: Callable[[str], None]) -> None:
        """`words` stand above the pages; `copy` takes the page's text."""
        super().__init__(title)
        self._words = words
        self._pages = tuple(snippets.items())
        self._page = 0
        self._copy = copy

    def body(self) -> ComposeResult:
        """Words, the pages' names, and the page."""
        yield Label(self._words, markup=False)
        yield Static(id="pages", markup=False)
        with VerticalScroll(id="text", can_focus=False):
            yield Static(id="snippet", markup=False)

    def on_mount(self) -> None:
        self.action_page(0)

    def action_page(self, number: int) -> None:
        if number >= len(self._pages):
            return
        self._page = number
        names = [
            f"[{_TITLES.get(name, name)}]" if place == number else f" {_TITLES.get(name, name)} "
            for place, (name, _) in enumerate(self._pages)
        ]
        self.query_one("#pages", Static).update("  ".join(names))
        self.query_one("#snippet", Static).update(self._pages[number][1])
        self.query_one("#text").scroll_home(animate=False)

    def action_turn(self, step: int) -> None:
        self.action_page((self._page + step) % len(self._pages))

    def action_copy(self) -> None:
        """The page as it is."""
        self._copy(self._pages[self._page][1])
