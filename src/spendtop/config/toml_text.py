"""Values and keys in TOML's spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def quoted(text: str) -> str:
    """Text in double quotes, with everything escaped that does not print."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(ord(char)) for char in escaped) + '"'


def key_text(key: str | int) -> str:
    """A key, quoted where it has to be."""
    return str(key) if _BARE_KEY.fullmatch(str(key)) else quoted(str(key))


def dotted(path: Iterable[str | int]) -> str:
    """A place in one word: `server.port`, `limit."each user".usd`."""
    return ".".join(key_text(key) for key in path)


def pairs(table: Mapping[str, Any]) -> Iterator[str]:
    """`key = value` for each value of a table."""
    return (f"{key_text(key)} = {value_text(value)}" for key, value in table.items())


def value_text(value: object) -> str:
    """A value on one line. Raises TypeError for what TOML cannot hold."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case Mapping():
            return f"{{ {', '.join(pairs(value))} }}" if value else "{}"
        case str():
            return quoted(value)
        case Iterable():
            return f"[{', '.join(value_text(item) for item in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
