"""The configuration's layers, from the weakest to the strongest, and where each value comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from spendtop.config.shape import is_list, type_at
from spendtop.config.toml import KeyPath
from spendtop.config.types import Section

NAMED_LISTS = ("limit", "channel", "account")
"""Lists of tables in which a `name` tells the items apart."""
PREFIX = "SPENDTOP_"
SEPARATOR = "__"

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class ValueOrigin(Struct, frozen=True, order=True):
    """Where a value comes from: a line of a file, a variable, or the command line."""

    place: str
    line: int = 0
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.place}:{self.line}" if self.line else self.place
        return f"{text} {self.detail}".rstrip()


@dataclass(frozen=True)
class Layer:
    """Nested values as a TOML document has them, and the origin of every value and table."""

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    origins: dict[KeyPath, ValueOrigin] = field(default_factory=dict)

    def set(self, path: tuple[str, ...], value: object, origin: ValueOrigin) -> None:
        """Puts a value at a path, making the tables on the way."""
        table = self.values
        for depth, key in enumerate(path[:-1], 1):
            self.origins.setdefault(path[:depth], origin)
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        table[path[-1]] = value
        self.origins[path] = origin

    def append(self, section: str, item: dict[str, Any], origin: ValueOrigin) -> None:
        """Adds one table to a list of tables."""
        items = self.values.setdefault(section, [])
        self.origins.setdefault((section,), origin)
        place = (section, len(items))
        self.origins[place] = origin
        for key in item:
            self.origins[*place, key] = origin
        items.append(item)

    def origin(self, path: KeyPath) -> ValueOrigin | None:
        """The origin of a value, else of the nearest table around it."""
        return next((self.origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.origins), None)

    def value(self, path: KeyPath) -> object:
        """The value at a path; None where there is none."""
        value: object = self.values
        for key in path:
            try:
                value = value[key]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def merge(lower: Layer, upper: Layer) -> Layer:
    """Both layers' values; the upper one's win key by key.

    Named lists are joined: an item of the upper layer replaces the lower one's item of that name as a whole.
    """
    values = _merged(lower.values, upper.values)
    origins = lower.origins | upper.origins
    for section in NAMED_LISTS:
        below, above = lower.values.get(section), upper.values.get(section)
        if isinstance(below, list) and isinstance(above, list):
            names = {_name(item) for item in above}
            kept = [index for index, item in enumerate(below) if _name(item) not in names]
            values[section] = [*(below[index] for index in kept), *above]
            origins = {path: origin for path, origin in origins.items() if path[:1] != (section,)}
            origins |= _moved(lower.origins, section, {old: new for new, old in enumerate(kept)})
            origins |= _moved(upper.origins, section, {index: index + len(kept) for index in range(len(above))})
            origins[section,] = upper.origins[section,]
    return Layer(values, origins)


def environment_layer(variables: Mapping[str, str], model: type[Section]) -> Layer:
    """What the variables say. Text that does not fit its place is kept, so that validation names the variable."""
    layer = Layer()
    for name, text in sorted(variables.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            path = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
            layer.set(path, _typed(text, type_at(model, path)), ValueOrigin(f"environment {name}"))
    return layer


def command_line_layer(overrides: Mapping[str, Mapping[str, Any]]) -> Layer:
    """What the command line says: values by section and key; None is not given."""
    layer = Layer()
    for section, values in overrides.items():
        for key, value in values.items():
            if value is not None:
                layer.set((section, key), value, ValueOrigin("command line"))
    return layer


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(lower)
    for key, value in upper.items():
        below = values.get(key)
        both_tables = isinstance(value, dict) and isinstance(below, dict)
        values[key] = _merged(below, value) if both_tables and below is not None else value
    return values


def _name(item: object) -> object:
    return item.get("name") if isinstance(item, dict) else None


def _moved(
    origins: Mapping[KeyPath, ValueOrigin], section: str, moves: Mapping[int, int]
) -> dict[KeyPath, ValueOrigin]:
    """The origins within a list's items, at the indexes that the items have moved to."""
    return {
        (section, moves[path[1]], *path[2:]): origin
        for path, origin in origins.items()
        if len(path) > 1 and path[0] == section and isinstance(path[1], int) and path[1] in moves
    }


def _typed(text: str, place: Any) -> object:
    """A variable's text as the value that its place takes; the text itself where it is none."""
    stripped = text.strip()
    try:
        if stripped.startswith(("[", "{")):
            return tomllib.loads(f"value = {stripped}", parse_float=Decimal)["value"]
        if is_list(place):
            return [part.strip() for part in stripped.split(",") if part.strip()]
        if place is bool:
            return _BOOLEANS.get(stripped.lower(), text)
        if place is int:
            return int(stripped)
        if place is date:
            return date.fromisoformat(stripped)
    except ValueError:
        return text
    return text
