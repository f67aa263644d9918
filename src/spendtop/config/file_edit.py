"""Changing one value in a configuration file and nothing else of it: comments, order and spelling stay."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from spendtop.config.toml import key_lines, quoted, value_text

_BOM = b"\xef\xbb\xbf"


def with_item(text: str, table: str, key: str, item: str) -> str | None:
    """The TOML text with `item` in front of the list `table.key`, which is made where it is missing.

    None where the text is written in a way that is not edited safely.
    """
    present = tomllib.loads(text).get(table, {})
    items = present.get(key, []) if isinstance(present, dict) else None
    if not isinstance(items, list):
        return None
    edited = _edited(text, table, key, item, has_items=bool(items))
    return edited if edited is not None and _is_just_that(text, edited, table, key, [item, *items]) else None


def read_text(path: Path) -> str:
    """The file's text with its line ends, without a byte order mark. Raises OSError and UnicodeDecodeError."""
    return path.read_bytes().decode("utf-8-sig")


def replace_private(path: Path, text: str) -> None:
    """Put a text in the place of a file at once, for its owner's eyes only. Raises OSError, and then the file stays.

    A link stays one; a byte order mark stays.
    """
    target = path.resolve(strict=True)
    before = target.stat()
    mark = _BOM if target.read_bytes().startswith(_BOM) else b""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(mark + text.encode())
            file.flush()
            os.fchmod(file.fileno(), 0o600)
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _edited(text: str, table: str, key: str, item: str, *, has_items: bool) -> str | None:
    lines, at = re.findall(r"[^\n]*\n|[^\n]+", text), key_lines(text)
    end = "\r\n" if "\r\n" in text else "\n"
    new_line = f"{key} = {value_text([item])}{end}"
    if (table, key) in at:
        number = at[table, key] - 1
        opened = re.search(rf"\b{re.escape(key)}[\"']?\s*=\s*\[", lines[number])
        if opened is None:
            return None
        rest = lines[number][opened.end() :]
        comma = ("," if rest.strip() == "" else ", ") if has_items else ""
        return "".join(
            [*lines[:number], lines[number][: opened.end()], quoted(item), comma, rest, *lines[number + 1 :]]
        )
    if (table,) not in at:
        gap = "" if not text else end if text.endswith("\n") else end * 2
        return f"{text}{gap}[{table}]{end}{new_line}"
    number = at[(table,)]
    if not re.match(rf"\s*\[\s*{re.escape(table)}\s*\]", lines[number - 1]):
        return None
    default = _commented_default(lines, number, key)
    number = number if default is None else default + 1
    if lines[number - 1][-1] != "\n":
        lines[number - 1] += end
    return "".join([*lines[:number], new_line, *lines[number:]])


def _commented_default(lines: list[str], start: int, key: str) -> int | None:
    """The line within the table that begins at `start` which shows the key's default as a comment."""
    for number in range(start, len(lines)):
        if lines[number].lstrip().startswith("["):
            return None
        if re.match(rf"\s*#\s*{re.escape(key)}\s*=", lines[number]):
            return number
    return None


def _is_just_that(before: str, after: str, table: str, key: str, items: list[Any]) -> bool:
    try:
        actual, expected = tomllib.loads(after), tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return False
    expected.setdefault(table, {})[key] = items
    return actual == expected
