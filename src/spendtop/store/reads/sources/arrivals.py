"""When something of each source arrived last."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.sources.records import SOURCES, AgentSource, Source
from spendtop.store.reads.agents.plan_use import plan_by_key, plan_calls
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import PLAN, by_key
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable, RequestTable, TotalTable


@dataclass(frozen=True, slots=True)
class SourceActivity:
    """When a source was heard last (its newest request's arrival), and how many requests it reported today."""

    source: str
    last_at: int
    requests_today: int


def last_arrivals(connection: Connection, today_starts_at: int) -> tuple[SourceActivity, ...]:
    """Every source that ever reported a counted request or a call under a plan, the last heard first."""
    counted = by_key(connection, "source", today_starts_at, None, 99).rows
    under_plan = plan_by_key(connection, "source", Span(today_starts_at, None)) if plan_calls(connection) else ()
    today = Counter[str]()
    for row in (*counted, *under_plan):
        today[row.key.raw] += row.spend.requests
    heard = [(source.name, _last_arrival(connection, source)) for source in SOURCES.values()]
    activities = [SourceActivity(name, at, today[name]) for name, at in heard if at is not None]
    return tuple(sorted(activities, key=lambda activity: -activity.last_at))


def _last_arrival(connection: Connection, source: Source) -> int | None:
    """The latest arrival among the requests of the source's newest hour; of an agent's files when the call was made."""
    total, request = table_of(TotalTable), table_of(RequestTable)
    newest = connection.execute(
        select(func.max(total.c.bucket)).where(total.c.dimension.in_(("source", PLAN)), total.c.key == source.name)
    ).scalar()
    if newest is None:
        return None
    moment = request.c.occurred_at if isinstance(source, AgentSource) else request.c.received_at
    arrived = select(func.max(moment)).where(
        request.c.occurred_at >= newest, request.c.occurred_at < newest + HOUR, request.c.source == source.name
    )
    return connection.execute(arrived).scalar() or int(newest)


def newest_push(connection: Connection, source: Source) -> int:
    """When something of a source arrived last, a test too, UTC µs; 0 where nothing ever did."""
    event = table_of(QuarantineTable)
    tests = select(func.max(event.c.received_at)).where(event.c.kind == "test", event.c.source == source.name)
    return max(int(connection.execute(tests).scalar() or 0), _last_arrival(connection, source) or 0)
