"""TOML beyond `tomllib`: on which line each key stands, and how keys and values are spelled."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from spendtop.domain.money import Usd

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the document's root to a value."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every table, key and list item. `text` must be valid TOML."""
    return _Scanner(text).scan()


class _Scanner:
    """One pass over a text that tomllib has accepted."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}
        """Items seen of each [[list of tables]]."""

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        is_list = self._text.startswith("[[", self._at)
        line = self._line()
        self._at += 2 if is_list else 1
        keys = self._keys()
        self._at += 2 if is_list else 1
        path = self._in_last_item((), keys[:-1])
        if is_list:
            path = (*path, keys[-1])
            self._note(path, line)
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
        else:
            path = self._in_last_item(path, keys[-1:])
        self._note(path, line)
        return path

    def _in_last_item(self, path: KeyPath, keys: list[str]) -> KeyPath:
        """`path` continued by `keys`; a key that names a list of tables means its last item."""
        for key in keys:
            path = (*path, key)
            self._note(path, self._line())
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        return path

    def _key_and_value(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, line)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        """The parts of a dotted key; stops at the sign after it."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                quoted = self._take(_STRING)
                keys.append(tomllib.loads(f"key = {quoted}")["key"])
            else:
                keys.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "]":
                self._at += 1
                return
            self._note((*path, index), self._line())
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            self._skip_comma()

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "}":
                self._at += 1
                return
            self._key_and_value(path)
            self._skip(_BLANK)
            self._skip_comma()

    def _skip_comma(self) -> None:
        if self._text[self._at] == ",":
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, "the text was not checked by tomllib"
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect_right(self._line_ends, self._at - 1) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        self._lines.setdefault(path, line)


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
        case Usd():
            return f"{value.dollars.normalize():f}"
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
