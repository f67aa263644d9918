"""What was spent: exact sums over any span, by key, and per bucket of time.

Whole days come from `day_total`, as far as it goes, and whole hours from `total`; what a span has of the hours at its
ends is read from `request` by (scope, time), and for everyone together from minute totals, so that at most two minutes
of requests are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from spendtop.domain.breakdown.dimensions import PROPERTY
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.model_names import family
from spendtop.domain.requests.request import Status
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.property_sql import property_value
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import fixed_sums, spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.totals import Totals, totals, totals_of_keys
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

ALL = "all"
MINUTES = "minute"
SHADOW, PLAN = "shadow", "plan"
"""By token, requests of shadow tokens, and by source, calls under a plan: stored, and in no other dimension."""
COLUMNS = {
    "user": "user_id",
    "model": "model",
    "provider": "provider",
    "session": "session_id",
    "token": "token",
    "source": "source",
}
"""Dimension to the column of `request` that holds its key."""
FAMILY = "model_family"
"""The dimension whose keys are made of those of `model` while reading; it has no totals and no column."""
DIMENSIONS = (*COLUMNS, FAMILY)
ERROR = "error"
"""The dimension of requests that did not end well: their HTTP status, `error` without one, or `cancelled`."""
ONLY_WHERE_SET = ("session", "token")


class KeySpend(Struct, frozen=True):
    """Spend of one user, model, ...; the key is empty where requests name none."""

    key: Untrusted
    spend: Spend
    token_name: Untrusted | None = None
    """What people read for the key, where it is a tracking token's."""


class Breakdown(Struct, frozen=True):
    """The largest keys, and all others in one sum."""

    rows: tuple[KeySpend, ...]
    others: Spend
    other_keys: int

    def beside(self, whole: Spend) -> tuple[KeySpend, ...]:
        """The rows, and behind them the requests of `whole` that name no key, where those are not a row already."""
        nameless = whole - reduce(add, (row.spend for row in self.rows), self.others)
        return (*self.rows, KeySpend(Untrusted(""), nameless)) if nameless.requests else self.rows


class Bucket(Struct, frozen=True):
    """Spend from `start` (UTC µs) for one step."""

    start: int
    spend: Spend


def spend(connection: Connection, since: int | None, until: int | None, dimension: str = ALL, key: str = "") -> Spend:
    """Exact spend of one key from `since` inclusive to `until` exclusive (UTC µs; None is open).

    `dimension` is all, user, model, provider, session, token or source; the key "" of a user, model or provider means
    the requests that name none.
    """
    part = spend_sql.spent().where(scope(dimension, key))
    return scoped_spend(connection, Span(since, until), dimension, key, part)


def scoped_spend(connection: Connection, span: Span, dimension: str, key: str, part: spend_sql.Portion) -> Spend:
    """Exact sums in `span`: whole hours from the totals of `dimension` and `key`, the edges from the requests of
    `part`, which must be just what those totals sum."""
    hours, edges = span.cut(HOUR)
    summed = [] if hours is None else totals(connection, dimension, hours)
    seconds: list[Span] = []
    for edge in edges:
        minutes, rest = edge.cut(MINUTE) if dimension == ALL else (None, (edge,))
        if minutes is not None:
            summed.append(Totals(table_of(TotalTable), MINUTES, minutes))
        seconds += rest
    found = fixed_sums.of_key(connection, summed, key)
    if part is spend_sql.spent():
        found += fixed_sums.of_requests(connection, seconds)
    elif seconds:
        found += connection.execute(union_all(*(_requests(each, part) for each in seconds))).all()
    return reduce(add, map(spend_sql.to_spend, found), Spend.nothing())


def shadow_spend(connection: Connection, since: int | None, until: int | None) -> Spend:
    """Exact sums over the requests of shadow tokens: what they would add to `spend` if they counted."""
    return _beside(connection, Span(since, until), SHADOW, spend_sql.of_requests(), not_(spend_sql.is_plan()))


def plan_spend(connection: Connection, since: int | None, until: int | None) -> Spend:
    """Exact sums over the calls under a plan: the cost is what they would have cost, and is nobody's spend."""
    return _beside(connection, Span(since, until), PLAN, spend_sql.of_plan(), spend_sql.is_plan())


def _beside(
    connection: Connection, span: Span, dimension: str, columns: Sequence[Any], condition: ColumnElement[bool]
) -> Spend:
    """Sums over requests that count in no total of spend, but in this dimension, and meet this condition."""
    request = table_of(RequestTable)
    hours, edges = span.cut(HOUR)
    found = fixed_sums.of_all_keys(connection, [] if hours is None else totals(connection, dimension, hours))
    if edges:
        uncounted = (request.c.counted.is_(False), condition)
        parts = (select(*columns).where(*uncounted, edge.holds(request.c.occurred_at)) for edge in edges)
        found += connection.execute(union_all(*parts)).all()
    return reduce(add, map(spend_sql.to_spend, found), Spend.nothing())


def by_key(connection: Connection, dimension: str, since: int | None, until: int | None, most: int) -> Breakdown:
    """Exact spend of the `most` (at least 1) largest keys by cost, then by requests, and of all others together."""
    if dimension == FAMILY:
        return _by_family(_by_key(connection, "model", since, until, None), most)
    return _by_key(connection, dimension, since, until, most)


def _by_key(
    connection: Connection, dimension: str, since: int | None, until: int | None, most: int | None
) -> Breakdown:
    """`most` None is all keys."""
    request = table_of(RequestTable)
    hours, edges = Span(since, until).cut(HOUR)
    parts: list[Select[Any]] = []
    if hours is not None:
        for part in totals_of_keys(connection, dimension, hours):
            parts.append(_sums(part).add_columns(part.grouping.label("key_")).group_by("key_"))
    column = request.c[COLUMNS[dimension]]
    key = func.coalesce(column, "")
    for edge in edges:
        at_edge = _requests(edge, spend_sql.spent()).add_columns(key.label("key_")).group_by("key_")
        parts.append(at_edge.where(column.is_not(None)) if dimension in ONLY_WHERE_SET else at_edge)
    if not parts:
        return Breakdown((), Spend.nothing(), 0)
    sums = connection.execute(_largest(parts, most)).all()
    names = token_names(connection) if dimension == "token" else None
    rows = tuple(
        KeySpend(
            Untrusted(row.key_),
            spend_sql.to_spend(row),
            None if names is None else Untrusted(names.get(row.key_, row.key_)),
        )
        for row in sums
    )
    if not rows:
        return Breakdown((), Spend.nothing(), 0)
    everything = spend_sql.to_spend(sums[0][len(spend_sql.NAMES) : 2 * len(spend_sql.NAMES)])
    shown = reduce(add, (row.spend for row in rows))
    return Breakdown(rows, everything - shown, int(sums[0].distinct_keys) - len(rows))


def _by_family(models: Breakdown, most: int) -> Breakdown:
    """Of all models: many small ones can be the largest family."""
    spent: defaultdict[str, Spend] = defaultdict(Spend.nothing)
    for model in models.rows:
        spent[family(model.key.raw)] += model.spend
    rows = sorted(
        (KeySpend(Untrusted(name), spend) for name, spend in spent.items()),
        key=lambda row: (-row.spend.cost.nano, -row.spend.requests, row.key.raw),
    )
    others = reduce(add, (row.spend for row in rows[most:]), Spend.nothing())
    return Breakdown(tuple(rows[:most]), others, len(rows[most:]))


def of_family(connection: Connection, name: str, since: int | None, until: int | None) -> tuple[KeySpend, ...]:
    """Exact spend of each model of a family, the costliest first."""
    models = _by_key(connection, "model", since, until, None).rows
    return tuple(model for model in models if family(model.key.raw) == name)


def per_bucket(connection: Connection, since: int | None, until: int | None, step: int) -> tuple[Bucket, ...]:
    """Spend per `step` (µs, a multiple of a minute) in time order, without the empty ones.

    Buckets begin at `since`, taken down to its minute, and at every step after it; the last minute counts as a whole.
    """
    anchor = 0 if since is None else since // MINUTE * MINUTE
    span = Span(None if since is None else anchor, until)
    whole_hours = anchor % HOUR == 0 and step % HOUR == 0 and (until is None or until % HOUR == 0)
    if whole_hours and anchor % DAY == 0 and step % DAY == 0:
        parts = totals(connection, ALL, span)
    else:
        parts = [Totals(table_of(TotalTable), ALL if whole_hours else MINUTES, span)]
    buckets: dict[int, Spend] = {}
    for part in parts:
        start = part.bucket - (part.bucket - anchor) % step
        for row in connection.execute(_sums(part).add_columns(start.label("start")).group_by("start")):
            begin = int(row.start)
            buckets[begin] = buckets.get(begin, Spend.nothing()) + spend_sql.to_spend(row)
    return tuple(Bucket(start, buckets[start]) for start in sorted(buckets))


def scope(dimension: str, key: str) -> ColumnElement[bool]:
    """The condition on `request` that selects what the totals of `dimension` and `key` sum."""
    if dimension == ALL:
        return true()
    column = table_of(RequestTable).c[COLUMNS[dimension]]
    if key or dimension in ONLY_WHERE_SET:
        # The indexes hold the lower case, for filters; the key itself is exact. Were the plain column compared, SQLite
        # would put the key in its place in the other term too, and then find no index for that.
        return and_(func.lower(column) == func.lower(key), func.coalesce(column, "") == key)
    return or_(column.is_(None), column == "")


def _sums(part: Totals) -> Select[Any]:
    return select(*spend_sql.of_totals(part.table)).where(part.holds)


def _requests(span: Span, part: spend_sql.Portion) -> Select[Any]:
    return select(*part.columns).where(part.condition, span.holds(table_of(RequestTable).c.occurred_at))


def _largest(parts: list[Select[Any]], most: int | None) -> Select[Any]:
    """The largest keys over all parts; every row also holds the sums over all keys, and how many there are."""
    part = union_all(*parts).subquery()
    per_key = (
        select(*(func.sum(part.c[name]).label(name) for name in spend_sql.NAMES), part.c.key_)
        .group_by(part.c.key_)
        .having(func.sum(part.c.requests) > 0)
        .subquery()
    )
    return (
        select(
            *(per_key.c[name] for name in spend_sql.NAMES),
            *(func.sum(per_key.c[name]).over().label("all_" + name) for name in spend_sql.NAMES),
            func.count().over().label("distinct_keys"),
            per_key.c.key_,
        )
        .order_by(per_key.c.cost_nano.desc(), per_key.c.requests.desc(), per_key.c.key_)
        .limit(most)
    )


Keys = tuple[str, ...]
"""Raw keys, one of each dimension; empty where requests name none."""


def by_keys(
    connection: Connection, dimensions: Sequence[str], span: Span, part: spend_sql.Portion | None = None
) -> dict[Keys, Spend]:
    """Exact spend in `span` for each combination of keys, or the sums of another part of the requests; with the
    dimension of errors, of the requests that ended with one or were cancelled. Ask for some hours at a time: this reads
    every request of them."""
    request, part = table_of(RequestTable), part or spend_sql.spent()
    labels = [f"key_{number}" for number in range(len(dimensions))]
    columns = [_column(dimension, connection).label(label) for dimension, label in zip(dimensions, labels, strict=True)]
    statement = (
        select(*part.columns, *columns).where(part.condition, span.holds(request.c.occurred_at)).group_by(*labels)
    )
    if ERROR in dimensions:
        statement = statement.where(request.c.status != Status.OK.value)
    names = [family if dimension == FAMILY else str for dimension in dimensions]
    spent: defaultdict[Keys, Spend] = defaultdict(Spend.nothing)
    for row in connection.execute(statement):
        keys = row[len(spend_sql.NAMES) :]
        spent[tuple(name(key) for name, key in zip(names, keys, strict=True))] += spend_sql.to_spend(row)
    return spent


def _column(dimension: str, connection: Connection) -> ColumnElement[str]:
    request = table_of(RequestTable)
    if dimension.startswith(PROPERTY):
        return property_value(request.c.properties, dimension.removeprefix(PROPERTY), connection)
    if dimension == ERROR:
        return case(
            (request.c.status == Status.CANCELLED.value, Status.CANCELLED.value),
            else_=func.coalesce(cast(request.c.http_status, Text), Status.ERROR.value),
        )
    return func.coalesce(request.c["model" if dimension == FAMILY else COLUMNS[dimension]], "")


def oldest_hour(connection: Connection) -> int | None:
    """The hour of the oldest counted request or call under a plan (UTC µs), or None in an empty store."""
    total = table_of(TotalTable)
    oldest = connection.execute(select(func.min(total.c.bucket)).where(total.c.dimension.in_((ALL, PLAN)))).scalar()
    return None if oldest is None else int(oldest)


def is_known_user(connection: Connection, user: str) -> bool:
    """Whether anything was ever recorded of this user, also what is purged by now."""
    request, total = table_of(RequestTable), table_of(TotalTable)
    counted = select(total.c.bucket).where(total.c.dimension == "user", total.c.key == user).limit(1)
    stored = select(request.c.id).where(scope("user", user)).limit(1)
    return any(connection.execute(statement).first() is not None for statement in (counted, stored))
