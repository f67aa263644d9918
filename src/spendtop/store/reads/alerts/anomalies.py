"""What the rule of unusual spend compares: who spends now, what they spent before, and on what.

The cost grows with the requests of the last minutes, not with how many users, models or tokens there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from spendtop.domain.alerting.anomaly import BURST_SAMPLES, Spent, burst_start, largest_burst
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, COLUMNS, MINUTES, by_key, scope
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_REQUEST, _TOTAL = table_of(RequestTable), table_of(TotalTable)
_NANO = func.sum(_TOTAL.c.cost_nano)
_INDEXED = ("user", "model")
"""Dimensions of which the requests of one key are found without reading all others."""
_MOST_REQUESTS = 60_000
"""Requests that are read to learn of the bursts of one key."""
_TOP = 3

Contributors = tuple[tuple[str, str, int], ...]
"""Dimension, raw key and nano-USD, the largest first."""


def spending_now(connection: Connection, dimension: str, now: int, most: int) -> dict[str, Spent]:
    """Who spends in this dimension at `now` (UTC µs): the `most` keys that spent most within the last minutes."""
    last_minutes = Span(burst_start(now), now + 1)
    if dimension == ALL:
        minutes = select(_NANO).where(_TOTAL.c.dimension == MINUTES, last_minutes.holds(_TOTAL.c.bucket))
        bursts = {"": int(connection.execute(minutes).scalar() or 0)}
    else:
        key, nano = _REQUEST.c[COLUMNS[dimension]], func.sum(_REQUEST.c.cost_nano)
        spenders = (
            select(key, nano)
            .where(_REQUEST.c.counted.is_(True), last_minutes.holds(_REQUEST.c.occurred_at), key != "")
            .group_by(key)
            .having(nano > 0)
            .order_by(nano.desc())
            .limit(most)
        )
        bursts = {name: int(spent) for name, spent in connection.execute(spenders)}
    hours = _in_hour(connection, dimension, list(bursts), now // HOUR * HOUR)
    return {name: Spent(now=now, hour=hours.get(name, 0), burst=burst) for name, burst in bursts.items()}


def _in_hour(connection: Connection, dimension: str, keys: Sequence[str], hour: int) -> dict[str, int]:
    of_keys = (_TOTAL.c.dimension == dimension, _TOTAL.c.key.in_(keys), _TOTAL.c.bucket == hour)
    rows = connection.execute(select(_TOTAL.c.key, _NANO).where(*of_keys).group_by(_TOTAL.c.key))
    return {key: int(nano) for key, nano in rows}


def spent_by_hour(connection: Connection, dimension: str, key: str, span: Span) -> dict[int, int]:
    """What one key spent in each hour (start in UTC µs) of the span, in nano-USD, without hours of nothing."""
    of_key = (_TOTAL.c.dimension == dimension, _TOTAL.c.key == key, span.holds(_TOTAL.c.bucket))
    rows = connection.execute(select(_TOTAL.c.bucket, _NANO).where(*of_key).group_by(_TOTAL.c.bucket))
    return {int(hour): int(nano) for hour, nano in rows if nano}


def largest_bursts(connection: Connection, dimension: str, key: str, hours: Sequence[int]) -> list[int]:
    """The most that one key spent within some minutes, in nano-USD, around each of the first BURST_SAMPLES `hours`.

    Fewer where that would be to read very many requests.
    """
    affordable = _affordable(connection, dimension, key, hours[:BURST_SAMPLES])
    return [largest_burst(_by_minute(connection, dimension, key, _around(hour))) for hour in affordable]


def _affordable(connection: Connection, dimension: str, key: str, hours: Sequence[int]) -> Sequence[int]:
    if dimension == ALL:
        return hours
    read_of = (dimension, key) if dimension in _INDEXED else (ALL, "")
    wanted = {start for hour in hours for start in (hour - HOUR, hour, hour + HOUR)}
    of_keys = (_TOTAL.c.dimension == read_of[0], _TOTAL.c.key == read_of[1], _TOTAL.c.bucket.in_(wanted))
    rows = connection.execute(
        select(_TOTAL.c.bucket, func.sum(_TOTAL.c.requests)).where(*of_keys).group_by(_TOTAL.c.bucket)
    )
    requests = {int(start): int(count) for start, count in rows}
    read = 0
    for number, hour in enumerate(hours):
        read += sum(requests.get(start, 0) for start in (hour - HOUR, hour, hour + HOUR))
        if read > _MOST_REQUESTS:
            return hours[:number]
    return hours


def _around(hour: int) -> Span:
    return Span(hour - HOUR, hour + 2 * HOUR)


def _by_minute(connection: Connection, dimension: str, key: str, span: Span) -> Mapping[int, int]:
    if dimension == ALL:
        return spent_by_hour(connection, MINUTES, "", span)
    minute = (_REQUEST.c.occurred_at - _REQUEST.c.occurred_at % MINUTE).label("minute")
    rows = connection.execute(
        select(minute, func.sum(_REQUEST.c.cost_nano))
        .where(_REQUEST.c.counted.is_(True), span.holds(_REQUEST.c.occurred_at), scope(dimension, key))
        .group_by("minute")
    )
    return {int(start): int(nano) for start, nano in rows if nano}


def contributors(connection: Connection, dimension: str, key: str, since: int) -> Contributors:
    """Who or what the spend of one key since `since` (UTC µs) is of."""
    other = "model" if dimension == "user" else "user"
    if dimension == ALL:
        rows = by_key(connection, other, since, None, _TOP).rows
        return tuple((other, row.key.raw, row.spend.cost.nano) for row in rows if row.spend.cost.nano)
    name, nano = _REQUEST.c[COLUMNS[other]], func.sum(_REQUEST.c.cost_nano)
    largest = (
        select(name, nano)
        .where(_REQUEST.c.counted.is_(True), Span(since, None).holds(_REQUEST.c.occurred_at), scope(dimension, key))
        .group_by(name)
        .having(nano > 0)
        .order_by(nano.desc())
        .limit(_TOP)
    )
    return tuple((other, name or "", int(nano)) for name, nano in connection.execute(largest))
