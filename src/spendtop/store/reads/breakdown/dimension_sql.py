"""Dimensions and measures as SQL over requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)

from spendtop.domain.breakdown.dimensions import PREFIX_ENDS, Dimension
from spendtop.domain.breakdown.latencies import APART, LONGEST, STEPS
from spendtop.domain.breakdown.measures import COST, LATENCY, PLAN, Measure
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime
from spendtop.domain.model_names import family
from spendtop.domain.requests.request import Status
from spendtop.domain.windows import Calendar
from spendtop.store.reads.property_sql import property_value
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.kept_sums import Grouped
from spendtop.store.reads.spending.spend_sql import is_failed, is_unpriced, spent, under_plan
from spendtop.store.reads.spending.sums import COLUMNS, FAMILY
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_REQUEST = table_of(RequestTable)
_TOKENS = {
    "prompt tokens": _REQUEST.c.prompt_tokens,
    "completion tokens": _REQUEST.c.completion_tokens,
    "cached tokens": _REQUEST.c.cached_tokens,
    "reasoning tokens": _REQUEST.c.reasoning_tokens,
}
_FAR = 1_000_000
_FINEST = 15 * MINUTE
"""Clocks change at whole quarters of an hour."""
_TOGETHER = 500
"""Rows in memory; so few that Python does not look for garbage among them."""


class CellGrouping:
    """A measure by dimensions; a key has their texts in this order."""

    def __init__(self, dimensions: Sequence[Dimension], measure: Measure, calendar: Calendar) -> None:
        self.models: dict[str, set[str]] = {}
        """The exact names of the families that were read."""
        self._dimensions = dimensions
        self._measure = measure
        self._calendar = calendar

    def __call__(self, connection: Connection, span: Span) -> Grouped:
        """Measured as `domain.breakdown.measures.Measured` has them; of latencies the amount is their marks."""
        folds = [self._fold(each) for each in self._dimensions]
        takes = [*folds, int, str if self._measure is LATENCY else int, int]
        for part in self.parts(span):
            for rows in connection.execute(self.statement(connection, part)).partitions(_TOGETHER):
                columns = [map(take, map(itemgetter(at), rows)) for at, take in enumerate(takes)]
                keys, values = columns[: len(folds)], columns[len(folds) :]
                yield from zip(zip(*keys, strict=True), zip(*values, strict=True), strict=True)

    def statement(self, connection: Connection, span: Span) -> Select[Any]:
        """The same before keys are folded, of a span that is one of `parts`."""
        labels = [f"key_{number}" for number in range(len(self._dimensions))]
        columns = [self.column(each, connection, span) for each in self._dimensions]
        named = [column.label(label) for column, label in zip(columns, labels, strict=True)]
        part = under_plan() if self._measure is PLAN else spent()
        within = part.condition, span.holds(_REQUEST.c.occurred_at)
        return select(*named, *_sums(self._measure, connection)).where(*within).group_by(*labels)

    def column(self, of: Dimension, connection: Connection, span: Span) -> ColumnElement[Any]:
        """A request's key, before it is folded. `span` is one of `parts`."""
        if of.property is not None:
            return property_value(_REQUEST.c.properties, of.property, connection)
        match of.name:
            case "hour":
                return (_REQUEST.c.occurred_at + self._offset(span.since)) // HOUR % 24
            case "day":
                return (_REQUEST.c.occurred_at + self._offset(span.since) - self._opening) // DAY
            case "session_prefix":
                return _prefix(connection)
        return func.coalesce(_REQUEST.c["model" if of.name == FAMILY else COLUMNS[of.name]], "")

    def _fold(self, of: Dimension) -> Callable[[Any], str]:
        match of.name:
            case "model_family":
                return self._family
            case "hour":
                return lambda hour: f"{int(hour):02}"
            case "day":
                return lambda day: f"{to_datetime(int(day) * DAY):%Y-%m-%d}"
        return str

    def _family(self, model: str) -> str:
        name = family(model)
        self.models.setdefault(name, set()).add(model)
        return name

    def parts(self, span: Span) -> Iterator[Span]:
        """The span, cut where the local clock changes when that matters."""
        is_local = any(each.name in ("hour", "day") for each in self._dimensions)
        since, until = span
        if not is_local or since is None or until is None or until - since <= _FINEST:
            yield span
            return
        if self._offset(since) == self._offset(until - 1):
            yield span
            return
        middle = max((since + until) // 2 // _FINEST * _FINEST, since // _FINEST * _FINEST + _FINEST)
        yield from self.parts(Span(since, middle))
        yield from self.parts(Span(middle, until))

    def _offset(self, at: int | None) -> int:
        """Of the local clock, in µs."""
        offset = self._calendar.local(at or 0).utcoffset()
        assert offset is not None
        return int(offset.total_seconds()) * 1_000_000

    @property
    def _opening(self) -> int:
        """When the local day begins, in µs after midnight."""
        hours, minutes = map(int, self._calendar.day_starts.split(":"))
        return hours * HOUR + minutes * MINUTE


class ModelUseGrouping:
    """`spend_change.ModelUsage` of each model, without requests that failed or whose cost is not known."""

    def __call__(self, connection: Connection, span: Span) -> Grouped:
        return _model_uses(connection, span, true())


class RowUseGrouping:
    """The same of the requests of one row of a breakdown."""

    def __init__(self, of: Dimension, key: str, models: Collection[str], calendar: Calendar) -> None:
        """`models` are the exact names of a family."""
        self._of = of
        self._keys = sorted(models) if of.name == FAMILY else [int(key) if of.name == "hour" else key]
        self._cells = CellGrouping((of,), COST, calendar)

    def __call__(self, connection: Connection, span: Span) -> Grouped:
        for part in self._cells.parts(span):
            column = self._cells.column(self._of, connection, part)
            yield from _model_uses(connection, part, column.in_(self._keys))


def _model_uses(connection: Connection, span: Span, narrowed: ColumnElement[bool]) -> Grouped:
    request = _REQUEST.c
    paid = request.cached.is_not(True)
    read, written = func.coalesce(request.cached_tokens, 0), func.coalesce(request.cache_write_tokens, 0)
    fresh = func.coalesce(request.prompt_tokens, 0) - read - written
    columns = (
        func.count(),
        _sum(case((request.cached.is_(True), 1), else_=0)),
        *(_sum(case((paid, tokens), else_=0)) for tokens in (fresh, read, written, request.completion_tokens)),
        _sum(request.cost_nano),
    )
    model = func.coalesce(request.model, "").label("key_0")
    priced = and_(request.counted.is_(True), ~is_unpriced(), ~func.coalesce(is_failed(), False))
    statement = select(model, *columns).where(priced, narrowed, span.holds(request.occurred_at)).group_by("key_0")
    for row in connection.execute(statement):
        yield (row[0],), tuple(map(int, row[1:]))


def of_totals(measure: Measure, total: Table) -> tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]:
    """The sums of a measure that totals know, over rows of `total` or `day_total`."""
    requests = _sum(total.c.requests)
    match measure.name:
        case "cost":
            return requests, _sum(total.c.cost_nano), _sum(total.c.unpriced)
        case "requests":
            return requests, requests, literal(0)
        case "tokens":
            return requests, _sum(total.c.prompt_tokens + total.c.completion_tokens), literal(0)
    return requests, _sum(total.c[measure.name.replace(" ", "_")]), literal(0)


def _sums(
    measure: Measure, connection: Connection
) -> tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]:
    request = _REQUEST.c
    is_error = request.status == Status.ERROR.value
    match measure.name:
        case "cost":
            return func.count(), _sum(request.cost_nano), _sum(case((is_unpriced(), 1), else_=0))
        case "API-equivalent":
            equivalent = func.coalesce(request.computed_cost_nano, request.reported_cost_nano)
            missing = or_(equivalent.is_(None), request.unpriced_units.is_not(None))
            return func.count(), _sum(equivalent), _sum(case((missing, 1), else_=0))
        case "requests":
            return func.count(), func.count(), literal(0)
        case "tokens":
            both = func.coalesce(request.prompt_tokens, 0) + func.coalesce(request.completion_tokens, 0)
            return func.count(), _sum(both), literal(0)
        case "failed":
            cost = _sum(case((is_error, request.cost_nano), else_=0))
            return _sum(case((is_error, 1), else_=0)), cost, _sum(case((and_(is_error, is_unpriced()), 1), else_=0))
        case "cache hit":
            return _sum(request.prompt_tokens), _sum(request.cached_tokens), literal(0)
        case "p95 latency":
            is_missing = case((request.latency_ms.is_(None), 1), else_=0)
            return func.count(), func.coalesce(_latency_marks(connection), ""), _sum(is_missing)
    return func.count(), _sum(_TOKENS[measure.name]), literal(0)


def _sum(column: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _latency_marks(connection: Connection) -> ColumnElement[Any]:
    """As `domain.breakdown.latencies` has them."""
    latency = _REQUEST.c.latency_ms
    numbers = [
        (latency < below, APART * number + (latency + step // 2) // step) for number, (below, step) in enumerate(STEPS)
    ]
    character = func.chr if connection.dialect.name == "postgresql" else func.char
    mark = character(cast(1 + case((latency < 0, 0), *numbers, else_=LONGEST), Integer))
    return func.aggregate_strings(case((latency.is_not(None), mark)), "")


def _prefix(connection: Connection) -> ColumnElement[Any]:
    """A session's name up to the first of `PREFIX_ENDS`, as `domain.breakdown.dimensions.prefix_of` has it."""
    session = func.coalesce(_REQUEST.c.session_id, "")
    is_postgres = connection.dialect.name == "postgresql"
    place, least = (func.strpos, func.least) if is_postgres else (func.instr, func.min)
    places = (func.coalesce(func.nullif(place(session, cast(end, Text)), 0), _FAR) for end in PREFIX_ENDS)
    return func.substr(session, 1, least(*places))
