"""What did not arrive as it should: requests that came by a poll only, and pushes that the listener refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update

from spendtop.domain.clock import HOUR
from spendtop.domain.requests.request import Request
from spendtop.store.day_totals import TotalsAddition
from spendtop.store.statements import table_of
from spendtop.store.tables import GapTable

REFUSED = "refused"
"""Dimension of `total`; its keys are `source/reason`."""
_GAP = table_of(GapTable)


def note_gap(connection: Connection, source: str, missed: Sequence[Request], run_began_at: int, now: int) -> None:
    """Note requests that `source` should have pushed; those that one run of the poller finds are one gap.

    `run_began_at` is when that run began, UTC µs.
    """
    counted = [request for request in missed if request.counted]
    if not counted:
        return
    since = min(request.occurred_at for request in counted)
    until = max(request.occurred_at for request in counted)
    cost = sum(request.cost.amount.nano for request in counted if request.cost.amount is not None)
    gap = connection.execute(
        select(_GAP).where(_GAP.c.source == source, _GAP.c.found_at >= run_began_at).order_by(_GAP.c.id.desc()).limit(1)
    ).one_or_none()
    if gap is None:
        connection.execute(
            _GAP.insert().values(
                source=source, since=since, until=until, requests=len(counted), cost_nano=cost, found_at=now
            )
        )
        return
    connection.execute(
        update(_GAP)
        .where(_GAP.c.id == gap.id)
        .values(
            since=min(since, gap.since),
            until=max(until, gap.until),
            requests=gap.requests + len(counted),
            cost_nano=gap.cost_nano + cost,
            found_at=now,
        )
    )


def note_refusals(connection: Connection, counts: Mapping[tuple[str, str], int], now: int, shard: int) -> None:
    """Add refusals of this hour, by source and reason; no money is in it."""
    hour = now - now % HOUR
    rows = [
        (REFUSED, f"{source}/{reason}", hour, shard, count, 0, 0, 0, 0, 0, 0)
        for (source, reason), count in sorted(counts.items())
    ]
    TotalsAddition(connection.dialect).run(connection, rows)
