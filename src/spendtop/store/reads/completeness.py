"""How complete the figures are: how far pollers got, what was missed and found, and what share was pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.money import Usd
from spendtop.domain.sources import HELICONE, HELICONE_API
from spendtop.domain.untrusted import Untrusted
from spendtop.store import facts
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.rows import outside
from spendtop.store.statements import table_of
from spendtop.store.tables import CheckpointTable, GapTable, RequestTable, TotalTable

_CHECKPOINT, _GAP = table_of(CheckpointTable), table_of(GapTable)
_REQUEST, _TOTAL = table_of(RequestTable), table_of(TotalTable)
_OF_HELICONE = (HELICONE_API.name, HELICONE.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerRow:
    """One poller; instants are UTC µs."""

    name: str
    complete_until: int | None
    """Up to when nothing is missing, where it reads requests."""
    succeeded_at: int | None
    failed_at: int | None
    """When it failed last, if that was after its last success."""
    failure: Untrusted | None
    failures: int
    """In a row."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """Requests that were missed when they were pushed, and found by a poll."""

    source: str
    """Who should have pushed them."""
    since: int
    """When the first of them happened, UTC µs."""
    until: int
    """When the last of them happened."""
    requests: int
    cost: Usd
    found_at: int


def pollers(connection: Connection) -> tuple[PollerRow, ...]:
    """Every poller that ever polled, by name."""
    return tuple(
        PollerRow(
            name=row.poller,
            complete_until=row.complete_until,
            succeeded_at=row.succeeded_at,
            failed_at=row.failed_at,
            failure=outside(row.failure),
            failures=row.failures,
        )
        for row in connection.execute(select(_CHECKPOINT).order_by(_CHECKPOINT.c.poller))
    )


def gaps(connection: Connection, since: int, most: int) -> tuple[GapRow, ...]:
    """The newest gaps that reach beyond an instant."""
    query = select(_GAP).where(_GAP.c.until >= since).order_by(_GAP.c.id.desc()).limit(most)
    return tuple(
        GapRow(row.source, row.since, row.until, row.requests, Usd(row.cost_nano), row.found_at)
        for row in connection.execute(query)
    )


def share_pushed(connection: Connection, gaps: Sequence[GapRow], since: int) -> float | None:
    """The share of Helicone's requests since an instant (a whole hour) that its webhooks brought, given the gaps of
    that time; None without any. What happened before the first start was never pushed here and says nothing."""
    began = int(facts.get(connection, facts.FIRST_START) or 0)
    query = select(func.coalesce(func.sum(_TOTAL.c.requests), 0)).where(
        _TOTAL.c.dimension == "source",
        _TOTAL.c.key.in_(_OF_HELICONE),
        _TOTAL.c.bucket >= max(since, began - began % HOUR),
    )
    requests = int(connection.execute(query).scalar_one())
    missed = sum(gap.requests for gap in gaps)
    return max(0.0, 1 - missed / requests) if requests else None


def confirmed(connection: Connection, since: int, until: int) -> tuple[int, int]:
    """How many requests of a span (UTC µs, its end exclusive) Helicone's API confirmed, and the nano-USD that it
    reported for them, hits in its cache aside."""
    reported = case((_REQUEST.c.cached, 0), else_=func.coalesce(_REQUEST.c.reported_cost_nano, 0))
    requests, nano = connection.execute(
        select(func.count(), func.coalesce(func.sum(reported), 0)).where(
            Span(since, until).holds(_REQUEST.c.occurred_at), _REQUEST.c.source == HELICONE_API.name
        )
    ).one()
    return int(requests), int(nano)
