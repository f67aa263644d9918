"""Looking for text in a stored prompt or answer, which is JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from spendtop.domain.filters.values import Pattern, PatternKind

_PLAIN = re.compile(r"[ !#-\[\]-~]+")
"""What stands in JSON as it is."""


def holds(body: bytes | None, pattern: Pattern) -> bool:
    """Whether one of its texts fits; names of fields are not looked at."""
    if body is None:
        return False
    if pattern.kind is PatternKind.CONTAINS and _PLAIN.fullmatch(pattern.text):
        folded = pattern.text.lower().encode()
        if folded not in body.lower():
            return False
    try:
        content = json.loads(body)
    except ValueError:
        content = body.decode("utf-8", "replace")
    return any(map(pattern.matches, _texts(content)))


def _texts(content: Any) -> Iterator[str]:
    match content:
        case str():
            yield content
        case list():
            for each in content:
                yield from _texts(each)
        case dict():
            for each in content.values():
                yield from _texts(each)
