"""The filter language: `~u alice ~cost >0.05` and `user:alice cost>0.05` are one tree.

`matches` evaluates a tree on one request in memory; the store compiles the same nodes to SQL. A comparison with a value
that is not known is false, so its negation is true.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from spendtop.domain.filters.parser import parse_filter, quoted
from spendtop.domain.filters.tree import (
    ANY_TEXT,
    ANY_TEXT_FIELDS,
    BODIES,
    EVERYTHING,
    FIELDS,
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
    body_terms,
    candidates,
    fields_of,
)
from spendtop.domain.filters.values import Pattern, PatternKind, TimeSpan
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.requests.token_names import names_of
from spendtop.domain.windows import Calendar

__all__ = [
    "ANY_TEXT",
    "ANY_TEXT_FIELDS",
    "BODIES",
    "EVERYTHING",
    "FIELDS",
    "And",
    "AnyText",
    "Comparison",
    "Field",
    "FieldKind",
    "Filter",
    "FilterContext",
    "FilterError",
    "Not",
    "Op",
    "Or",
    "Pattern",
    "PatternKind",
    "Subject",
    "TimeSpan",
    "Value",
    "body_terms",
    "candidates",
    "fields_of",
    "matches",
    "parse_filter",
    "quoted",
]


class Subject(Struct, frozen=True, kw_only=True):
    """What a filter sees of one request. None is unknown."""

    user: str | None = None
    model: str | None = None
    token: str | None = None
    token_name: str | None = None
    """What the token is called; a filter finds it by both."""
    session: str | None = None
    path: str | None = None
    provider: str | None = None
    level: str | None = None
    sources: tuple[str, ...] = ()
    id: str | None = None
    external_ids: tuple[str, ...] = ()
    """Looked through together with `id`."""
    properties: Mapping[str, str] | None = None
    prompt: str | None = None
    response: str | None = None
    """Texts of both, for whoever has them in memory."""
    status: Status = Status.OK
    http_status: int | None = None
    cost: Usd | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    latency_ms: int | None = None
    occurred_at: int = 0
    cached: bool = False
    verified: bool = False
    unpriced: bool = False
    """Whether its cost is not known, or `partial`."""
    partial: bool = False
    failed: bool = False
    doubtful: bool = False
    plan: bool = False
    """Whether it is usage under a plan."""
    twin: bool = False
    """Whether it has a probable twin."""
    imported: bool = False
    """Whether only imported files tell of it."""


class FilterContext(Struct, frozen=True):
    """What times such as `yesterday` are relative to."""

    now_us: int
    calendar: Calendar
    found: Mapping[Comparison, frozenset[int]] | None = None
    """Ids of the requests in whose prompt or answer a text is, by the comparison that looks for it; None where nobody
    looked."""


def matches(filter: Filter, subject: Subject, context: FilterContext) -> bool:
    match filter:
        case And(parts=parts):
            return all(matches(part, subject, context) for part in parts)
        case Or(parts=parts):
            return any(matches(part, subject, context) for part in parts)
        case Not(part=part):
            return not matches(part, subject, context)
        case AnyText(pattern=pattern):
            return any(pattern.matches(text) for name in ANY_TEXT_FIELDS for text in _texts(name, subject))
        case Comparison():
            return _compares(filter, subject, context)


def _compares(comparison: Comparison, subject: Subject, context: FilterContext) -> bool:
    match comparison.value:
        case Pattern() as pattern:
            return any(pattern.matches(text) for text in _texts(comparison.field, subject))
        case TimeSpan() as span:
            return subject.occurred_at in span.resolve(context.now_us, context.calendar)
        case Status() as status:
            return subject.status is status
        case bool() as wanted:
            return _flag(comparison.field, subject) is wanted
        case Usd() as amount:
            return subject.cost is not None and _ordered(comparison.op, subject.cost.nano, amount.nano)
        case int() as number:
            value = _number(comparison.field, subject)
            return value is not None and _ordered(comparison.op, value, number)


def _texts(name: str, subject: Subject) -> tuple[str, ...]:
    match name:
        case "source":
            return subject.sources
        case "id":
            return (*subject.external_ids, *([] if subject.id is None else [subject.id]))
        case "token" if subject.token is not None:
            return names_of(subject.token, subject.token_name)
        case "body":
            return tuple(text for text in (subject.prompt, subject.response) if text is not None)
        case "prompt" | "response" | "user" | "model" | "token" | "session" | "path" | "provider" | "level":
            text: str | None = getattr(subject, name)
        case _:
            text = (subject.properties or {}).get(name.removeprefix("prop."))
    return () if text is None else (text,)


def _flag(name: str, subject: Subject) -> bool:
    match name:
        case "error":
            return subject.status is Status.ERROR
        case "failed":
            return subject.failed
        case "unpriced":
            return subject.unpriced
        case "partial":
            return subject.partial
        case "doubtful":
            return subject.doubtful
        case "cached":
            return subject.cached
        case "plan":
            return subject.plan
        case "twin":
            return subject.twin
        case "imported":
            return subject.imported
    return subject.verified


def _number(name: str, subject: Subject) -> int | None:
    match name:
        case "status":
            return subject.http_status
        case "tok":
            return subject.total_tokens
        case "in":
            return subject.prompt_tokens
        case "out":
            return subject.completion_tokens
    return subject.latency_ms


def _ordered(op: Op, left: int, right: int) -> bool:
    match op:
        case Op.EQ:
            return left == right
        case Op.GT:
            return left > right
        case Op.GE:
            return left >= right
        case Op.LT:
            return left < right
        case Op.LE:
            return left <= right
