"""Sources that push: each reads what is posted to its paths, one file per source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from spendtop.domain.request import Parsed, Request
from spendtop.domain.sources import Source


class NotJson(ValueError):
    """What was posted is no JSON at all."""


class SignedReceiver(Protocol):
    """A source that signs each event it posts."""

    source: ClassVar[Source]
    path: ClassVar[str]
    signature_header: ClassVar[bytes]
    """Lower-case name of the header that carries the signature."""

    def verify(self, raw: bytes, signatures: Sequence[bytes], secrets: Sequence[bytes]) -> bool:
        """Whether the raw bytes were signed with one of the secrets; `signatures` are all values of the header."""

    def parse(self, raw: bytes, received_at: int) -> Parsed:
        """What the event says. Raises NotJson."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """One pushed item that cannot be taken. Never holds what was submitted."""

    fields: dict[str, str]
    """Field to what is wrong with it and how it has to be."""
    code: str = "invalid"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one post says, item by item, in its order."""

    items: tuple[Request | Invalid, ...]
    is_batch: bool = True
    """Whether it was an array; an object is one item and gets an answer of its own."""


class Unreadable(ValueError):
    """A post that cannot be taken as a whole."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """For programs, such as `empty_batch`; the message is for people."""
