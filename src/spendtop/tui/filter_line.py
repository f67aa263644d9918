"""The filter line: what is wrong with it, how it could go on, and how it is completed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spendtop.domain.filters import FIELDS, Filter, FilterError, parse_filter
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line

_LAST_WORD = re.compile(r"[^\s()|&!]*$")
_VALUE_OF = re.compile(r"(?:~(?P<short>\w+)\s+|(?P<long>\w+):)(?P<prefix>[^\s()|&!]*)$")
_BARE = re.compile(r"[\w.@/+-]+")
_OBSERVED = ("user", "model", "session", "token", "provider", "source")


@dataclass(frozen=True, slots=True)
class Checked:
    """A filter's text and what it means."""

    text: str
    filter: Filter | None
    error: FilterError | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that is being typed: of which field, and how it begins."""

    field: str
    prefix: str


def check(text: str) -> Checked:
    """Read the text."""
    try:
        return Checked(text, parse_filter(text), None)
    except FilterError as error:
        return Checked(text, None, error)


def hint(checked: Checked, matches: str, palette: Palette, width: int) -> Line:
    """Below the line: a caret under what is wrong, or how many match and what can be typed."""
    if checked.error is None:
        if not checked.text.strip():
            shown = [*(field.example for field in list(FIELDS.values())[:5]), FIELDS["error"].long_example]
            examples = "  ".join(shown)
            return [(" e.g. ", palette.muted), (examples, palette.text), ("   & | ! ( ) combine", palette.muted)]
        return [(f" {matches}", palette.good), ("   tab completes   enter keeps   esc gives up", palette.muted)]
    column = 3 + checked.error.position
    words = str(checked.error)
    if column + len(words) + 2 <= width or column < width // 2:
        return [(" " * column, palette.text), ("^ ", palette.bad), (words, palette.bad)]
    start = max(column - len(words) - 1, 0)
    return [(" " * start, palette.text), (words[: max(column - 1, 0)], palette.bad), (" ^", palette.bad)]


def wanted_value(text: str) -> Wanted | None:
    """The observed value that the end of the text asks for."""
    ending = _VALUE_OF.search(text)
    if ending is None:
        return None
    if ending["short"]:
        names = [field.name for field in FIELDS.values() if field.short == ending["short"]]
    else:
        names = [ending["long"]]
    return Wanted(names[0], ending["prefix"]) if names and names[0] in _OBSERVED else None


def complete_field(text: str) -> str:
    """The text with the name of the field at its end completed, if that is clear."""
    last = _LAST_WORD.search(text)
    word = last[0] if last else ""
    if word.startswith("~"):
        options = [f"~{field.short} " for field in FIELDS.values()]
    else:
        options = [field.long for field in FIELDS.values()]
    fitting = [option for option in options if option.startswith(word)]
    return text[: len(text) - len(word)] + fitting[0] if word and fitting else text


def with_value(text: str, wanted: Wanted, value: str) -> str:
    """The text with the value in place of its beginning, quoted where it needs to be."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    quoted = value if _BARE.fullmatch(value) else f'"{escaped}"'
    return text[: len(text) - len(wanted.prefix)] + quoted
