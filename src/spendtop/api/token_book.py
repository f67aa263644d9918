"""Tracking tokens as the listener knows them: a copy of the store's, at most a second old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from spendtop.services import tokens
from spendtop.services.tokens import TokenBook
from spendtop.store.engine import Store

REFRESH_SECONDS = 1.0
"""How old the copy may be: so soon a token that was switched off elsewhere is refused."""
_AGAIN_SECONDS = 0.1


class TokenCopy:
    """Looks tokens up without asking the store each time. Used in the listener's loop only."""

    def __init__(self, store: Store, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._book: TokenBook = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def book(self, wanted: Collection[str]) -> TokenBook:
        """All tokens by value; read again when the copy is old or does not hold one that is wanted.

        Raises SQLAlchemy's DBAPIError when the store cannot be read.
        """
        patience = REFRESH_SECONDS if all(value in self._book for value in wanted) else _AGAIN_SECONDS
        if self._is_older_than(patience):
            async with self._reading:
                if self._is_older_than(patience):
                    await self.refresh()
        return self._book

    async def refresh(self) -> None:
        """Read the store's tokens now, as after a change."""
        read_at = self._monotonic()
        self._book = await asyncio.to_thread(self._read)
        self._read_at = read_at

    def _read(self) -> TokenBook:
        with self._store.reading() as connection:
            return tokens.book(connection)

    def _is_older_than(self, seconds: float) -> bool:
        return self._read_at is None or self._monotonic() - self._read_at >= seconds
