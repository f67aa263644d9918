"""A frozen picture: since when, and how much was recorded since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class CountQuestion:
    """How many requests the store holds."""

    def ask(self, connection: Connection) -> int:
        """The number of counted requests."""
        from spendtop.tui.reading import recorded

        return recorded(connection)


@dataclass(slots=True)
class Pause:
    """The picture stands still from `since` (UTC µs) on; recording goes on."""

    since: int
    recorded: int
    """Requests in the store when it began."""
    behind: int = 0

    def question(self) -> CountQuestion:
        """What is still asked while the picture stands."""
        return CountQuestion()

    def count(self, recorded: int) -> None:
        """Take in how many there are now."""
        self.behind = max(recorded - self.recorded, 0)
