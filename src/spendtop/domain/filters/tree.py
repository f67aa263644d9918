"""The five nodes that every filter is made of, and the table of fields that it can name."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.domain.errors import UsageError
from spendtop.domain.filters.values import Pattern, TimeSpan
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status


class FilterError(UsageError, ValueError):
    """A filter that cannot be read. `position` is the character that a caret should point to."""

    def __init__(self, message: str, position: int, suggestion: str | None = None) -> None:
        super().__init__(f"{message}; did you mean '{suggestion}'?" if suggestion else message)
        self.message = message
        self.position = position
        self.suggestion = suggestion


class FieldKind(StrEnum):
    """What a field is compared with; the comment names the type of the comparison's value."""

    TEXT = "text"  # Pattern
    STATUS = "status"  # Status, or int for an HTTP status
    MONEY = "money"  # Usd
    COUNT = "count"  # int
    DURATION = "duration"  # int, milliseconds
    TIME = "time"  # TimeSpan
    FLAG = "flag"  # bool
    PROPERTY = "property"  # Pattern


class Field(Struct, frozen=True):
    """One field of the language: `~short value` or `name:value`; flags stand alone, `~short` or `name:`."""

    name: str
    short: str
    kind: FieldKind
    help: str
    example: str
    """In the short form."""

    @property
    def long(self) -> str:
        """What the long form begins with."""
        return f"{self.name}." if self.kind is FieldKind.PROPERTY else f"{self.name}:"

    @property
    def long_example(self) -> str:
        """What `example` says, in the long form."""
        value = self.example.partition(" ")[2]
        if self.kind is FieldKind.PROPERTY:
            return self.long + value.replace("=", ":", 1)
        return f"{self.name}{value}" if value.startswith(("<", ">")) else f"{self.long}{value}"


FIELDS = {
    "user": Field("user", "u", FieldKind.TEXT, "user", "~u alice"),
    "model": Field("model", "m", FieldKind.TEXT, "model; * stands for any characters", "~m gpt-4*"),
    "token": Field("token", "k", FieldKind.TEXT, "tracking token", "~k ci-42"),
    "session": Field("session", "s", FieldKind.TEXT, "session", "~s pr-88"),
    "path": Field("path", "p", FieldKind.TEXT, "session path", "~p /etl/**"),
    "provider": Field("provider", "pr", FieldKind.TEXT, "provider", "~pr anthropic"),
    "source": Field("source", "src", FieldKind.TEXT, "who reported it; webhook and poll also work", "~src webhook"),
    "id": Field("id", "id", FieldKind.TEXT, "our id, or an id from outside", "~id a1b2*"),
    "body": Field("body", "b", FieldKind.TEXT, "text in prompt or answer; on the screen of requests", "~b refund"),
    "prompt": Field("prompt", "bq", FieldKind.TEXT, "text in the prompt; there too", "~bq refund"),
    "response": Field("response", "bs", FieldKind.TEXT, "text in the answer; there too", "~bs sorry"),
    "prop": Field("prop", "prop", FieldKind.PROPERTY, "a property", "~prop env=prod"),
    "status": Field("status", "st", FieldKind.STATUS, "ok, error, cancelled or an HTTP status", "~st >=400"),
    "level": Field("level", "level", FieldKind.TEXT, "service level", "~level batch"),
    "cost": Field("cost", "cost", FieldKind.MONEY, "cost in USD; of a partial one what is known", "~cost >0.05"),
    "tok": Field("tok", "tok", FieldKind.COUNT, "all tokens", "~tok >10k"),
    "in": Field("in", "in", FieldKind.COUNT, "prompt tokens", "~in >8k"),
    "out": Field("out", "out", FieldKind.COUNT, "completion tokens", "~out <100"),
    "lat": Field("lat", "lat", FieldKind.DURATION, "latency", "~lat >5s"),
    "time": Field("time", "t", FieldKind.TIME, "when it happened", "~t 14:00..14:10"),
    "error": Field("error", "e", FieldKind.FLAG, "ended with an error", "~e"),
    "failed": Field("failed", "failed", FieldKind.FLAG, "an error without any usage, which costs nothing", "~failed"),
    "unpriced": Field("unpriced", "unpriced", FieldKind.FLAG, "its cost is not known, or only in part", "~unpriced"),
    "partial": Field("partial", "partial", FieldKind.FLAG, "its cost is known in part", "~partial"),
    "doubtful": Field(
        "doubtful", "doubtful", FieldKind.FLAG, "its reported cost is far from the computed one", "~doubtful"
    ),
    "cached": Field("cached", "cached", FieldKind.FLAG, "answered by the gateway's cache", "~cached"),
    "verified": Field("verified", "verified", FieldKind.FLAG, "confirmed by the gateway's API", "~verified"),
    "plan": Field("plan", "plan", FieldKind.FLAG, "a coding agent's call under a plan, which is no spend", "~plan"),
    "imported": Field("imported", "imported", FieldKind.FLAG, "only an imported file tells of it", "~imported"),
    "twin": Field("twin", "twin", FieldKind.FLAG, "probably a call that another source counts too", "~twin"),
}
"""Every field by its name: help, completion and documentation are made from this table."""

ELSEWHERE = {
    "user_id": "user",
    "token_name": "token",
    "session_id": "session",
    "session_path": "path",
    "sources": "source",
    "external_ids": "id",
    "request_id": "id",
    "property": "prop",
    "properties": "prop",
    "http_status": "status",
    "service_level": "level",
    "cost_usd": "cost",
    "tokens": "tok",
    "total_tokens": "tok",
    "prompt_tokens": "in",
    "completion_tokens": "out",
    "latency": "lat",
    "latency_ms": "lat",
    "occurred_at": "time",
    "timestamp": "time",
}
"""What API, exports and SQL views call a field, where that is not its name here; a filter takes both."""
NAMES = {
    **{name: FIELDS[field] for name, field in ELSEWHERE.items()},
    **{name: field for field in FIELDS.values() for name in (field.short, field.name)},
}
"""Every field by each of its names."""


def name_here(name: str) -> str:
    """The name of a field whatever it is called elsewhere; a name that is none is left."""
    return ELSEWHERE.get(name, name)


BODIES = ("body", "prompt", "response")
"""The fields that are looked for in stored prompts and answers."""
ANY_TEXT = "text"
"""What `fields_of` calls a bare word."""
ANY_TEXT_FIELDS = ("user", "model", "session", "path", "id")
"""The fields in which a bare word is looked for."""


class Op(StrEnum):
    """A comparison's operator. Text, status words, times and flags only know EQ."""

    EQ = "="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


Value = Pattern | Status | Usd | TimeSpan | int | bool


class Comparison(Struct, frozen=True):
    """One field against one value; the field's kind says the value's type. A property's field is `prop.NAME`."""

    field: str
    op: Op
    value: Value


class AnyText(Struct, frozen=True):
    """A pattern in any of `ANY_TEXT_FIELDS`."""

    pattern: Pattern


class Not(Struct, frozen=True):
    """True where `part` is not true, also where its value is not known."""

    part: Filter


class And(Struct, frozen=True):
    """All of its parts; without parts, everything."""

    parts: tuple[Filter, ...]


class Or(Struct, frozen=True):
    """At least one of its parts."""

    parts: tuple[Filter, ...]


Filter = Comparison | AnyText | Not | And | Or
EVERYTHING = And(())


def fields_of(filter: Filter) -> set[str]:
    """The names of all fields used: names of FIELDS, `prop.NAME`, and `text` for bare words."""
    match filter:
        case Comparison(field=name):
            return {name}
        case AnyText():
            return {ANY_TEXT}
        case Not(part=part):
            return fields_of(part)
        case And(parts=parts) | Or(parts=parts):
            return {name for part in parts for name in fields_of(part)}


def body_terms(filter: Filter) -> set[Comparison]:
    """What it looks for in prompts and answers."""
    match filter:
        case Comparison(field=name):
            return {filter} if name in BODIES else set()
        case AnyText():
            return set()
        case Not(part=part):
            return body_terms(part)
        case And(parts=parts) | Or(parts=parts):
            return {term for part in parts for term in body_terms(part)}


def candidates(filter: Filter) -> Filter:
    """What every request passes that `filter` selects, whatever stands in its prompt and answer."""
    match filter:
        case And(parts=parts):
            return And(tuple(map(candidates, parts)))
        case Or(parts=parts):
            return Or(tuple(map(candidates, parts)))
    return EVERYTHING if body_terms(filter) else filter
