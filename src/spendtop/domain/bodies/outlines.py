"""What was posted, as somebody may see it who asks what comes in: keys and figures of it, and no prompt."""

from __future__ import annotations

import re

from msgspec import Struct

from spendtop.domain.discreet import Discreet

LONGEST_WORD = 40
"""Bytes. Names of models, users and the like are shorter; what is longer, or has a space in it, is text."""
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)("?)(\s*:)?', re.DOTALL)
_IS_WORD = re.compile(rb"[!#-\[\]-~]+")
"""Without spaces, escapes, and what is no ASCII."""


class PostOutline(Struct, frozen=True):
    id: int
    at: int
    """When it was taken, UTC µs."""
    size: int
    """Of the whole post, in bytes."""
    text: str
    """An outline of its beginning; empty where it is no JSON."""


class PostBody(Discreet, frozen=True):
    """One post, without the secrets that were recognised."""

    id: int
    at: int
    """UTC µs."""
    size: int
    """Of the whole post, in bytes."""
    text: str
    """What is kept of it as text; an outline where prompts may not be shown, empty where it is no text."""
    remark: str
    """Why it is not whole, or empty."""


def outline(beginning: bytes, longest_word: int) -> str:
    """The beginning of JSON, in which strings are replaced by their length, but for keys and short words.

    JSON that is whole stays JSON.
    """
    if not beginning.lstrip().startswith((b"{", b"[")):
        return ""

    def shown(found: re.Match[bytes]) -> bytes:
        text, end, colon = found.groups()
        is_word = end and len(text) <= longest_word and _IS_WORD.fullmatch(text)
        return found[0] if colon or is_word else b'"<text of %d B>"' % len(text) if end else b'"<text>"'

    return _STRING.sub(shown, beginning).decode("utf-8", "replace")
