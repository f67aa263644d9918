"""JSON from outside that strict readers refuse for a detail: what is sent once is not lost for half a character.

JavaScript and Python write what JSON or its readers do not have: escaped halves of characters, as at the end of an
answer that was cut, NaN and Infinity, numbers beyond all types, bytes that are no UTF-8, raw control characters.
"""

from __future__ import annotations

import codecs
import re
from math import isinf
from typing import NamedTuple, TypeVar

from msgspec import DecodeError
from msgspec.json import Decoder, decode

_Shape = TypeVar("_Shape")

_PART = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*+', re.DOTALL)
"""A text, what stands for a number that is none, or a number. A text may lack its end, so that each byte is looked at
once."""
_OF_TEXT = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
    rb"|([\x00-\x1f])",
    re.DOTALL,
)
"""Every escape inside a text, where the first group is half a character; the second is a raw control character."""


class JsonText(NamedTuple):
    """JSON as readers take it, and what it says."""

    raw: bytes
    value: object


def json_text(raw: bytes) -> JsonText:
    """What was sent, repaired where that is needed. Raises DecodeError for what is no JSON, and RecursionError."""
    try:
        return JsonText(raw, decode(raw))
    except (DecodeError, UnicodeDecodeError):
        whole = repaired(raw)
        return JsonText(whole, decode(whole))


def decoded(decoder: Decoder[_Shape], raw: bytes) -> _Shape:
    """What `decoder` reads in what was sent, or in what was repaired. Raises DecodeError and RecursionError."""
    try:
        return decoder.decode(raw)
    except (DecodeError, UnicodeDecodeError):
        return decoder.decode(repaired(raw))


def repaired(raw: bytes) -> bytes:
    """The same with U+FFFD for what is no character, null for NaN and Infinity, and numbers beyond all types as texts.

    What else is wrong with it stays.
    """
    text = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode("utf-8", "replace").encode()
    return _PART.sub(_repaired_part, text)


def _repaired_part(found: re.Match[bytes]) -> bytes:
    part = found[0]
    if part.startswith(b'"'):
        return _OF_TEXT.sub(_repaired_character, part)
    if part.endswith((b"N", b"y")):
        return b"null"
    return b'"%b"' % part if _is_beyond_all_types(part) else part


def _repaired_character(found: re.Match[bytes]) -> bytes:
    if found[2]:
        return rb"\u%04x" % ord(found[2])
    return rb"\ufffd" if found[1] else found[0]


def _is_beyond_all_types(number: bytes) -> bool:
    try:
        return isinf(float(number))
    except ValueError:
        return False
