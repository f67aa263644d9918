"""What a terminal shows of us while nobody looks at the screens: its title, and its bell when an alert begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spendtop.domain.untrusted import clean_name
from spendtop.tui import formats

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline
    from spendtop.tui.session import Session

_BELL = "\x07"
_KEEP_TITLE, _GIVE_TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"


class Outside:
    """Tells only what changed."""

    def __init__(self, session: Session, send: Callable[[str], None]) -> None:
        """`send` reaches the terminal."""
        self._bell, self._title = session.bell, session.title
        self._store = clean_name(session.store_name, 24)
        self._send = send
        self._newest: int | None = None
        """The id of the last alert that was told of; None before the first figures."""
        self._shown = ""

    def tell(self, headline: Headline) -> None:
        """The newest figures."""
        newest, before = headline.attention.newest, self._newest
        self._newest = max(newest, before or 0)
        if self._bell and before is not None and newest > before:
            self._send(_BELL)
        if self._title:
            self._name(headline)

    def leave(self) -> None:
        """The title as it was before."""
        if self._shown:
            self._send(_GIVE_TITLE_BACK)

    def _name(self, headline: Headline) -> None:
        unattended = headline.attention.unattended
        calls = f" !{unattended}" if unattended else ""
        title = f"spendtop {self._store} {formats.spend(headline.today)}{calls}"
        if title != self._shown:
            keep = "" if self._shown else _KEEP_TITLE
            self._shown = title
            self._send(f"{keep}\x1b]2;{title}{_BELL}")
