"""How the use of a limit came about within its window, as points of a curve."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, WindowKind
from spendtop.store.reads.limits.uses import RECENT, counted_for
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, MINUTES
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_BY_HOUR_FROM = DAY
"""Curves over longer spans have a point for every hour, others for every minute."""


class CurvePoint(NamedTuple):
    """What counted against the limit at an instant."""

    at: int
    """UTC µs."""
    used: Usd


def curve(
    connection: Connection, limit: Limit, entity: str, window: Bounds, used: Usd, now: int
) -> tuple[CurvePoint, ...]:
    """The use of a limit that sums requests, from the beginning of its window up to `used` at `now` (UTC µs).

    A calendar window fills from nothing. Of a rolling one every point is what its own last N held; of a session or a
    lifetime the last 31 days are shown. Points lie on whole minutes, of long windows on whole hours.
    """
    length = limit.window.length_us or 0
    since = now - RECENT if window.start_us is None else window.start_us
    step = HOUR if now - since + length > _BY_HOUR_FROM else MINUTE
    span = Span((since - length) // step * step, now)
    buckets = dict(_buckets(connection, limit, entity, span, step))
    starts = range(span.since or 0, now, step)
    sums = [0, *accumulate(buckets.get(start, 0) for start in starts)]
    """Of the buckets before each start."""
    behind = length // step
    if limit.window.kind is WindowKind.ROLLING:
        points = [(at, sums[place] - sums[place - behind]) for place, at in enumerate(starts) if place >= behind]
    else:  # what was used before the span stays used
        before = used.nano - sums[-1]
        points = [(at, before + spent) for at, spent in zip(starts, sums, strict=False)]
    return (*(CurvePoint(at, Usd(max(nano, 0))) for at, nano in points if at >= since), CurvePoint(now, used))


def _buckets(connection: Connection, limit: Limit, entity: str, span: Span, step: int) -> Iterator[tuple[int, int]]:
    """Nano-USD by the begin of their bucket."""
    if step == HOUR or limit.dimension == ALL:
        dimension = limit.dimension if step == HOUR else MINUTES
        total = table_of(TotalTable)
        statement = (
            select(total.c.bucket, func.sum(total.c.cost_nano))
            .where(total.c.dimension == dimension, total.c.key == entity, span.holds(total.c.bucket))
            .group_by(total.c.bucket)
        )
    else:
        at, part = table_of(RequestTable).c.occurred_at, counted_for(connection, limit, entity, [span])
        statement = (
            select((at - at % step).label("begin"), func.coalesce(func.sum(part.cost), 0))
            .where(part.condition, span.holds(at))
            .group_by("begin")
        )
    for at, nano in connection.execute(statement):
        yield int(at), int(nano)
