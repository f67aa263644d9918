"""What of a file or a table becomes no request, and why."""

from __future__ import annotations

from msgspec import Struct


class Skipped(Struct, frozen=True):
    """A line or row that cannot be taken. Never holds what was in it."""

    place: str
    """`line 17`, or a row's key."""
    field: str
    """Empty when it is about the whole."""
    problem: str
    """How it has to be, to follow "line 17: `field` "."""

    @property
    def reason(self) -> str:
        """The same for all that have this problem."""
        return f"`{self.field}` {self.problem}" if self.field else self.problem

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class NoCall(Struct, frozen=True):
    """A row that is whole, but about something else than a call of a model."""

    kind: str
    """What it is about, as a word of the tool: `SPAN`."""
