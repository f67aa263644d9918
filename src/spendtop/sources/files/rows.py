"""A row of another tool's file, whatever it calls its columns, and how its values have to be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, TypeVar

import msgspec

from spendtop.domain.errors import UsageError
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.domain.requests.timing import NEWEST
from spendtop.domain.untrusted import storable_name
from spendtop.sources import cells, unknown_fields
from spendtop.sources.documented import FILES
from spendtop.sources.files import Read
from spendtop.sources.files.csv_rows import columns_of, csv_rows
from spendtop.sources.files.json_rows import json_rows
from spendtop.sources.skipped import NoCall, Skipped

_BOM = b"\xef\xbb\xbf"
_NOTHING: tuple[object, ...] = (None, "", {}, [], "{}", "[]", "null")
_LONGEST_PROPERTY = 1_000
_MOST_PROPERTIES = 50

Value = TypeVar("Value")


class WrongField(Exception):
    """A value that is not as its column has to be."""

    def __init__(self, field: str, has_to_be: str) -> None:
        super().__init__(field)
        self.field = field
        self.has_to_be = has_to_be


class FileRow:
    """Values by name: `startTime`, `start_time` and `Start Time` are one. Of several names the first that has a value
    counts. What is asked for raises WrongField where it is something else."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = {plain(name): (name, value) for name, value in values.items() if value not in _NOTHING}

    def unknown(self, known: Collection[str]) -> Iterator[str]:
        """Names of values that are not among these, which are plain."""
        return (name for column, (name, _) in self._values.items() if column not in known)

    def __contains__(self, name: str) -> bool:
        return plain(name) in self._values

    def value(self, *names: str) -> object | None:
        """As it is; None where there is none."""
        return self._found(names)[1]

    def name(self, *names: str) -> str | None:
        """A user, model or other name."""
        return cells.name(self.value(*names))

    def instant(self, now: int, *names: str) -> int | None:
        """UTC µs; without a zone it is UTC. Not after `now`."""

        def read(value: object) -> int:
            micros = cells.instant(value).micros
            if micros > now + NEWEST:
                raise ValueError("in the future")
            return micros

        return self._read(names, read, "a date and time, and not in the future")

    def tokens(self, *names: str) -> int | None:
        return self._read(names, cells.tokens, "a whole number of tokens, or empty")

    def dollars(self, *names: str) -> Usd | None:
        return self._read(names, cells.dollars, "an amount in USD, or empty")

    def number(self, *names: str) -> Decimal | None:
        """Zero or more."""

        def read(value: object) -> Decimal:
            number = Decimal(str(value).strip())
            if not number.is_finite() or not 0 <= number < 2**53:
                raise ValueError("no such number")
            return number

        return self._read(names, read, "a number, 0 or more, or empty")

    def is_true(self, *names: str) -> bool:
        return str(self.value(*names)).lower() in ("true", "1", "hit", "t", "yes")

    def mapping(self, *names: str) -> dict[str, Any]:
        """A JSON object, also as text; empty where there is none."""
        value = self.value(*names)
        value = _json(value) if isinstance(value, str) else value
        return value if isinstance(value, dict) else {}

    def texts(self, *names: str) -> list[str]:
        """The texts in a list, also where that is JSON text."""
        value = self.value(*names)
        value = _json(value) if isinstance(value, str) else value
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def body(self, *names: str) -> bytes | None:
        """A prompt or response as JSON."""
        return cells.body(self.value(*names))

    def _found(self, names: Iterable[str]) -> tuple[str, object | None]:
        return next((self._values[plain(name)] for name in names if plain(name) in self._values), ("", None))

    def _read(self, names: Iterable[str], read: Callable[[object], Value], has_to_be: str) -> Value | None:
        name, value = self._found(names)
        if value is None:
            return None
        try:
            return read(value)
        except (ValueError, ArithmeticError, TypeError):
            raise WrongField(name, f"has to be {has_to_be}") from None


@dataclass(frozen=True)
class OtherTool:
    """A tool whose files are read."""

    name: str
    columns: tuple[str, ...]
    """By which its rows are known, as it spells them."""
    request_of: Callable[[FileRow, int], Request | NoCall]
    """What a row is at an instant (UTC µs). Raises WrongField."""

    @cached_property
    def known(self) -> frozenset[str]:
        """Columns that are no news, plain."""
        return frozenset(map(plain, FILES[self.name]))

    def wrote(self, names: Iterable[str]) -> bool:
        """Whether rows with these names are its."""
        return set(map(plain, self.columns)) <= set(map(plain, names))

    def read(self, lines: Iterable[bytes], now: int) -> Read:
        """What each row of its CSV or JSON file is at `now` (UTC µs). Raises UsageError for a CSV file of others."""
        rest = iter(lines)
        head = [*_head(rest)]
        is_json = bool(head) and head[-1].lstrip().startswith((b"{", b"["))
        if head and not is_json and not self.wrote(columns_of(head[-1])):
            needed = ", ".join(f"`{column}`" for column in self.columns)
            raise UsageError(f"This is no file of {self.name}: its rows are JSON, or CSV with the columns {needed}.")
        return self._read((json_rows if is_json else csv_rows)(chain(head, rest)), now)

    def _read(self, rows: Iterable[tuple[str, Mapping[str, Any] | Skipped]], now: int) -> Read:
        for place, values in rows:
            if isinstance(values, Skipped):
                yield values
                continue
            row = FileRow(values)
            unknown_fields.tell(row.unknown(self.known))
            try:
                yield self.request_of(row, now)
            except WrongField as wrong:
                yield Skipped(place, wrong.field, wrong.has_to_be)


def _head(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines up to the first with content, without a mark of their encoding."""
    for number, line in enumerate(lines):
        line = line if number else line.removeprefix(_BOM)
        yield line
        if line.strip():
            return


def present(value: Value | None, field: str, has_to_be: str) -> Value:
    """The value. Raises WrongField where there is none."""
    if value is None:
        raise WrongField(field, f"has to be {has_to_be}")
    return value


def properties_of(*objects: Mapping[str, object]) -> dict[str, str]:
    """The plain values of JSON objects as texts; long ones are cut, and what holds others is left out."""
    texts: dict[str, str] = {}
    for each in objects:
        for name, value in each.items():
            if isinstance(value, bool):
                value = "true" if value else "false"
            if isinstance(value, str | int | float | Decimal) and value != "" and len(texts) < _MOST_PROPERTIES:
                texts[storable_name(name)] = str(value)[:_LONGEST_PROPERTY]
    return texts


@lru_cache(4096)
def plain(name: str) -> str:
    """A name without case, blanks and underscores."""
    return "".join(filter(str.isalnum, name)).lower()


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
