"""Lists of requests: pages in any order, what a filter selects, and following what arrives."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, not_, select, tuple_
from sqlalchemy.exc import DataError

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import EVERYTHING, Filter, FilterContext
from spendtop.domain.requests.request import Status
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.requests.by_hours import Sorting, by_hours
from spendtop.store.reads.requests.filter_sql import condition, expressions, has_index, narrowed, on_costs, total_tokens
from spendtop.store.reads.rows import RequestRow, Spend, from_row, selected
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import plan_spend, shadow_spend, spend
from spendtop.store.reads.tokens.names import name_column
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_NOT_A_CURSOR = "This cursor is not one that a list returned. Start again without a cursor."
_OBSERVED_DIMENSIONS = ("user", "model", "session", "token", "provider", "source")


class Order(StrEnum):
    """What a list is sorted by."""

    TIME = "time"
    USER = "user"
    MODEL = "model"
    TOKENS = "tokens"
    COST = "cost"
    STATUS = "status"
    """Failed ones above cancelled ones above the others, and of each by the HTTP status."""
    LATENCY = "latency"


_OF_WORDS = (Order.USER, Order.MODEL)
"""Orders by text; the others are by a number."""
_STATUSES, _STATUS_CLASS = (Status.OK, Status.CANCELLED, Status.ERROR), 1000
"""From the bottom to the top, and by how much one is above the other."""


class RequestQuery(Struct, frozen=True):
    """Which requests, and in which order. Times are half-open, UTC µs."""

    filter: Filter | None = None
    since: int | None = None
    until: int | None = None
    order: Order = Order.TIME
    descending: bool = True


class RequestPage(Struct, frozen=True):
    """Some requests, and where the next ones begin."""

    rows: tuple[RequestRow, ...]
    next_cursor: str | None
    """Hand it to `page` with the same query; None at the end."""


class ListedSpend(Struct, frozen=True):
    """Sums over all requests that a query lists: those that count, and what is listed too and is in no total."""

    counted: Spend
    shadow: Spend
    """Of shadow tokens."""
    plan: Spend
    """Under a plan; the cost is what they would have cost."""

    @property
    def requests(self) -> int:
        """How many rows the list has."""
        return self.counted.requests + self.shadow.requests + self.plan.requests

    @classmethod
    def nothing(cls) -> ListedSpend:
        """Of an empty list."""
        return cls(Spend.nothing(), Spend.nothing(), Spend.nothing())

    def __add__(self, other: ListedSpend) -> ListedSpend:
        return ListedSpend(self.counted + other.counted, self.shadow + other.shadow, self.plan + other.plan)


class RequestCursor(msgspec.Struct, frozen=True, array_like=True):
    """The last request of a page. `value` None: it is among those whose value is not known."""

    order: str
    descending: bool
    value: int | str | None
    id: int

    def write(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, query: RequestQuery) -> RequestCursor:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cursor = msgspec.json.decode(raw, type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise UsageError(_NOT_A_CURSOR) from None
        if (cursor.order, cursor.descending) != (query.order, query.descending):
            raise UsageError("This cursor belongs to a list in another order. Start again without a cursor.")
        if cursor.value is not None and isinstance(cursor.value, str) is not (query.order in _OF_WORDS):
            raise UsageError(_NOT_A_CURSOR)
        return cursor


def page(
    connection: Connection, query: RequestQuery, context: FilterContext, cursor: str | None, size: int
) -> RequestPage:
    """The `size` requests after `cursor`. Those whose value is not known come last in both directions.

    Raises UsageError for a cursor that is not from a list in this order.
    """
    after = RequestCursor.read(cursor, query) if cursor else None
    value, key = _value(query.order), _id()
    rows: list[Any] = []
    if after is None or after.value is not None:
        bounds: list[ColumnElement[bool]] = [value.is_not(None)] if query.order is not Order.TIME else []
        bounds += [_behind((value, key), (after.value, after.id), query)] if after is not None else []
        rows += _sorted(connection, query, context, Sorting((value, key), bounds, query.descending), size + 1)
    if query.order is not Order.TIME and len(rows) <= size:
        bounds = [value.is_(None)]
        bounds += [_behind((key,), (after.id,), query)] if after is not None and after.value is None else []
        rows += _sorted(connection, query, context, Sorting((key,), bounds, query.descending), size + 1 - len(rows))
    if len(rows) <= size:
        return RequestPage(tuple(map(from_row, rows)), None)
    last = rows[size - 1]
    following = RequestCursor(query.order, query.descending, last.order_value, last.id)
    return RequestPage(tuple(map(from_row, rows[:size])), following.write())


def listed_spend(connection: Connection, query: RequestQuery, context: FilterContext) -> ListedSpend:
    """Sums over exactly the requests that `query` lists. Without a filter they come from the totals."""
    since, until = query.since, query.until
    if query.filter is None or query.filter == EVERYTHING:
        reads = (spend, shadow_spend, plan_spend)
        return ListedSpend(*(read(connection, since, until) for read in reads))
    request = table_of(RequestTable)
    is_plan = and_(request.c.counted.is_(False), spend_sql.is_plan())
    kind = case((is_plan, 2), (request.c.counted.is_(False), 1), else_=0).label("kind")
    selecting = conditions(query, context, connection)
    listed = select(*spend_sql.of_requests(), kind).where(*selecting, not_(is_plan)).group_by("kind")
    under_plan = select(*spend_sql.of_plan(), kind).where(*selecting, is_plan).group_by("kind")
    rows = [*_read(connection, listed, 2), *_read(connection, under_plan, 1)]
    sums = {row.kind: spend_sql.to_spend(row) for row in rows}
    return ListedSpend(*(sums.get(kind, Spend.nothing()) for kind in range(3)))


def counted_spend(connection: Connection, query: RequestQuery, context: FilterContext) -> Spend:
    """Sums over those requests of `query` that count. Without a filter they come from the totals."""
    if query.filter is None or query.filter == EVERYTHING:
        return spend(connection, query.since, query.until)
    counted = table_of(RequestTable).c.counted.is_(True)
    statement = select(*spend_sql.of_requests()).where(counted, *conditions(query, context, connection))
    return spend_sql.to_spend(_read(connection, statement, 1)[0])


def conditions(query: RequestQuery, context: FilterContext, connection: Connection) -> list[ColumnElement[bool]]:
    """The conditions that a row of `request` is selected."""
    span = Span(query.since, query.until).holds(table_of(RequestTable).c.occurred_at)
    return [span, condition(query.filter or EVERYTHING, context, connection)]


def refuse_unsearchable(connection: Connection, query: RequestQuery) -> None:
    """Raise UsageError when the database cannot search for what the filter asks.

    PostgreSQL reads some regular expressions in another way than the filter language; SQLite is given Python's.
    """
    if connection.dialect.name == "postgresql":
        for expression in expressions(query.filter or EVERYTHING):
            _read(connection, select(literal("").regexp_match(expression, flags="i")), 1)


def newest_id(connection: Connection) -> int:
    """The largest request id, or 0 for an empty store."""
    return connection.execute(select(func.max(_id()))).scalar() or 0


def observed_values(connection: Connection, field: str, prefix: str, most: int) -> list[Untrusted]:
    """Values of `user`, `model`, `session`, `token` (its name), `provider` or `source` that begin with `prefix`
    (ignoring case), from the 7 days before the latest request, the costliest first; empty for other fields."""
    total = table_of(TotalTable)
    if field not in _OBSERVED_DIMENSIONS:
        return []
    latest = connection.execute(select(func.max(total.c.bucket)).where(total.c.dimension == "all")).scalar() or 0
    shown = func.coalesce(name_column(total.c.key), total.c.key) if field == "token" else total.c.key
    statement = (
        select(func.max(shown))
        .where(total.c.dimension == field, total.c.bucket > latest - 7 * DAY - HOUR, total.c.key != "")
        .where(shown.istartswith(prefix, autoescape=True))
        .group_by(total.c.key)
        .order_by(func.sum(total.c.cost_nano).desc(), func.sum(total.c.requests).desc(), total.c.key)
        .limit(most)
    )
    return [Untrusted(key) for key in connection.execute(statement).scalars()]


def _id() -> ColumnElement[int]:
    return table_of(RequestTable).c.id


def _value(order: Order) -> ColumnElement[Any]:
    request = table_of(RequestTable)
    match order:
        case Order.TIME:
            return request.c.occurred_at
        case Order.USER:
            return request.c.user_id
        case Order.MODEL:
            return request.c.model
        case Order.TOKENS:
            return total_tokens()
        case Order.COST:
            return request.c.cost_nano
        case Order.STATUS:
            ranks = {status.value: rank * _STATUS_CLASS for rank, status in enumerate(_STATUSES)}
            return case(ranks, value=request.c.status) + func.coalesce(request.c.http_status, 0)
        case Order.LATENCY:
            return request.c.latency_ms


def _sorted(
    connection: Connection, query: RequestQuery, context: FilterContext, sorting: Sorting, most: int
) -> list[Any]:
    """The first of what is listed within the bounds of `sorting`."""
    every = query.filter or EVERYTHING
    span = narrowed(Span(query.since, query.until), every, context)
    columns = (*selected(), _value(query.order).label("order_value"), _id().label("order_id"))
    statement = select(*columns).where(*sorting.bounds, condition(every, context, connection))
    # In the order of the key alone a database would look through all requests for the few of a time.
    in_order = sorting if len(sorting.keys) > 1 or span.since is None else sorting._replace(keys=(_id() + 0,))
    at_once = statement.where(span.holds(table_of(RequestTable).c.occurred_at)).order_by(*in_order.order).limit(most)
    with _searching():
        if query.order is not Order.COST or connection.dialect.name != "sqlite" or has_index(every):
            return list(connection.execute(at_once))
        costs = on_costs(every, context, connection)
        sorting = sorting._replace(bounds=[*sorting.bounds, *costs])
        index_suffices = costs or every == EVERYTHING
        return by_hours(connection, statement, sorting, span, most, None if index_suffices else at_once)


def _behind(keys: tuple[ColumnElement[Any], ...], last: tuple[Any, ...], query: RequestQuery) -> ColumnElement[bool]:
    return tuple_(*keys) < last if query.descending else tuple_(*keys) > last


def _read(connection: Connection, statement: Select[Any], most: int) -> list[Any]:
    with _searching():
        return list(connection.execute(statement.limit(most)))


@contextmanager
def _searching() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise UsageError("The database cannot read this regular expression. Write it in a simpler form.") from None
