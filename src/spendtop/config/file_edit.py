"""Changing one thing in a configuration file and nothing else of it: comments, order and spelling stay."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spendtop.config.toml import key_lines, pairs, quoted, value_text

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


def with_entry(text: str, table: str, key: str, name: str, value: str) -> str | None:
    """The TOML text with `name` in the table `table.key`, which is made where it is missing; it may be an inline one.

    None where the text is written in a way that is not edited safely, and where the name is there already.
    """
    present = tomllib.loads(text).get(table, {})
    entries = present.get(key, {}) if isinstance(present, dict) else None
    if not isinstance(entries, dict) or name in entries:
        return None
    edited = _with_entry(text, table, key, name, value, has_entries=bool(entries))
    return edited if edited is not None and _is_just_that(text, edited, table, key, {**entries, name: value}) else None


def _with_entry(text: str, table: str, key: str, name: str, value: str, *, has_entries: bool) -> str | None:
    at = key_lines(text)
    if (table, key) not in at:
        return _with_key(text, table, key, {name: value})
    lines = text.splitlines()
    if re.match(rf"\s*\[\s*{re.escape(table)}\s*\.\s*{re.escape(key)}\s*\]", lines[at[table, key] - 1]):
        entry = "".join(pairs({name: value}))
        present = re.findall(r"[^\n]*\n|[^\n]+", text)
        end = "\r\n" if "\r\n" in text else "\n"
        head = present[: at[table, key]]
        if not head[-1].endswith("\n"):
            head[-1] += end
        return "".join([*head, f"{entry}{end}", *present[at[table, key] :]])
    entry = f" {''.join(pairs({name: value}))}"
    return _opened(text, table, key, "{", entry, "," if has_entries else "")


def with_table(text: str, name: str, values: Mapping[str, Any]) -> str | None:
    """The TOML text with one more table in the list of tables `name`, behind the others of it or at the end.

    None where the text is written in a way that is not edited safely.
    """
    before = tomllib.loads(text).get(name, [])
    if not isinstance(before, list):
        return None
    for number in (_behind_last(text, name), None):
        edited = _with_lines(text, table_lines(name, values), number)
        try:
            if tomllib.loads(edited) == {**tomllib.loads(text), name: [*before, _plain(name, values)]}:
                return edited
        except tomllib.TOMLDecodeError:  # in the midst of a value, or of another table
            continue
    return None


def table_lines(name: str, values: Mapping[str, Any]) -> list[str]:
    """A table of the list `name` as it is written."""
    return [f"[[{name}]]", *pairs(values)]


def _plain(name: str, values: Mapping[str, Any]) -> Any:
    """The values as they are read from a file."""
    return tomllib.loads("\n".join(table_lines(name, values)))[name][0]


def _behind_last(text: str, name: str) -> int | None:
    """The number of lines up to the end of the last table of a list; None where there is none."""
    return max((line for path, line in key_lines(text).items() if path[0] == name and len(path) > 1), default=None)


def _with_lines(text: str, lines: list[str], number: int | None) -> str:
    """The lines behind so many lines of the text, or at its end; an empty line before them."""
    end = "\r\n" if "\r\n" in text else "\n"
    present = re.findall(r"[^\n]*\n|[^\n]+", text)
    place = len(present) if number is None else number
    head, tail = present[:place], present[place:]
    if head and not head[-1].endswith("\n"):
        head[-1] += end
    gap = [end] if head else []
    return "".join([*head, *gap, *(f"{line}{end}" for line in lines), *tail])


def read_text(path: Path) -> str:
    """The file's text with its line ends, without a byte order mark. Raises OSError and UnicodeDecodeError."""
    return path.read_bytes().decode("utf-8-sig")


def replace_private(path: Path, text: str) -> None:
    """Put a text in the place of a file at once, for its owner's eyes only. Raises OSError, and then the file stays.

    A link stays one; a byte order mark stays.
    """
    _replace(path, text, 0o600)


def replace_text(path: Path, text: str) -> None:
    """The same for a file that holds no new secret: who may read it stays."""
    _replace(path, text, path.stat().st_mode & 0o777)


def _replace(path: Path, text: str, mode: int) -> None:
    target = path.resolve(strict=True)
    before = target.stat()
    mark = _BOM if target.read_bytes().startswith(_BOM) else b""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(mark + text.encode())
            file.flush()
            os.fchmod(file.fileno(), mode)
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _edited(text: str, table: str, key: str, item: str, *, has_items: bool) -> str | None:
    if (table, key) not in key_lines(text):
        return _with_key(text, table, key, [item])
    comma = ", " if has_items else ""
    return _opened(text, table, key, "[", quoted(item), comma)


def _opened(text: str, table: str, key: str, sign: str, first: str, comma: str) -> str | None:
    """The text with `first` in front of what a list or inline table holds that begins on its key's line."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    number = key_lines(text)[table, key] - 1
    opened = re.search(rf"\b{re.escape(key)}[\"']?\s*=\s*{re.escape(sign)}", lines[number])
    if opened is None:
        return None
    rest = lines[number][opened.end() :]
    if comma and not rest.strip():
        comma = ","
    return "".join([*lines[:number], lines[number][: opened.end()], first, comma, rest, *lines[number + 1 :]])


def _with_key(text: str, table: str, key: str, value: object) -> str | None:
    """The text with a key that is not in it yet, behind the comment that shows its default."""
    lines, at = re.findall(r"[^\n]*\n|[^\n]+", text), key_lines(text)
    end = "\r\n" if "\r\n" in text else "\n"
    new_line = f"{key} = {value_text(value)}{end}"
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


def _is_just_that(before: str, after: str, table: str, key: str, items: object) -> bool:
    try:
        actual, expected = tomllib.loads(after), tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return False
    expected.setdefault(table, {})[key] = items
    return actual == expected
