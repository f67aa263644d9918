"""A limit as somebody typed it: as a table of `spendtop.toml`, and what is wrong with it field by field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from spendtop.config.file_edit import table_lines, with_table
from spendtop.config.layers import Layer
from spendtop.config.settings import LimitSettings, settings_class
from spendtop.config.toml import key_lines
from spendtop.config.types import Section, Surroundings
from spendtop.config.validation import validated

FIELDS = ("name", "window", "usd", "each", "where", "measure", "warn", "notify")
"""Those that can be typed, by their keys in the file."""
_LIST = "limit"
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class LimitDraft:
    """What was typed, by the keys of `FIELDS`."""

    texts: Mapping[str, str]

    @property
    def table(self) -> dict[str, Any]:
        """The values that are not left at their defaults, as the file takes them. What is no number stays text."""
        typed = {key: self.texts.get(key, "").strip() for key in FIELDS}
        table: dict[str, Any] = {key: typed[key] for key in ("name", "window")}
        table["usd"] = _number(typed["usd"].removeprefix("$"))
        table |= {key: typed[key] for key in ("each", "where", "measure") if typed[key]}
        if typed["warn"]:
            words = [] if typed["warn"] == "none" else _items(typed["warn"])
            table["warn"] = [_fraction(word) for word in words]
        if typed["notify"]:
            table["notify"] = [] if typed["notify"] == "none" else _items(typed["notify"])
        return table

    @property
    def lines(self) -> list[str]:
        """As it stands in the file."""
        return table_lines(_LIST, self.table)

    def added_to(self, text: str) -> str | None:
        """The file's text with this limit; None where it is written in a way that is not edited safely."""
        return with_table(text, _LIST, self.table)

    def problems(self, text: str, sections: Mapping[str, type[Section]]) -> dict[str, str]:
        """What is wrong with it beside the limits and channels of the file's text, by key; checked as a start does."""
        values = tomllib.loads(text, parse_float=Decimal)
        limits = [*values.get(_LIST, []), self.table]
        number = len(limits) - 1
        layer = Layer({"channel": values.get("channel", []), _LIST: limits})
        found = validated(layer, settings_class(sections), Surroundings()).problems
        problems: dict[str, str] = {}
        for problem in found:
            if problem.path[:2] == (_LIST, number):
                problems.setdefault(str(problem.path[2]) if len(problem.path) > 2 else "name", problem.text)
        return problems

    def settings(self) -> LimitSettings:
        """As the rules take it. Raises ValidationError where there are problems."""
        return LimitSettings.model_validate(self.table, context=Surroundings())


def limit_line(text: str, name: str) -> int | None:
    """The line, from 1, at which the limit of this name begins in a file; None where it is not there."""
    try:
        limits = tomllib.loads(text).get(_LIST, [])
    except tomllib.TOMLDecodeError:
        lines = (number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*name\s*=", line))
        return next((number for number in lines if name in text.splitlines()[number - 1]), None)
    lines_of = key_lines(text)
    for number, limit in enumerate(limits if isinstance(limits, list) else []):
        if isinstance(limit, dict) and limit.get("name") == name:
            return lines_of.get((_LIST, number))
    return None


def _items(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(text: str) -> Decimal | int | str:
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return text
    if not value.is_finite():
        return text
    return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else value


def _fraction(text: str) -> Decimal | int | str:
    """`0.8`, or `80%` as the same."""
    percent = _PERCENT.fullmatch(text)
    return _number(text) if percent is None else _number(str((Decimal(percent[1]) / 100).normalize()))
