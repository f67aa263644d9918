"""Refused posts as the store counts them, for whoever looks while no collector runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.sources.records import SOURCES, PushedSource
from spendtop.domain.sources.refusals import RefusalReason, RefusedPosts
from spendtop.store.statements import table_of
from spendtop.store.tables import TotalTable

_REFUSED, _SOURCE = "refused", "source"
_REASONS = {reason.value: reason for reason in RefusalReason}
_TOTAL = table_of(TotalTable)


def refused_since_heard(connection: Connection, since: int) -> Iterator[RefusedPosts]:
    """By source, reason and token, what was refused for who sent it in the hours after `since` (UTC µs) and after the
    last hour of which the source has a request; the most frequent first."""
    heard = _newest_hours(connection)
    query = select(_TOTAL.c.key, _TOTAL.c.bucket, func.sum(_TOTAL.c.requests)).where(
        _TOTAL.c.dimension == _REFUSED, _TOTAL.c.bucket > since - HOUR
    )
    counts: Counter[tuple[PushedSource, RefusalReason, str]] = Counter()
    for key, hour, count in connection.execute(query.group_by(_TOTAL.c.key, _TOTAL.c.bucket)):
        name, reason, token = (*key.split("/", 2), "")[:3]
        source = SOURCES.get(name)
        if isinstance(source, PushedSource) and reason in _REASONS and hour > heard.get(name, 0):
            counts[source, _REASONS[reason], token] += int(count)
    for (source, known, token), total in counts.most_common():
        yield RefusedPosts(source=source, reason=known, count=total, token=token)


def _newest_hours(connection: Connection) -> dict[str, int]:
    """Of every source that ever reported."""
    query = select(_TOTAL.c.key, func.max(_TOTAL.c.bucket)).where(_TOTAL.c.dimension == _SOURCE)
    return {key: int(hour) for key, hour in connection.execute(query.group_by(_TOTAL.c.key))}
