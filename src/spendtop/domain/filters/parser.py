"""Reads the filter language into the nodes of `filter_tree`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from msgspec import Struct

from spendtop.domain.errors import nearest
from spendtop.domain.filters import values
from spendtop.domain.filters.tree import (
    BODIES,
    EVERYTHING,
    FIELDS,
    NAMES,
    And,
    AnyText,
    Comparison,
    Field,
    FieldKind,
    Filter,
    FilterError,
    Not,
    Op,
    Or,
    Value,
)
from spendtop.domain.filters.values import Pattern, PatternKind, TimeSpan
from spendtop.domain.requests.request import ServiceLevel, Status
from spendtop.domain.sources.records import HELICONE, HELICONE_API, SOURCES

Read = TypeVar("Read")

LONGEST_FILTER = 1_000
DEEPEST_NESTING = 50

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r'[^\s()&|"]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX = re.compile(r"/((?:[^/\\\n]|\\.)+)/(?=[\s()&|]|$)")
_SHORT = re.compile(r"~([\w.-]*)")
_LONG = re.compile(r"([A-Za-z][\w.-]*)(?::(?!//)|\s*(?=[<>=]))")
_PROPERTIES = "|".join(name for name, field in NAMES.items() if field is FIELDS["prop"])
_PROPERTY = re.compile(rf'(?i:{_PROPERTIES})[.:]([^\s:<>=()&|"]+)(?::|\s*(?==))')
_PROPERTY_NAME = re.compile(r'([^\s:<>=()&|"]+)(?::|\s*(?==))')
_OPERATOR = re.compile(r"\s*(>=|<=|>|<|=)\s*")
_NO_VALUE = re.compile(r"(?=[\s&|)]|$)")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_CLOSED: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "source": lambda: {"webhook": HELICONE.name, "poll": HELICONE_API.name, **{name: name for name in SOURCES}},
    "level": lambda: {level.value: level.value for level in ServiceLevel},
}


class Vocabulary(Struct, frozen=True):
    """The fields that a filter can name, by each of their names, and the words that some of them are limited to."""

    names: Mapping[str, Field]
    closed: Mapping[str, Callable[[], Mapping[str, str]]]
    """By field that has no other values than these: the value by each of its names."""

    @property
    def has_properties(self) -> bool:
        return FIELDS["prop"] in self.names.values()


OF_REQUESTS = Vocabulary(NAMES, _CLOSED)


def parse_filter(text: str, vocabulary: Vocabulary = OF_REQUESTS) -> Filter:
    """The tree that `text` means; empty text means everything. Raises FilterError."""
    return _Parser(text, vocabulary).parse()


def quoted(text: str) -> str:
    """The text as a filter takes it literally: `model:"o3 *"`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Parser:
    """One pass over one text: or, and, not, primary."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._names, self._closed = vocabulary.names, vocabulary.closed
        self._has_properties = vocabulary.has_properties
        self._at = 0
        self._depth = 0

    def parse(self) -> Filter:
        """The whole text as one tree. Raises FilterError."""
        if len(self._text) > LONGEST_FILTER:
            self._fail(f"a filter has at most {LONGEST_FILTER} characters", LONGEST_FILTER)
        self._skip_space()
        if self._ended():
            return EVERYTHING
        tree = self._any_of()
        if not self._ended():
            self._fail("this ')' closes nothing", self._at)
        return tree

    def _any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._take("|"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self) -> Filter:
        parts = [self._one()]
        while self._take("&") or not (self._ended() or self._text[self._at] in "|)"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Filter:
        start = self._at
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            self._fail(f"a filter nests at most {DEEPEST_NESTING} deep", start)
        condition = Not(self._one()) if self._take("!") or self._take("-") else self._primary()
        self._depth -= 1
        self._skip_space()
        return condition

    def _primary(self) -> Filter:
        start = self._at
        if self._ended() or self._text[start] in "&|)":
            self._fail("something to look for is missing here", start)
        if self._take("("):
            inside = self._any_of()
            if not self._take(")"):
                self._fail("this '(' is not closed", start)
            return inside
        if self._text[start] == "~":
            return self._short_form()
        if self._text[start] in "<>=":
            self._fail("a comparison needs a field, for example cost>0.05", start)
        return self._long_form() or self._bare()

    def _bare(self) -> Filter:
        start = self._at
        if match := self._match(_REGEX):
            return AnyText(self._read(values.regex, match[1], start))
        word, quoted = self._word("something to look for")
        if quoted or "*" not in word:
            return AnyText(Pattern(PatternKind.CONTAINS, word))
        return AnyText(values.glob(word))

    def _short_form(self) -> Filter:
        start = self._at
        match = self._match(_SHORT)
        assert match is not None
        name = match[1].lower()
        field = self._names.get(name)
        if field is None:
            self._unknown("~" + name, start, [f"~{each}" for each in self._names])
        self._skip_space()
        if field.kind is FieldKind.FLAG:
            return Comparison(field.name, Op.EQ, True)
        if field.kind is FieldKind.PROPERTY:
            named = self._match(_PROPERTY_NAME)
            if named is None:
                self._fail("a property needs its name and value, for example ~prop env=prod", self._at)
            return self._comparison(field, f"prop.{named[1]}")
        return self._comparison(field, field.name)

    def _long_form(self) -> Filter | None:
        start = self._at
        if self._has_properties and (match := self._match(_PROPERTY)):
            return self._comparison(FIELDS["prop"], f"prop.{match[1]}")
        if not (match := self._match(_LONG)):
            return None
        name = match[1].lower()
        field = self._names.get(name)
        if field is None or field.kind is FieldKind.PROPERTY:
            self._unknown(match[1], start, list(self._names))
        return self._comparison(field, field.name)

    def _comparison(self, field: Field, name: str) -> Filter:
        start = self._at
        operator = self._match(_OPERATOR)
        op = Op(operator[1]) if operator else Op.EQ
        value_at = self._at
        if operator is None and field.kind is FieldKind.FLAG and self._match(_NO_VALUE):
            return Comparison(name, Op.EQ, True)
        word, quoted = self._word(f"{field.name}: a value")
        ordered = (FieldKind.STATUS, FieldKind.MONEY, FieldKind.COUNT, FieldKind.DURATION, FieldKind.TIME)
        if op is not Op.EQ and field.kind not in ordered:
            self._fail(f"{field.name} can be compared with ':' only", start)
        if name in BODIES:
            return Comparison(name, Op.EQ, Pattern(PatternKind.CONTAINS, word) if quoted else values.glob(f"*{word}*"))
        if name in self._closed:
            return Comparison(name, Op.EQ, self._one_of(self._closed[name](), name, word, value_at))
        if quoted and field.kind in (FieldKind.TEXT, FieldKind.PROPERTY):
            return Comparison(name, Op.EQ, Pattern(PatternKind.EXACT, word))
        if field.kind is FieldKind.TIME and op is not Op.EQ:
            return Comparison(name, Op.EQ, self._read(lambda text: _half_open(op, text), word, value_at))
        value = self._read(_READERS[field.kind], word, value_at)
        if isinstance(value, Status) and op is not Op.EQ:
            self._fail("ok, error and cancelled can be compared with ':' only", start)
        return Comparison(name, op, value)

    def _one_of(self, words: Mapping[str, str], name: str, word: str, position: int) -> Pattern:
        """A pattern that fits at least one of the words that the field can have, by what people call them."""
        pattern = values.glob(words.get(word.lower(), word))
        if not any(map(pattern.matches, words.values())):
            suggestion = nearest(word, words)
            known = "" if suggestion else f"; it is one of {', '.join(words)}"
            raise FilterError(f"there is no {name} {word!r}{known}", position, suggestion)
        return pattern

    def _word(self, what: str) -> tuple[str, bool]:
        """The next word, and whether it was quoted."""
        start = self._at
        if quoted := self._match(_QUOTED):
            return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), True
        if self._text.startswith('"', start):
            self._fail("this quotation mark is not closed", start)
        word = self._match(_WORD)
        if word is None:
            self._fail(f"{what} is missing here", start)
        return word[0], False

    def _read(self, reader: Callable[[str], Read], text: str, position: int) -> Read:
        try:
            return reader(text)
        except ValueError as error:
            self._fail(str(error), position)

    def _take(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip_space()
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _skip_space(self) -> None:
        self._match(_SPACE)

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _unknown(self, name: str, position: int, known: list[str]) -> NoReturn:
        suggestion = nearest(name.partition(".")[0], known)
        suggestion = "prop.NAME" if suggestion == "prop" else suggestion
        raise FilterError(
            f"there is no field '{name}'" + ("" if name.startswith("~") else "; quote text that contains ':' or '='"),
            position,
            suggestion,
        )

    def _fail(self, message: str, position: int) -> NoReturn:
        raise FilterError(message, position)


def _half_open(op: Op, text: str) -> TimeSpan:
    moment = values.parse_moment(text)
    if op in (Op.GT, Op.GE):
        return TimeSpan(moment, None, from_end_of_start=op is Op.GT)
    return TimeSpan(None, moment, through_end=op is Op.LE)


def _status(word: str) -> Status | int:
    if re.fullmatch(r"[1-9]\d\d", word, re.ASCII):
        return int(word)
    try:
        return Status(word.lower())
    except ValueError:
        near = nearest(word, Status)
        hint = f"; did you mean '{near}'?" if near else ""
        raise ValueError(f"{word!r} is not ok, error, cancelled or an HTTP status such as 429{hint}") from None


def _yes_or_no(word: str) -> bool:
    if word.lower() not in _YES + _NO:
        raise ValueError(f"{word!r} is not yes or no")
    return word.lower() in _YES


_READERS: dict[FieldKind, Callable[[str], Value]] = {
    FieldKind.TEXT: values.glob,
    FieldKind.PROPERTY: values.glob,
    FieldKind.STATUS: _status,
    FieldKind.MONEY: values.parse_usd,
    FieldKind.COUNT: values.parse_count,
    FieldKind.DURATION: values.parse_milliseconds,
    FieldKind.TIME: values.parse_time_span,
    FieldKind.FLAG: _yes_or_no,
}
