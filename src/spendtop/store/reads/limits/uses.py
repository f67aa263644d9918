"""How much of each limit is used.

Totals of whole hours are kept for every limit: those of its `each` dimension, or its own when it has a `where` or a
`reserve` or is one of families. The hours at the ends of its window are read from the requests themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    select,
    true,
    union_all,
)

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.limits.limit import Each, Limit, LimitState
from spendtop.domain.limits.raises import Raise, Raises
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Bounds, Calendar, WindowKind, widest
from spendtop.store.fixed_select import FixedSelect
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.whose import whose, windows_of
from spendtop.store.reads.requests.filter_sql import condition
from spendtop.store.reads.requests.model_families import is_one_of, names_of
from spendtop.store.reads.rows import RequestRow, from_row, selected
from spendtop.store.reads.spending import fixed_sums
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import Portion, measured
from spendtop.store.reads.spending.sums import scope, scoped_spend
from spendtop.store.reads.spending.totals import Totals, totals_of_keys
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

Ceiling = Callable[[RequestRow], Usd]
"""The most that a request of unknown cost can have cost, at the price of a limit's `reserve`."""
RECENT = 31 * DAY
"""Entities of a window without a beginning are listed when they spent within this time, in µs."""
REQUEST_SPAN = HOUR
"""A limit on single requests shows the costliest of this time, in µs."""


class Use(NamedTuple):
    """What counts against a limit, and how many requests of it have no known cost."""

    used: Usd
    unpriced: int


class LimitUse(Struct, frozen=True):
    """One limit for one entity as it stands."""

    limit: Limit
    """With the amount that holds for the entity now, as it may be raised."""
    entity: Untrusted
    """Empty for everyone."""
    name: Untrusted
    """What people read for the entity."""
    starts_at: int | None
    ends_at: int | None
    used: Usd
    """Of a limit on single requests: the cost of the costliest one of the last hour."""
    unpriced: int
    state: LimitState
    fraction: float
    """Use as a share of the amount."""
    raises: tuple[Raise, ...] = ()
    """What the amount is raised by, the oldest first."""

    @property
    def raised_until(self) -> int | None:
        """When the first of its raises ends, UTC µs; None where it is not raised."""
        return min((one.until for one in self.raises), default=None)

    @property
    def percent(self) -> str:
        """The same for people."""
        return self.limit.percent(self.used)


def use(connection: Connection, limit: Limit, entity: str, bounds: Bounds, ceiling: Ceiling | None = None) -> Use:
    """Exact use of `limit` by `entity` ("" for everyone) within `bounds`.

    With a `reserve`, `ceiling` prices the unpriced requests at the ends of the window, as the totals have it for the
    rest; without it they count as a number only.
    """
    span = Span(bounds.start_us, bounds.end_us)
    _, edges = span.cut(HOUR)
    part = counted_for(connection, limit, entity, edges)
    spend = scoped_spend(connection, span, limit.dimension, entity, part)
    if limit.reserve is None or ceiling is None or not spend.unpriced:
        return Use(spend.cost, spend.unpriced)
    reserved = [ceiling(row) for edge in edges for row in _unpriced(connection, edge, part)]
    return Use(sum(reserved, spend.cost), spend.unpriced)


def uses(
    connection: Connection,
    limits: Sequence[Limit],
    calendar: Calendar,
    now: int,
    entities_per_limit: int = 20,
    ceilings: Mapping[str, Ceiling] | None = None,
) -> tuple[LimitUse, ...]:
    """Every limit as it stands now, the fullest first; of an `each` limit the entities that spend most.

    `ceilings` is by name of limit, for those with a `reserve`.
    """
    standing: list[LimitUse] = []
    raises = raises_in_force(connection, now)
    names = token_names(connection) if any(limit.each is Each.TOKEN for limit in limits) else {}
    for limit in limits:
        ceiling = ceilings.get(limit.name) if ceilings else None
        if limit.window.kind is WindowKind.REQUEST:
            standing.append(costliest_request(connection, limit, now, ceiling, raises))
            continue
        span = widest(limit.window, now, calendar)
        entities = largest_entities(connection, limit, span, now, entities_per_limit) if limit.each else [""]
        standing += (
            stands(
                limit,
                entity,
                names.get(entity, entity) if limit.each is Each.TOKEN else entity,
                window,
                use(connection, limit, entity, window, ceiling),
                raises,
            )
            for entity, window in windows_of(connection, limit, entities, now, calendar).items()
        )
    return tuple(fullest_first(standing))


def fullest_first(uses: Iterable[LimitUse]) -> list[LimitUse]:
    """In the order in which every face lists limits."""
    return sorted(uses, key=lambda each: (-each.fraction, each.limit.name, each.entity.raw))


def stands(limit: Limit, entity: str, name: str, window: Bounds, now_used: Use, raises: Raises) -> LimitUse:
    """A limit with its use; `name` is what people read for the entity."""
    limit, held = raises.raised(limit, entity), raises.of(limit, entity)
    return LimitUse(
        limit,
        Untrusted(entity),
        Untrusted(name),
        window.start_us,
        window.end_us,
        now_used.used,
        now_used.unpriced,
        limit.state(now_used.used),
        limit.fraction(now_used.used),
        held,
    )


def counted_for(connection: Connection, limit: Limit, entity: str, spans: Sequence[Span]) -> Portion:
    """Which requests within `spans` count against the limit of this entity, and with what."""
    return summed(connection, limit).where(_of_entity(connection, limit, entity, spans))


def _of_entity(connection: Connection, limit: Limit, entity: str, spans: Sequence[Span]) -> ColumnElement[bool]:
    match limit.each:
        case None:
            return true()
        case Each.MODEL_FAMILY:
            return is_one_of(connection, names_of(connection, [entity], spans))
        case Each.AGENT:
            return whose(connection, limit) == entity
    return scope(limit.each.value, entity)


def summed(connection: Connection, limit: Limit) -> Portion:
    """What the limit sums, of whomever: requests of its measure within its `where`."""
    part = measured(limit.measure)
    if limit.where is None:
        return part
    # The fields that a limit can name do not depend on the time.
    return part.where(condition(limit.where, FilterContext(0, Calendar()), connection))


def _unpriced(connection: Connection, span: Span, part: Portion) -> list[RequestRow]:
    at = table_of(RequestTable).c.occurred_at
    statement = select(*selected()).where(part.condition, part.is_unpriced, span.holds(at))
    return [from_row(row) for row in connection.execute(statement)]


def largest_entities(connection: Connection, limit: Limit, window: Bounds, now: int, most: int) -> list[str]:
    """Those that spend most in the window by whole hours."""
    parts = _whole_hours(connection, limit, window, now)
    rows = _largest(fixed_sums.shapes(parts)).tuples(connection, {**fixed_sums.values(parts), "most": most})
    return [key for (key,) in rows]


def entity_count(connection: Connection, limit: Limit, window: Bounds, now: int) -> int:
    """How many spent in the window by whole hours."""
    parts = _whole_hours(connection, limit, window, now)
    return int(_count(fixed_sums.shapes(parts)).tuples(connection, fixed_sums.values(parts))[0][0])


def _whole_hours(connection: Connection, limit: Limit, window: Bounds, now: int) -> list[Totals]:
    since = now - RECENT if window.start_us is None else window.start_us
    return totals_of_keys(connection, limit.dimension, Span(since, window.end_us).widened(HOUR))


def reaching(connection: Connection, limit: Limit, window: Bounds, now: int, nano: int) -> Select[tuple[str]]:
    """A query for the entities whose use may be as much or more, in nano-USD, by whole hours alone; of a window
    without a beginning for those that spent lately."""
    since = now - RECENT if window.start_us is None else window.start_us
    parts = totals_of_keys(connection, limit.dimension, Span(window.start_us, window.end_us).widened(HOUR))
    each = union_all(
        *(
            select(part.table.c.key, part.bucket, part.table.c.cost_nano).where(
                part.holds, true() if limit.each is None else part.key != ""
            )
            for part in parts
        )
    ).subquery()
    is_recent, reaches = func.max(each.c.bucket) >= since // DAY * DAY, func.sum(each.c.cost_nano) >= nano
    return select(each.c.key).group_by(each.c.key).having(and_(is_recent, reaches))


@cache
def _largest(parts: tuple[Totals, ...]) -> FixedSelect:
    each = _costs(parts).subquery()
    in_order = select(each.c.key).group_by(each.c.key).order_by(func.sum(each.c.cost_nano).desc(), each.c.key)
    return FixedSelect(in_order.limit(bindparam("most")))


@cache
def _count(parts: tuple[Totals, ...]) -> FixedSelect:
    return FixedSelect(select(func.count(_costs(parts).subquery().c.key.distinct())))


def _costs(parts: tuple[Totals, ...]) -> CompoundSelect[Any]:
    rows = (
        select(part.grouping.label("key"), part.table.c.cost_nano).where(part.holds, part.key != "") for part in parts
    )
    return union_all(*rows)


def costliest_request(
    connection: Connection, limit: Limit, now: int, ceiling: Ceiling | None, raises: Raises
) -> LimitUse:
    """A limit on single requests, by the costliest of the last hour."""
    part, window = summed(connection, limit), Bounds(now - REQUEST_SPAN, None)
    statement = select(func.max(part.cost), func.sum(case((part.is_unpriced, 1), else_=0))).where(
        part.condition, Span(window.start_us, None).holds(table_of(RequestTable).c.occurred_at)
    )
    nano, unpriced = connection.execute(statement).one()
    costs = [Usd(nano or 0)]
    if unpriced and limit.reserve is not None and ceiling is not None:
        span = Span(window.start_us, None)
        costs += [ceiling(row) for row in _unpriced(connection, span, part)]
    return stands(limit, "", "", window, Use(max(costs), int(unpriced or 0)), raises)
