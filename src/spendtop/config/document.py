"""The configuration file as values with their lines; of a broken one as many of its tables as can be read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from spendtop.config.layers import Layer, ValueOrigin
from spendtop.config.toml import key_lines
from spendtop.domain.errors import ConfigError, NoPermission, SpendtopError
from spendtop.domain.shell_words import shell_word

LARGEST_FILE = 1024 * 1024
"""Bytes; more is no configuration."""

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_NAMES_A_STORE = re.compile(r"database|sqlite:|postgres", re.IGNORECASE)
_DATABASE_HEADER = re.compile(r"[ \t]*\[[ \t]*database\b", re.IGNORECASE)


class Document(Struct, frozen=True):
    """What could be read of a file."""

    layer: Layer
    problems: tuple[SpendtopError, ...] = ()
    """Why the rest could not, a sentence each."""
    hides_store: bool = False
    """Whether the rest may say which store it is about."""


def read_document(path: Path, folder: Path) -> Document:
    """The file's values; `folder` is the one that its name is shortened by in what is told."""
    place = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    try:
        raw = _raw(path, place)
    except SpendtopError as failure:
        return Document(Layer(), (failure,), hides_store=True)
    problems: list[SpendtopError] = []
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(ConfigError(f"{place}:{line}: is not UTF-8 text"))
        text = raw.decode("utf-8-sig", errors="replace")
    try:
        values = _parsed(text)
    except _Wrong:
        return _in_parts(text, place, problems)
    return Document(_layer(values, text, place), tuple(problems))


class _Wrong(Exception):
    """TOML does not take the text."""

    def __init__(self, what: str, line: int | None, column: str = "") -> None:
        super().__init__(what)
        self.line = line
        """From 1; None for the end of the text, or where it is not known."""
        self.column = column

    def told(self, place: str, line: int) -> ConfigError:
        where = f"{place}:{line}:{self.column}" if self.column else f"{place}:{line}"
        return ConfigError(f"{where}: {self}")


class _Part(Struct):
    """A table with its header, as text."""

    first_line: int
    text: str
    is_read: bool = True

    @property
    def lines(self) -> int:
        return self.text.count("\n")


def _in_parts(text: str, place: str, problems: list[SpendtopError]) -> Document:
    """Table by table, so that a slip in one leaves the others; lines stay what they were."""
    parts = list(_parts(text))
    for part in parts:
        try:
            _parsed(part.text)
        except _Wrong as wrong:
            part.is_read = False
            problems.append(wrong.told(place, part.first_line - 1 + (wrong.line or part.lines + 1)))
    while True:
        kept = "".join(part.text if part.is_read else "\n" * part.lines for part in parts)
        try:
            values = _parsed(kept)
            break
        except _Wrong as wrong:  # tables that are fine alone, and not together
            part = _part_at(parts, wrong.line)
            part.is_read = False
            problems.append(wrong.told(place, wrong.line or part.first_line))
    layer = _layer(values, kept, place)
    left_out = [part for part in parts if not part.is_read]
    url = next((found for part in left_out if (found := _database_url(part.text))), None)
    if url is not None and layer.value(("database", "url")) is None:
        layer.set(("database", "url"), url, ValueOrigin(place))
    hides_store = url is None and any(_NAMES_A_STORE.search(part.text) for part in left_out)
    return Document(layer, tuple(problems), hides_store)


def _parts(text: str) -> Iterator[_Part]:
    starts = [0, *(match.start() for match in _HEADER.finditer(text) if match.start())]
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = _Part(line, text[start:end])
        line += part.lines
        yield part


def _part_at(parts: Sequence[_Part], line: int | None) -> _Part:
    """The part that a line is in, or the last one that counts."""
    read = [part for part in parts if part.is_read and part.text]
    return next((part for part in reversed(read) if line is not None and part.first_line <= line), read[-1])


def _database_url(text: str) -> str | None:
    """What a broken `[database]` says on a line of its own that can be read."""
    if not _DATABASE_HEADER.match(text):
        return None
    for line in text.splitlines():
        try:
            url = _parsed(line).get("url")
        except _Wrong:
            continue
        if isinstance(url, str):
            return url
    return None


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(str(error)) from None
    except RecursionError:
        raise _Wrong("lists or tables are nested too deeply", None) from None


def _wrong(message: str) -> _Wrong:
    """tomllib's finding; keys given twice get their own words, others a hint."""
    match = re.search(r"\(at line (\d+), column (\d+)\)", message)
    what = re.sub(r"\s*\(at .*\)$", "", message)
    if "overwrite" in what or "Cannot declare" in what:
        what = "a key or section is given twice"
    else:
        what = f"not valid TOML ({what[:1].lower()}{what[1:]}); TOML takes one key = value per line, text in quotes"
    return _Wrong(what, int(match[1]), match[2]) if match else _Wrong(what, None, "1")


def _layer(values: dict[str, Any], text: str, place: str) -> Layer:
    return Layer(values, {key: ValueOrigin(place, line) for key, line in key_lines(text).items()})


def _raw(path: Path, place: str) -> bytes:
    """Raises ConfigError and NoPermission."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{place} is larger than {LARGEST_FILE // 1024} KiB; is it a configuration file?")
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {place}; make one with: spendtop init --config {shell_word(place)}"
        ) from None
    except PermissionError:
        raise NoPermission(f"cannot read {place}; let its owner run: chmod u+r {shell_word(place)}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {place}: {error.strerror}") from None
