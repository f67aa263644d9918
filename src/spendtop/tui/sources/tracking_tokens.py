"""Making, switching and deleting tracking tokens, and the code that uses them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.untrusted import Untrusted
from spendtop.tui.modals.confirm import ConfirmScreen
from spendtop.tui.screens.writing import Writing
from spendtop.tui.sources.new_token import NewTokenScreen, TokenDraft
from spendtop.tui.sources.snippets import SnippetsScreen
from spendtop.tui.sources.table import SourceTable, is_token

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tokens import Token
    from spendtop.store.reads.sources import TokenRow

_NAME_SHOWN = 40


class TrackingTokens(Writing):
    """The part of the screen of sources that changes something."""

    @property
    def table(self) -> SourceTable:
        """Sources and tokens."""
        return self.query_one(SourceTable)

    @property
    def token(self) -> TokenRow | None:
        """The token under the cursor."""
        row = self.table.row
        return row if row is not None and is_token(row) else None

    @property
    def base_url(self) -> str:
        """Our address without a path."""
        return (self.face.webhook_url or "http://127.0.0.1:8000/webhook").removesuffix("/webhook")

    def action_new_token(self) -> None:
        """Ask what it is to be."""
        if self.may_write():
            self._ask_token(TokenDraft())

    def _ask_token(self, draft: TokenDraft, complaint: str = "") -> None:
        self.app.push_screen(NewTokenScreen(draft, complaint), self._create)

    def _create(self, draft: TokenDraft | None) -> None:
        if draft is None:
            return
        now = self.face.session.clock()

        def work(connection: Connection) -> Token:
            from spendtop.services import tokens

            return tokens.create(connection, draft.name, now, value=draft.value.strip() or None, shadow=draft.shadow)

        self.write(work, self._created, partial(self._ask_token, draft))

    def _created(self, made: Token) -> None:
        self.table.select(("token", str(made.id)))
        self.news()
        self._show_snippets(Untrusted(made.name), made.token, made.shadow)

    def action_snippets(self) -> None:
        """The code that uses the token."""
        token = self.token
        if token is not None:
            self._show_snippets(token.name, token.token.raw, token.shadow)

    def _show_snippets(self, name: Untrusted, value: str, shadow: bool) -> None:
        from spendtop.services.snippets import snippets

        words = f"Token {Untrusted(value)}"
        if shadow:
            words += ": its requests are stored and shown, not counted"
        applied = self.face.headline.applied if self.face.headline else None
        keys = applied.doors.ingest_keys if applied else ()
        if applied is not None and not keys:
            words += "\n! No ingest key is set, pushes are refused: set ingest_keys under [server]"
        title = f"Send under {_short(name)}"
        pages = snippets(value, self.base_url, *keys[:1])
        self.app.push_screen(SnippetsScreen(title, words, pages, self.copy_text))

    def action_toggle_token(self) -> None:
        """Off, or on again."""
        token = self.token
        if token is None or not self.may_write():
            return
        active = not token.active

        def work(connection: Connection) -> None:
            from spendtop.services import tokens

            tokens.set_active(connection, token.id, active)

        words = "on: pushes under it are taken" if active else "off: pushes under it are refused; d switches it on"
        self.write(work, lambda _: self._told(f"{_short(token.name)} is {words}."), self.warn)

    def action_delete_token(self) -> None:
        """Ask first."""
        token = self.token
        if token is None or not self.may_write():
            return
        words = (
            "What was pushed under it stays, listed and counted as before. Clients that still send it are refused."
            " To stop it for a while, switch it off with d instead."
        )
        question = ConfirmScreen(f"Delete {_short(token.name)}?", words, "Delete it", "Keep it")
        self.app.push_screen(question, partial(self._delete, token))

    def _delete(self, token: TokenRow, confirmed: bool | None) -> None:
        if not confirmed:
            return

        def work(connection: Connection) -> None:
            from spendtop.services import tokens

            tokens.remove(connection, token.id)

        self.write(work, lambda _: self._told(f"{_short(token.name)} is deleted; what it pushed stays."), self.warn)

    def _told(self, words: str) -> None:
        self.notify(words, markup=False)
        self.news()


def _short(name: Untrusted) -> str:
    """The name for a sentence."""
    cleaned = str(name)
    return cleaned if len(cleaned) <= _NAME_SHOWN else cleaned[: _NAME_SHOWN - 1] + "…"
