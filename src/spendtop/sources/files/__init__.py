"""Requests in files: our own exports and Helicone's. Readers take the lines of a file and know nothing of files."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from spendtop.domain.request import Request, Restored


class Format(StrEnum):
    """What a file holds."""

    CSV = "csv"
    """Our own export."""
    JSONL = "jsonl"
    """Our own export."""
    HELICONE = "helicone"
    """Rows of Helicone's query API, one or an array of them per line."""


class Skipped(Struct, frozen=True):
    """A line or row that cannot be taken. Never holds what was in it."""

    place: str
    """`line 17`, or a row's key."""
    field: str
    """Empty when it is about the whole."""
    problem: str
    """How it has to be, to follow "line 17: `field` "."""

    def __str__(self) -> str:
        subject = f"`{self.field}` " if self.field else ""
        return f"{self.place}: {subject}{self.problem}"


Read = Iterator[Request | Restored | Skipped]
"""What a reader makes of a file, in its order."""
