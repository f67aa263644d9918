"""Making, switching and deleting tracking tokens, and the code that uses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.untrusted import Untrusted
from spendtop.tui.face import Face
from spendtop.tui.modals.choose import ConfirmScreen
from spendtop.tui.screens.clipboard import Clipboard
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.sources.dialogs import NewTokenScreen, SnippetsScreen, TokenDraft

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tokens import Token
    from spendtop.store.reads.sources import TokenRow

_NAME_SHOWN = 40


class TrackingTokens:
    """What can be done with them."""

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
        from spendtop.services.snippets import snippets

        words = f"Token {Untrusted(value)}"
        if shadow:
            words += ": its requests are stored and shown, not counted"
        face = self._screen.face
        applied = face.headline.applied if face.headline else None
        keys = applied.doors.ingest_keys if applied else ()
        if applied is not None and not keys:
            words += "\n! No ingest key is set, pushes are refused: set ingest_keys under [server]"
        pages = snippets(value, base_url(face), *keys[:1])
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


def base_url(face: Face) -> str:
    """Our address without a path."""
    return (face.webhook_url or "http://127.0.0.1:8000/webhook").removesuffix("/webhook")


def _short(name: Untrusted) -> str:
    """The name for a sentence."""
    cleaned = str(name)
    return cleaned if len(cleaned) <= _NAME_SHOWN else cleaned[: _NAME_SHOWN - 1] + "…"
