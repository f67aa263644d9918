"""Sources that push: each verifies and reads what is posted to one path, one file per source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from spendtop.domain.request import Parsed, Source


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
