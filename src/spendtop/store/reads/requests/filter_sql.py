"""A filter as an SQL condition on `request`, for both databases.

Text is compared without case. An exact user, model or session is compared as `lower(column) = lower(:value)`, which
the indexes on these expressions answer; a bound on time uses the index on time; an id of ours or of a source is looked
up by key. All other comparisons read the rows that those leave. SQLite folds ASCII letters only, so there a pattern
with other letters is searched as a regular expression, by Python's rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from operator import eq, ge, gt, le, lt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import (
    ANY_TEXT_FIELDS,
    BODIES,
    And,
    AnyText,
    Comparison,
    Filter,
    FilterContext,
    Not,
    Op,
    Or,
    Pattern,
    PatternKind,
    TimeSpan,
)
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.sources.records import IMPORTED, SOURCES
from spendtop.store.reads.property_sql import property_items
from spendtop.store.reads.requests.identities import ending_in, known_as
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import is_failed, is_plan, is_unpriced
from spendtop.store.reads.tokens.names import is_called
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

Condition = ColumnElement[bool]

_TEXT_COLUMNS = {
    "user": "user_id",
    "model": "model",
    "session": "session_id",
    "path": "session_path",
    "provider": "provider",
    "level": "service_level",
}
_NUMBER_COLUMNS = {"status": "http_status", "in": "prompt_tokens", "out": "completion_tokens", "lat": "latency_ms"}
_INDEXED = ("user", "model", "session", "id")
_OPERATORS: dict[Op, Callable[[Any, Any], Condition]] = {Op.EQ: eq, Op.GT: gt, Op.GE: ge, Op.LT: lt, Op.LE: le}
_LARGEST_ID = 2**63 - 1


def condition(filter: Filter, context: FilterContext, connection: Connection) -> Condition:
    """The condition that a row of `request` passes `filter`; never true for what is not known."""
    match filter:
        case And(parts=parts):
            return and_(true(), *(condition(part, context, connection) for part in parts))
        case Or(parts=parts):
            return or_(false(), *(condition(part, context, connection) for part in parts))
        case Not(part=part):
            return not_(func.coalesce(condition(part, context, connection), false()))
        case AnyText(pattern=pattern):
            return or_(*(_text(name, pattern, connection) for name in ANY_TEXT_FIELDS))
        case Comparison():
            return _comparison(filter, context, connection)


def expressions(filter: Filter) -> Iterator[str]:
    match filter:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from expressions(part)
        case Not(part=part):
            yield from expressions(part)
        case AnyText(pattern=Pattern(kind=PatternKind.REGEX, text=text)):
            yield text
        case Comparison(value=Pattern(kind=PatternKind.REGEX, text=text)):
            yield text


def has_index(filter: Filter) -> bool:
    """Whether an index or a key leads to what passes `filter`."""
    match filter:
        case And(parts=parts):
            return any(map(has_index, parts))
        case Comparison(field=field, value=Pattern(kind=PatternKind.EXACT)):
            return field in _INDEXED
    return False


def narrowed(span: Span, filter: Filter, context: FilterContext) -> Span:
    """What a filter leaves of `span` by what it says of time."""
    match filter:
        case And(parts=parts):
            for part in parts:
                span = narrowed(span, part, context)
        case Comparison(value=TimeSpan() as value):
            bounds = value.resolve(context.now_us, context.calendar)
            begins = [at for at in (span.since, bounds.start_us) if at is not None]
            ends = [at for at in (span.until, bounds.end_us) if at is not None]
            return Span(max(begins, default=None), min(ends, default=None))
    return span


def on_costs(filter: Filter, context: FilterContext, connection: Connection) -> list[Condition]:
    """Its conditions on the cost that all that passes fulfils."""
    match filter:
        case And(parts=parts):
            return [each for part in parts for each in on_costs(part, context, connection)]
        case Comparison(value=Usd()):
            return [_comparison(filter, context, connection)]
    return []


def total_tokens() -> ColumnElement[int]:
    """All tokens of a request; NULL when neither side is known."""
    request = table_of(RequestTable)
    prompt, completion = request.c.prompt_tokens, request.c.completion_tokens
    is_known = or_(prompt.is_not(None), completion.is_not(None))
    return case((is_known, func.coalesce(prompt, 0) + func.coalesce(completion, 0)), else_=None)


def _comparison(comparison: Comparison, context: FilterContext, connection: Connection) -> Condition:
    request, operator = table_of(RequestTable), _OPERATORS[comparison.op]
    match comparison.value:
        case Pattern() if comparison.field in BODIES:
            return request.c.id.in_(_found(comparison, context))
        case Pattern() as pattern:
            return _text(comparison.field, pattern, connection)
        case TimeSpan() as span:
            bounds = span.resolve(context.now_us, context.calendar)
            return Span(bounds.start_us, bounds.end_us).holds(request.c.occurred_at)
        case Status() as status:
            return request.c.status == status.value
        case bool() as wanted:
            return _flag(comparison.field) if wanted else not_(_flag(comparison.field))
        case Usd() as amount:
            return operator(request.c.cost_nano, amount.nano)
        case int() as number:
            field = comparison.field
            return operator(total_tokens() if field == "tok" else request.c[_NUMBER_COLUMNS[field]], number)


def _found(comparison: Comparison, context: FilterContext) -> Collection[int]:
    """Where a text was found in bodies, which no database can look into. Raises UsageError where nobody looked."""
    if context.found is None:
        raise UsageError("Prompts and answers are searched on the screen of requests only: leave ~b, ~bq and ~bs out.")
    return context.found.get(comparison, ())


def _flag(field: str) -> Condition:
    request = table_of(RequestTable)
    match field:
        case "error":
            return request.c.status == Status.ERROR.value
        case "failed":
            return func.coalesce(is_failed(), false())
        case "unpriced":
            return and_(is_unpriced(), not_(is_plan()))
        case "plan":
            return is_plan()
        case "twin":
            return request.c.probable_twin_of.is_not(None)
        case "imported":
            return request.c.source.in_([source.name for source in IMPORTED])
        case "partial":
            return request.c.unpriced_units.is_not(None)
    return request.c[field].is_(True)


def _text(field: str, pattern: Pattern, connection: Connection) -> Condition:
    request = table_of(RequestTable)
    match field:
        case "id":
            return _is_id(pattern, connection)
        case "source":
            listed = "," + request.c.sources + ","
            return or_(false(), *(listed.contains(f",{name},") for name in SOURCES if pattern.matches(name)))
        case "token":
            return is_called(request.c.token, lambda text: _matches(text, pattern, connection))
        case name if name in _TEXT_COLUMNS:
            return _matches(request.c[_TEXT_COLUMNS[name]], pattern, connection)
    item = property_items(request.c.properties, connection)
    return exists(
        select(item.c.key)
        .select_from(item)
        .where(item.c.key == field.removeprefix("prop."), _matches(item.c.value, pattern, connection))
    )


def _is_id(pattern: Pattern, connection: Connection) -> Condition:
    request = table_of(RequestTable)
    if pattern.kind is PatternKind.EXACT:
        ids = known_as(connection, pattern.text)
        ours = int(pattern.text) if re.fullmatch(r"\d{1,19}", pattern.text, re.ASCII) else 0
        known = [*ids, ours] if 0 < ours <= _LARGEST_ID else ids
        return request.c.id.in_([*known, *ending_in(connection, pattern.text)])
    item = property_items(request.c.external_ids, connection)
    is_external_id = exists(select(item.c.key).select_from(item).where(_matches(item.c.value, pattern, connection)))
    return or_(_matches(cast(request.c.id, Text), pattern, connection), is_external_id)


def _matches(column: ColumnElement[Any], pattern: Pattern, connection: Connection) -> Condition:
    if connection.dialect.name == "sqlite" and (pattern.kind is PatternKind.REGEX or not pattern.text.isascii()):
        return column.regexp_match(_python_expression(pattern))
    match pattern.kind:
        case PatternKind.REGEX:
            return column.regexp_match(pattern.text, flags="i")
        case PatternKind.EXACT:
            return func.lower(column) == func.lower(pattern.text)
    return column.ilike(pattern.like, escape="\\")


def _python_expression(pattern: Pattern) -> str:
    """The pattern for `re.search`, ignoring case."""
    text = re.escape(pattern.text)
    match pattern.kind:
        case PatternKind.REGEX:
            flags = re.match(r"\(\?([aimsux]+)\)", pattern.text)
            return f"(?i{flags[1]}){pattern.text[flags.end() :]}" if flags else f"(?i){pattern.text}"
        case PatternKind.PREFIX:
            text = r"\A" + text
        case PatternKind.SUFFIX:
            text += r"\Z"
        case PatternKind.EXACT | PatternKind.GLOB:
            text = r"\A" + text.replace(r"\*", ".*") + r"\Z" if pattern.kind is PatternKind.GLOB else rf"\A{text}\Z"
    return "(?is)" + text
