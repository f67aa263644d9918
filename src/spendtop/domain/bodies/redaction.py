"""Masks keys and passwords in bodies before they are stored: best effort, never a guarantee.

Only text inside JSON strings is replaced, and never half an escape sequence, so JSON stays JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache

from msgspec import Struct

SHORTEST_SECRET = 6
"""Own secrets of fewer bytes are not looked for: they would be found in innocent text."""

_MASK = b"[redacted]"


class _Family(Struct, frozen=True):
    """Patterns that are tried only where their clue is found in the lower-case text.

    A clue starts with a literal, for which `re` searches many times faster than for a class.
    """

    clue: re.Pattern[bytes]
    rules: tuple[tuple[re.Pattern[bytes], bytes], ...]
    """Each pattern with its replacement template."""


class Redactor:
    """Masks provider keys and, by exact match, the program's own secrets. Its repr shows none of them."""

    def __init__(self, own_secrets: Sequence[bytes]) -> None:
        forms = {form for secret in own_secrets if len(secret) >= SHORTEST_SECRET for form in _json_forms(secret)}
        self._own = sorted(forms, key=lambda form: (-len(form), form))

    def redact(self, data: bytes) -> bytes:
        """`data` with every secret that was recognised replaced, for example by `[redacted sk-…]`."""
        for secret in self._own:
            if secret in data:
                data = _mask_own(secret, data)
        lowered = data.lower()
        for family in _families():
            if family.clue.search(lowered):
                for pattern, mask in family.rules:
                    data = pattern.sub(mask, data)
        return data


def _mask_own(secret: bytes, data: bytes) -> bytes:
    """Digits are masked by as many digits, because they may be part of a number."""
    mask = b"1" * len(secret) if secret.isdigit() else _MASK
    return re.sub(rb"(?:(?<!\\)|(?<=\\\\))" + re.escape(secret), mask, data)


def _json_forms(secret: bytes) -> Iterable[bytes]:
    """The secret as JSON strings spell it."""
    text = secret.decode("utf-8", "replace")
    for ascii_only in (True, False):
        form = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        for spelled in (form, form.replace("/", "\\/")):
            yield spelled.encode("utf-8", "replace")


@cache
def _families() -> tuple[_Family, ...]:
    """All patterns; each repetition is bounded or consumes what it passes, so time is linear in the text."""
    escape = rb"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
    begins = rb"(?:(?<![A-Za-z0-9])|" + escape + rb")"
    random = rb"(?=[A-Za-z0-9+/._~-]{0,256}?(?:[0-9=]|[a-z][A-Z]))"
    key = rb"(?=[A-Za-z0-9_-]{0,32}?[0-9A-Z]|[a-z]{12})[A-Za-z0-9_-]{8,}"
    password = rb"(?i)(passw(?:or)?d"
    pem = rb" [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    return (
        _family(
            rb"-(?:(?<=[sp]k-)|(?<=xox[abeoprs]-)|(?<=-----)begin)",
            (begins + rb"([sp]k-(?:ant-|or-|proj-|helicone-)?)" + key, r"[redacted \1…]"),
            (begins + rb"(xox[abeoprs]-)[A-Za-z0-9-]{8,}", r"[redacted \1…]"),
            (
                rb"-----BEGIN" + pem + rb"(?:[A-Za-z0-9+/=\s:,]|\\+(?=[nrt/])|-(?!-))*+(?:-----END" + pem + rb")?",
                "[redacted private key]",
            ),
        ),
        _family(
            rb"a(?:iza|kia|sia)",
            (begins + rb"AIza[A-Za-z0-9_-]{30,}", "[redacted AIza…]"),
            (begins + rb"AKIA[A-Z0-9]{16,}", "[redacted AKIA…]"),
            (begins + rb"ASIA(?=[A-Z]{0,64}[0-9])[A-Z0-9]{16,}", "[redacted ASIA…]"),
        ),
        _family(
            rb"_(?:(?<=gh[pousr]_)|(?<=github_pat_))",
            (begins + rb"(gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}", r"[redacted \1…]"),
        ),
        _family(
            rb"eyj",
            (rb"(?:(?<![\w-])|" + escape + rb")eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?", "[redacted JWT]"),
        ),
        _family(
            rb"authorization\W{1,12}b",
            (rb"(?i)(authorization\W{1,12}(?:basic|bearer)\s{1,4})[\w.~+/=-]{4,}", r"\1[redacted]"),
        ),
        _family(
            rb"b(?:earer|asic)\s{1,4}[\w.~+/=-]{16}",
            (begins + rb"((?i:bearer)\s{1,4})" + random + rb"[\w.~+/=-]{16,}", r"\1[redacted]"),
            (begins + rb"((?i:basic)\s{1,4})" + random + rb"[A-Za-z0-9+/=]{16,}", r"\1[redacted]"),
        ),
        _family(
            rb"passw(?:or)?d(?:\\*[\"']|\s?=)",
            (password + rb'"\s{0,8}:\s{0,8}")(?:[^"\\]|\\.)++', r"\1[redacted]"),
            (password + rb'\\"\s{0,8}:\s{0,8}\\")(?:[^"\\]|\\\\(?:\\.|[^"\\])|\\[^"\\])++', r"\1[redacted]"),
            (password + rb"(\\{3}(?:\\\\){0,2}\"|')\s{0,8}:\s{0,8}\2)[^\"'\\]+", r"\1[redacted]"),
            (password + rb"\s?=\s?(?:\\(?:\\\\){0,3}\"|')?)[^\s\"'\\&;,]+", r"\1[redacted]"),
        ),
    )


def _family(clue: bytes, *rules: tuple[bytes, str]) -> _Family:
    return _Family(re.compile(clue), tuple((re.compile(pattern, re.DOTALL), mask.encode()) for pattern, mask in rules))
