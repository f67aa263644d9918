"""Sessions: the list, what one cost by model, and its requests in time order."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import partial, reduce
from operator import add
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, case, exists, func, or_, select, tuple_

from spendtop.domain.clock import MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.requests.fields import FIELDS
from spendtop.domain.requests.request import Basis, BodyState, Reporter, Status
from spendtop.domain.sources.records import HELICONE, HELICONE_API
from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, conditions, refuse_unsearchable
from spendtop.store.reads.rows import Spend, outside
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span, in_slices
from spendtop.store.reads.spending.sums import scope
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_SUMMED_AT_ONCE = 50
_HELICONE = (HELICONE_API.name, HELICONE.name)
_REPORTED_COST = str(next(place for place, field in enumerate(FIELDS) if field.name == "reported_cost"))
"""Sessions whose requests one transaction reads."""

Position = tuple[int, int]
"""Time (UTC µs) and id of a request."""


_ACTIVE_FOR = 5 * MINUTE
"""A session is running for so long after its last request."""


class SessionState(StrEnum):
    """How a session stands."""

    LOOP = "loop"
    """It looks like one."""
    FAILED = "failed"
    """Its last request ended with an error."""
    RUNNING = "running"
    IDLE = "idle"


class SessionRow(Struct, frozen=True):
    """One session: of its requests that a query selects, the first and last time (UTC µs), spend, models and users."""

    session: Untrusted
    first_at: int
    last_at: int
    spend: Spend
    """Without requests of shadow tokens, which are not counted."""
    plan: Spend
    """Of calls under a plan, at what they would have cost: no spend."""
    models: tuple[Untrusted, ...]
    users: tuple[Untrusted, ...]
    last_error_at: int | None
    """When a request ended with an error last (UTC µs)."""

    def is_active(self, now: int) -> bool:
        """Whether its last request is only minutes old."""
        return now - self.last_at < _ACTIVE_FOR

    def state(self, now: int, looping: AbstractSet[str]) -> SessionState:
        """`looping` are the ids of those that look like loops."""
        if self.session.raw in looping:
            return SessionState.LOOP
        if self.last_error_at == self.last_at:
            return SessionState.FAILED
        return SessionState.RUNNING if self.is_active(now) else SessionState.IDLE


class SessionPage(Struct, frozen=True):
    """Some sessions, and where the next ones begin."""

    rows: tuple[SessionRow, ...]
    next_cursor: str | None


class SessionCosts(Struct, frozen=True):
    """What a session cost by model, None where requests name none, the costliest first."""

    by_model: tuple[tuple[Untrusted | None, Spend], ...]
    by_helicone: int
    """Counted requests whose cost Helicone itself gave."""
    plan: tuple[tuple[Untrusted | None, Spend], ...] = ()
    """What calls under a plan would have cost, likewise: no spend."""

    @property
    def under_plan(self) -> Spend:
        """Of all models together."""
        return reduce(add, (spend for _, spend in self.plan), Spend.nothing())

    @property
    def is_plan(self) -> bool:
        """Whether all of it was under a plan."""
        return bool(self.plan) and not self.by_model

    @property
    def all_by_helicone(self) -> bool:
        """Whether it gave every counted cost, and there is one."""
        return 0 < self.whole.requests - self.whole.unpriced == self.by_helicone

    @property
    def whole(self) -> Spend:
        """All models together."""
        return reduce(add, (spend for _, spend in self.by_model), Spend.nothing())


class _SessionCursor(msgspec.Struct, frozen=True, array_like=True):
    """The last session of a page."""

    last_at: int
    session: str

    def write(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _SessionCursor:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return msgspec.json.decode(raw, type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise UsageError("This cursor is not one that a list returned. Start again without a cursor.") from None


def sessions(store: Store, query: RequestQuery, context: FilterContext, cursor: str | None, size: int) -> SessionPage:
    """The `size` sessions after `cursor` that have requests which `query` selects, those with the newest ones first.

    Reads slices of time backwards until there are enough, each in a transaction of its own.
    Raises UsageError for a cursor that is not from this list, and for what the database cannot search.
    """
    after = _SessionCursor.read(cursor) if cursor else None
    until = query.until
    if after is not None:
        until = after.last_at + 1 if until is None else min(until, after.last_at + 1)
    with store.reading() as connection:
        refuse_unsearchable(connection, query)
    ending = partial(_ending_in, query=query, context=context, after=after, most=size + 1)
    positions: list[_SessionCursor] = []
    for ends in in_slices(store, Span(query.since, until), ending):
        positions += ends
        if len(positions) > size:
            break
    rows: list[SessionRow] = []
    for start in range(0, min(size, len(positions)), _SUMMED_AT_ONCE):
        part = positions[start : min(start + _SUMMED_AT_ONCE, size)]
        with store.reading() as connection:
            rows += _rows(connection, [each.session for each in part], query, context)
    return SessionPage(tuple(rows), positions[size - 1].write() if len(positions) > size else None)


def session_costs(store: Store, session: str) -> SessionCosts | None:
    """What a session cost; None for one that no request names."""
    request = table_of(RequestTable)
    with store.reading() as connection:
        span = extent_of(connection, session)
    if span is None:
        return None
    by_model: defaultdict[str | None, Spend] = defaultdict(Spend.nothing)
    under_plan: defaultdict[str | None, Spend] = defaultdict(Spend.nothing)
    by_helicone = 0

    def read(connection: Connection, part: Span) -> tuple[int, _ModelSpends, _ModelSpends]:
        here = scope("session", session), part.holds(request.c.occurred_at)

        def models(share: spend_sql.Portion) -> _ModelSpends:
            statement = select(*share.columns, request.c.model).where(*here, share.condition)
            rows = connection.execute(statement.group_by(request.c.model))
            return [(row.model, spend_sql.to_spend(row)) for row in rows]

        by_helicone = _helicone_costs(connection, (*here, request.c.counted.is_(True)))
        return by_helicone, models(spend_sql.spent()), models(spend_sql.under_plan())

    for costs, spends, plans in in_slices(store, span, read):
        by_helicone += costs
        for model, spend in spends:
            by_model[model] += spend
        for model, plan in plans:
            under_plan[model] += plan
    return SessionCosts(_ordered(by_model), by_helicone, _ordered(under_plan))


_ModelSpends: TypeAlias = Sequence[tuple[str | None, Spend]]


def _ordered(by_model: Mapping[str | None, Spend]) -> tuple[tuple[Untrusted | None, Spend], ...]:
    ordered = sorted(by_model.items(), key=lambda item: (-item[1].cost.nano, -item[1].requests, item[0] or ""))
    return tuple((outside(model), spend) for model, spend in ordered)


def _helicone_costs(connection: Connection, here: Sequence[ColumnElement[bool]]) -> int:
    """How many costs Helicone itself gave, and not another source, the provider's answer, a price list or a hook."""
    request = table_of(RequestTable)
    statement = (
        select(request.c.source, request.c.cached, request.c.given_by, func.count().label("requests"))
        .where(
            *here,
            request.c.basis == Basis.REPORTED.value,
            or_(request.c.cached, request.c.reported_by.is_(None), request.c.reported_by == Reporter.GATEWAY.value),
        )
        .group_by(request.c.source, request.c.cached, request.c.given_by)
    )
    return sum(int(row.requests) for row in connection.execute(statement) if _is_by_helicone(row))


def _is_by_helicone(row: Row[Any]) -> bool:
    """By what each source states otherwise than all together, as `given_by` has it; older rows have the source that
    gave a field, where that is not the most trusted one."""
    if row.given_by is None or row.cached:
        return row.source in _HELICONE
    given = msgspec.json.decode(row.given_by)
    if not all(isinstance(each, dict) for each in given.values()):
        return given.get("reported_cost", row.source) in _HELICONE
    return any(name in given and _REPORTED_COST not in given[name] for name in _HELICONE)


def positions_in(connection: Connection, session: str, after: Position | None, most: int) -> list[Position]:
    """Time and id of the session's requests, of all tokens, in time order from behind `after` on."""
    request = table_of(RequestTable)
    position = request.c.occurred_at, request.c.id
    statement = select(*position).where(scope("session", session)).order_by(*position).limit(most)
    if after is not None:
        statement = statement.where(tuple_(*position) > after)
    return [(int(row.occurred_at), int(row.id)) for row in connection.execute(statement)]


def extent_of(connection: Connection, session: str) -> Span | None:
    """From a session's first request to behind its last one; None for one that no request names."""
    at = table_of(RequestTable).c.occurred_at
    first, last = connection.execute(select(func.min(at), func.max(at)).where(scope("session", session))).one()
    return None if first is None else Span(int(first), int(last) + 1)


def without_body(connection: Connection, session: str) -> list[int]:
    """The session's requests, of all tokens, whose prompt and response are not stored and may be elsewhere."""
    request = table_of(RequestTable)
    gone = BodyState.STORED.value, BodyState.PURGED.value
    lacking = select(request.c.id).where(scope("session", session), request.c.body_state.not_in(gone))
    return [int(request_id) for request_id in connection.execute(lacking.order_by(request.c.id)).scalars()]


def _ending_in(
    connection: Connection,
    part: Span,
    *,
    query: RequestQuery,
    context: FilterContext,
    after: _SessionCursor | None,
    most: int,
) -> list[_SessionCursor]:
    """Sessions whose last request that the query selects lies in `part`, newest first."""
    request = table_of(RequestTable)
    selected = conditions(query, context, connection)
    last_at = func.max(request.c.occurred_at).label("last_at")
    sessions = (
        select(request.c.session_id, last_at)
        .where(request.c.session_id.is_not(None), part.holds(request.c.occurred_at), *selected)
        .group_by(request.c.session_id)
        .subquery()
    )
    goes_on = exists(
        select(request.c.id).where(
            *_is_session(sessions.c.session_id), Span(part.until, None).holds(request.c.occurred_at), *selected
        )
    )
    order = sessions.c.last_at, sessions.c.session_id
    statement = select(*order).where(~goes_on).order_by(*(column.desc() for column in order)).limit(most)
    if after is not None:
        statement = statement.where(tuple_(*order) < (after.last_at, after.session))
    return [_SessionCursor(int(row.last_at), row.session_id) for row in connection.execute(statement)]


def _rows(
    connection: Connection, names: Sequence[str], query: RequestQuery, context: FilterContext
) -> list[SessionRow]:
    """These sessions, in this order."""
    request = table_of(RequestTable)
    key = request.c.session_id, request.c.model, request.c.user_id, request.c.counted, request.c.basis
    failed_at = case((request.c.status == Status.ERROR.value, request.c.occurred_at))
    lowered = func.lower(request.c.session_id).in_([func.lower(name) for name in names])
    statement = (
        select(
            *spend_sql.of_all(),
            *key,
            func.min(request.c.occurred_at).label("first_at"),
            func.max(request.c.occurred_at).label("last_at"),
            func.max(failed_at).label("last_error_at"),
        )
        .where(lowered, request.c.session_id.in_(names), *conditions(query, context, connection))
        .group_by(*key)
        .order_by(request.c.model, request.c.user_id)
    )
    parts: defaultdict[str, list[SessionRow]] = defaultdict(list)
    for row in connection.execute(statement):
        spend, is_plan = spend_sql.to_spend(row), not row.counted and row.basis == Basis.PLAN.value
        part = SessionRow(
            session=Untrusted(row.session_id),
            first_at=int(row.first_at),
            last_at=int(row.last_at),
            spend=spend if row.counted else Spend.nothing(),
            plan=spend if is_plan else Spend.nothing(),
            models=() if row.model is None else (Untrusted(row.model),),
            users=() if row.user_id is None else (Untrusted(row.user_id),),
            last_error_at=None if row.last_error_at is None else int(row.last_error_at),
        )
        parts[row.session_id].append(part)
    return [reduce(_together, parts[name]) for name in names if name in parts]


def _together(one: SessionRow, other: SessionRow) -> SessionRow:
    errors_at = [each.last_error_at for each in (one, other) if each.last_error_at is not None]
    return SessionRow(
        session=one.session,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        spend=one.spend + other.spend,
        plan=one.plan + other.plan,
        models=tuple(dict.fromkeys([*one.models, *other.models])),
        users=tuple(dict.fromkeys([*one.users, *other.users])),
        last_error_at=max(errors_at, default=None),
    )


def _is_session(name: ColumnElement[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    request = table_of(RequestTable)
    return func.lower(request.c.session_id) == func.lower(name), request.c.session_id == name
