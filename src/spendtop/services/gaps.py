"""Requests that should have been pushed and came by a poll only: what was missed, when, and for how much."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from spendtop.domain.request import Request
from spendtop.store.statements import table_of
from spendtop.store.tables import GapTable

_GAP = table_of(GapTable)


def note(connection: Connection, source: str, missed: Sequence[Request], run_began_at: int, now: int) -> None:
    """Note requests that `source` should have pushed; those that one run of the poller finds are one gap.

    `run_began_at` is when that run began, UTC µs.
    """
    counted = [request for request in missed if request.counted]
    if not counted:
        return
    since = min(request.occurred_at for request in counted)
    until = max(request.occurred_at for request in counted)
    cost = sum(request.cost.amount.nano for request in counted if request.cost.amount is not None)
    noted = connection.execute(
        select(_GAP).where(_GAP.c.source == source, _GAP.c.found_at >= run_began_at).order_by(_GAP.c.id.desc()).limit(1)
    ).one_or_none()
    if noted is None:
        connection.execute(
            _GAP.insert().values(
                source=source, since=since, until=until, requests=len(counted), cost_nano=cost, found_at=now
            )
        )
        return
    connection.execute(
        update(_GAP)
        .where(_GAP.c.id == noted.id)
        .values(
            since=min(since, noted.since),
            until=max(until, noted.until),
            requests=noted.requests + len(counted),
            cost_nano=noted.cost_nano + cost,
            found_at=now,
        )
    )
