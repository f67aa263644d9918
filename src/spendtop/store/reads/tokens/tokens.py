"""Tracking tokens, and how much each was used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TokenTable, TotalTable

_TOKENS_AT_ONCE = 500
_DIMENSIONS = ("token", "shadow")
"""Of `total`: requests by token, those that count and those of shadow tokens."""


class Token(Struct, frozen=True, kw_only=True):
    """One tracking token as stored."""

    id: int
    token: str
    """What clients send."""
    name: str
    """What people call it."""
    active: bool
    shadow: bool
    """Its requests are stored and shown, not counted, as another source counts them already."""
    created_at: int


class TokenUse(Struct, frozen=True):
    """A token, how many requests of it are kept, and when the latest of them happened (UTC µs)."""

    token: Token
    requests: int
    last_used_at: int | None


def tokens(connection: Connection) -> list[Token]:
    """All tokens, the oldest first."""
    table = table_of(TokenTable)
    rows = connection.execute(select(table).order_by(table.c.id))
    return [Token(**{name: getattr(row, name) for name in Token.__struct_fields__}) for row in rows]


def token_uses(connection: Connection) -> tuple[TokenUse, ...]:
    """All tokens with their use, the oldest first."""
    every = tokens(connection)
    return _uses(connection, every)


def use_of(connection: Connection, token: Token) -> TokenUse:
    return _uses(connection, [token])[0]


def _uses(connection: Connection, tokens: Sequence[Token]) -> tuple[TokenUse, ...]:
    values = [each.token for each in tokens]
    totals: dict[str, tuple[int, int]] = {}
    for start in range(0, len(values), _TOKENS_AT_ONCE):
        totals |= _totals(connection, values[start : start + _TOKENS_AT_ONCE])
    latest = _latest(connection, {value: hour for value, (_, hour) in totals.items()})
    return tuple(TokenUse(each, totals.get(each.token, (0, 0))[0], latest.get(each.token)) for each in tokens)


def _totals(connection: Connection, values: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Requests and the latest hour with any, by token."""
    total = table_of(TotalTable)
    per_hour = (
        select(total.c.key, total.c.bucket, func.sum(total.c.requests).label("requests"))
        .where(total.c.dimension.in_(_DIMENSIONS), total.c.key.in_(values))
        .group_by(total.c.key, total.c.bucket)
        .having(func.sum(total.c.requests) > 0)
        .subquery()
    )
    statement = select(per_hour.c.key, func.sum(per_hour.c.requests), func.max(per_hour.c.bucket))
    rows = connection.execute(statement.group_by(per_hour.c.key))
    return {key: (int(requests), int(hour)) for key, requests, hour in rows}


def _latest(connection: Connection, hours: Mapping[str, int]) -> dict[str, int]:
    """The exact instant of the latest request by token, given the hour in which it happened."""
    request = table_of(RequestTable)
    by_hour: defaultdict[int, list[str]] = defaultdict(list)
    for value, hour in hours.items():
        by_hour[hour].append(value)
    latest = dict(hours)  # of requests that retention took, the hour is known still
    for hour, values in by_hour.items():
        for start in range(0, len(values), _TOKENS_AT_ONCE):
            some = values[start : start + _TOKENS_AT_ONCE]
            statement = (
                select(request.c.token, func.max(request.c.occurred_at))
                .where(request.c.occurred_at >= hour, request.c.occurred_at < hour + HOUR, request.c.token.in_(some))
                .group_by(request.c.token)
            )
            latest.update((value, int(at)) for value, at in connection.execute(statement))
    return latest
