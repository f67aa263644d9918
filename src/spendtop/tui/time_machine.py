"""Puts every screen at an instant of before, and back to now."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.filters.instants import parse_instant
from spendtop.tui.face import Face
from spendtop.tui.screens import SCREENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from textual.screen import Screen

    from spendtop.store.engine import Store
    from spendtop.tui.screens.live_screen import LiveScreen
    from spendtop.tui.session import Session


class MovedFace(Face, Protocol):
    """What is put into the past."""

    @property
    def live_screen(self) -> LiveScreen | None: ...
    def get_screen_stack(self, mode: str) -> Sequence[Screen[object]]: ...


class TimeMachine:
    """In the past a face has another clock, which stands still, and another store, which is read as of then; both are
    handed to the screens as those of the present are."""

    def __init__(self, face: MovedFace, session: Session) -> None:
        self._face = face
        self._session = session
        self._store: Store | None = None
        """That of the present, while the face has another one."""
        self._asked: int | None = None
        """The instant (UTC µs) that is on its way; of several the last one."""

    @property
    def is_past(self) -> bool:
        return self._store is not None

    def go(self, text: str) -> None:
        """To an instant as people type it. Raises UsageError."""
        screen = self._face.live_screen
        if screen is not None:
            self._ask(parse_instant(text, self._session.clock(), screen.calendar))

    def shift(self, by: int) -> None:
        """Back by so many µs, or forth when negative, at most to now."""
        at = (self._face.session.clock() if self._asked is None else self._asked) - by
        if at >= self._session.clock():
            self.back()
        else:
            self._ask(at)

    def back(self) -> None:
        """To now, which goes on."""
        self._asked = None
        if self._store is not None:
            past, self._face.store = self._face.store, self._store
            self._store, self._face.session = None, self._session
            if past is not None:
                past.close()
            self._move()

    def _ask(self, at: int) -> None:
        """Before the oldest request there is nothing to see."""
        screen = self._face.live_screen
        if screen is not None and self._face.store is not None:
            self._asked = at
            screen.ask(_OldestQuestion(), partial(self._arrive, at))

    def _arrive(self, at: int, oldest: int | None) -> None:
        screen, store = self._face.live_screen, self._store or self._face.store
        if screen is None or store is None or at != self._asked:
            return
        self._asked = None
        if oldest is None or at < oldest:
            known = "no requests yet" if oldest is None else f"requests from {self._words(oldest, screen)} on"
            screen.warn(f"There is nothing to see at {self._words(at, screen)}: the store has {known}.")
            return
        from spendtop.store.past import PastStore

        if self._store is not None and self._face.store is not None:
            self._face.store.close()
        self._store, self._face.store = store, PastStore(store.url, at)
        self._face.session = replace(self._session, clock=lambda: at)
        self._face.pause = None
        self._move()

    def _words(self, at: int, screen: LiveScreen) -> str:
        return f"{screen.calendar.local(at):%Y-%m-%d %H:%M}"

    def _move(self) -> None:
        """Every screen that was opened reads anew; those that are not shown, when they are."""
        from spendtop.tui.screens.live_screen import LiveScreen

        for name in SCREENS:
            try:
                stack = self._face.get_screen_stack(name)
            except KeyError:  # it was never shown
                continue
            for screen in stack:
                if isinstance(screen, LiveScreen):
                    screen.moved_in_time()


class _OldestQuestion(Struct, frozen=True):
    def ask(self, connection: Connection) -> int | None:
        from spendtop.store.past import oldest_request

        return oldest_request(connection)
