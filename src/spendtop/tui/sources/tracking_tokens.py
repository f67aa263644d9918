"""Making, switching and deleting tracking tokens, with the form, and the code that uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Label, Static

from spendtop.domain.untrusted import Untrusted
from spendtop.tui.face import Face
from spendtop.tui.modals.choose import ConfirmScreen
from spendtop.tui.modals.dialog import FormDialog, ReadingDialog, Tick
from spendtop.tui.screens.clipboard import Clipboard
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tokens import Token
    from spendtop.store.reads.sources.sources import TokenRow


_NAME_SHOWN = 40
_TITLES = {"python": "Python", "curl": "curl", "litellm": "LiteLLM", "opentelemetry": "OpenTelemetry"}


class TokenDraft(Struct, frozen=True):
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
        yield Input(self._draft.name, placeholder="for example billing-service prod", id="name", compact=True)
        yield Label("Value that clients send", classes="spaced", markup=False)
        yield Input(self._draft.value, placeholder="leave it empty for a fresh one", id="value", compact=True)
        yield Tick("shadow: store and show, do not count", self._draft.shadow, id="shadow", compact=True)
        yield Label("for an application that another source counts already", classes="dim", markup=False)

    def action_submit(self) -> None:
        self.dismiss(TokenDraft(self.typed("name"), self.typed("value"), self.query_one(Tick).value))


class SnippetsScreen(ReadingDialog):
    """Ready code that sends under a tracking token: a page per language, to copy."""

    HINT = "tab or 1 2 3 4 page · y copies · esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,enter", "cancel", "close"),
        ("tab,l,right", "turn(1)", "next page"),
        ("shift+tab,h,left", "turn(-1)", "page before"),
        ("1", "page(0)", "first page"),
        ("2", "page(1)", "second page"),
        ("3", "page(2)", "third page"),
        ("4", "page(3)", "fourth page"),
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
        self._copy(self._pages[self._page][1])


class TrackingTokens:
    def __init__(self, screen: LiveScreen, writer: StoreWriter, created: Callable[[int], None]) -> None:
        """`created` gets the id of a token that was made here."""
        self._screen = screen
        self._writer = writer
        self._clipboard = Clipboard(screen)
        self._created = created

    def create(self, draft: TokenDraft, complaint: str = "") -> None:
        """Ask what it is to be, make it, and show the code that uses it."""
        if self._writer.may_write():
            self._screen.app.push_screen(NewTokenScreen(draft, complaint), self._take_draft)

    def _take_draft(self, draft: TokenDraft | None) -> None:
        if draft is None:
            return
        now = self._screen.face.session.clock()

        def work(connection: Connection) -> Token:
            from spendtop.services import tokens

            return tokens.create(connection, draft.name, now, value=draft.value.strip() or None, shadow=draft.shadow)

        self._writer.write(work, self._show_created, partial(self.create, draft))

    def _show_created(self, token: Token) -> None:
        self._created(token.id)
        self._screen.news()
        self._show_snippets(Untrusted(token.name), token.token, token.shadow)

    def show_snippets(self, token: TokenRow) -> None:
        """The code that uses the token."""
        self._show_snippets(token.name, token.token.raw, token.shadow)

    def _show_snippets(self, name: Untrusted, value: str, shadow: bool) -> None:
        from spendtop.services.snippets import NO_ADDRESS, snippets

        words = f"Token {Untrusted(value)}"
        if shadow:
            words += ": its requests are stored and shown, not counted"
        face = self._screen.face
        applied = face.headline.applied if face.headline else None
        keys = applied.doors.ingest_keys if applied else ()
        if applied is not None and not keys:
            words += "\n! No ingest key is set, pushes are refused: set ingest_keys under [server]"
        base = base_url(face)
        if base is None:
            words += f"\n! No collector runs: {NO_ADDRESS} stands for where one will listen"
        pages = snippets(value, base or NO_ADDRESS, *keys[:1])
        self._screen.app.push_screen(SnippetsScreen(f"Send under {_short(name)}", words, pages, self._clipboard.copy))

    def toggle(self, token: TokenRow) -> None:
        """Off, or on again."""
        if not self._writer.may_write():
            return
        active = not token.active

        def work(connection: Connection) -> None:
            from spendtop.services import tokens

            tokens.set_active(connection, token.id, active)

        words = "on: pushes under it are taken" if active else "off: pushes under it are refused; d switches it on"
        self._writer.write(work, lambda _: self._tell(f"{_short(token.name)} is {words}."))

    def delete(self, token: TokenRow) -> None:
        """Ask first."""
        if not self._writer.may_write():
            return
        words = (
            "What was pushed under it stays, listed and counted as before. Clients that still send it are refused."
            " To stop it for a while, switch it off with d instead."
        )
        question = ConfirmScreen(f"Delete {_short(token.name)}?", words, "Delete it", "Keep it")
        self._screen.app.push_screen(question, partial(self._delete, token))

    def _delete(self, token: TokenRow, confirmed: bool | None) -> None:
        if not confirmed:
            return

        def work(connection: Connection) -> None:
            from spendtop.services import tokens

            tokens.remove(connection, token.id)

        self._writer.write(work, lambda _: self._tell(f"{_short(token.name)} is deleted; what it pushed stays."))

    def _tell(self, words: str) -> None:
        self._screen.notify(words, markup=False)
        self._screen.news()


def base_url(face: Face) -> str | None:
    """Our address without a path; None where nobody listens."""
    return face.webhook_url.removesuffix("/webhook") if face.webhook_url else None


def _short(name: Untrusted) -> str:
    """The name for a sentence."""
    cleaned = str(name)
    return cleaned if len(cleaned) <= _NAME_SHOWN else cleaned[: _NAME_SHOWN - 1] + "…"
