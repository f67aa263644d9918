"""How complete the figures are: how far pollers got, what was missed and found, and what share was pushed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, case, func, select

from spendtop.domain.money import Usd
from spendtop.domain.percent import percent_of
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import HELICONE, HELICONE_API, PUSHES
from spendtop.domain.untrusted import SENTENCE_LIMIT, Untrusted, clean_line
from spendtop.store import facts
from spendtop.store.reads.rows import outside
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import CheckpointTable, GapTable, RequestTable

_CHECKPOINT, _GAP = table_of(CheckpointTable), table_of(GapTable)
_REQUEST = table_of(RequestTable)
_PUSHES = frozenset(each.name for each in PUSHES)
_OF_HELICONE = (HELICONE_API.name, HELICONE.name)


class PollerRow(Struct, frozen=True, kw_only=True):
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
    push_health: PushHealth | None = None
    """How a provider that pushes delivers here, as it said last."""

    @property
    def amiss(self) -> str:
        """Why nothing comes, as a sentence; empty while all is well."""
        if self.failure:
            return clean_line(self.failure.raw, SENTENCE_LIMIT)
        return self.push_health.amiss if self.push_health else ""


class GapRow(Struct, frozen=True):
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
            push_health=push_health.read(row.cursor) if row.poller in _PUSHES else None,
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


class Coverage(Struct, frozen=True):
    """Which of Helicone's requests its webhooks brought, of the time in which a poll compared them."""

    since: int
    """UTC µs."""
    until: int
    requests: int
    missed: int

    @property
    def is_whole(self) -> bool:
        """Whether they brought every request."""
        return not self.missed

    @property
    def percent(self) -> str | None:
        """What they brought; None where there was no request."""
        return percent_of(max(self.requests - self.missed, 0), self.requests) if self.requests else None


def coverage(connection: Connection, gaps: Sequence[GapRow], since: int) -> Coverage | None:
    """What webhooks brought since an instant (UTC µs), given the gaps of that time; None where no poll has compared
    anything of it. What happened before the first start was never pushed here and says nothing."""
    query = select(_CHECKPOINT.c.complete_until).where(_CHECKPOINT.c.poller == HELICONE_API.name)
    until = connection.execute(query).scalar()
    began = [facts.get(connection, name) for name in (facts.FIRST_START, facts.complete_since(HELICONE_API.name))]
    since = max(since, *(int(instant or 0) for instant in began))
    if until is None or until <= since:
        return None
    sums = [spend(connection, since, until, "source", source) for source in _OF_HELICONE]
    return Coverage(since, until, sum(each.requests for each in sums), sum(gap.requests for gap in gaps))


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
