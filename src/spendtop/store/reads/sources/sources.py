"""Where requests come from: how fresh, how many, how often again or refused, by source and by tracking token."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, ScalarSelect, and_, case, func, select, text

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.requests.request import TimeSource
from spendtop.domain.sources.records import IMPORTED, SOURCES, AgentSource, ImportedSource, Source
from spendtop.domain.untrusted import Untrusted
from spendtop.store.facts import imported_at
from spendtop.store.ids import SLOTS, arrival
from spendtop.store.reads.sources.completeness import Coverage, GapRow, PollerRow, coverage, gaps, pollers
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import PLAN
from spendtop.store.reads.tokens.tokens import tokens
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable, TokenTable, TotalTable

TREND_HOURS = 12
_GAPS_OVER = 7
"""Days."""
_MOST_GAPS = 1000
_SOURCE, _TOKEN, _SHADOW, _REPEAT, _ASSUMED, _JOINED, _REFUSED = (
    "source",
    "token",
    "shadow",
    "repeat",
    "assumed repeat",
    "joined",
    "refused",
)
_LATE, _LATE_IN_FILES = HOUR, 2 * MINUTE
"""What arrives so long after it happened is history; files of coding agents are read as they grow."""
_LAG_SPAN, _LAG_SAMPLE = 15 * MINUTE, 2_000


class SourceRow(Struct, frozen=True, kw_only=True):
    """One source, and its reports: also those that joined what a more trusted source reports."""

    source: Source
    last_at: int | None
    """Arrival of its newest request, UTC µs, to the hour when that is over a day ago; None when it never reported
    any."""
    last_minute: int
    """Requests that arrived in the last minute, shadow ones too, without any history that is read."""
    today: int
    """Counted requests."""
    trend: tuple[int, ...]
    """Counted requests of the last hours, the present one last."""
    repeats: int
    """Reports of today that had come before."""
    assumed_repeats: int
    """Those among them that no id tells from new requests: all that they say is the same."""
    refused: int
    """Reports of today that were not taken."""
    lag: int | None
    """From happening to arrival, µs: 95 % of the last quarter of an hour's requests were faster."""
    imported: int | None = None
    """All requests of a source that is read from files by hand; `last_at` is when that was done last."""


class TokenRow(Struct, frozen=True, kw_only=True):
    """One tracking token, and what came under it from all sources."""

    id: int
    token: Untrusted
    """What clients send."""
    name: Untrusted
    active: bool
    shadow: bool
    created_at: int
    last_at: int | None
    last_minute: int
    today: int
    """Requests, for a shadow token those that are not counted."""


class Refusal(Struct, frozen=True):
    """What one source sent in vain in one hour."""

    source: str
    reason: Untrusted
    hour: int
    """Its start, UTC µs."""
    count: int


class StoreSize(Struct, frozen=True):
    """What the store takes on its disk."""

    data: int | None
    """Bytes; None where that cannot be looked at."""
    log: int | None
    """Bytes of SQLite's write-ahead log."""
    bodies_since: int | None
    """Arrival of the oldest request whose prompt and response are kept, UTC µs."""


class Sources(Struct, frozen=True, kw_only=True):
    now: int
    sources: tuple[SourceRow, ...]
    """Every one that there is, in the order in which people see them; of those that are imported only where something
    came."""
    tokens: tuple[TokenRow, ...]
    """The oldest first."""
    refusals: tuple[Refusal, ...]
    """Of the last day, the newest hour first."""
    size: StoreSize
    pollers: tuple[PollerRow, ...]
    """Every one that ever polled."""
    gaps: tuple[GapRow, ...]
    """Of the last days, the newest first."""
    coverage: Coverage | None
    """Which of Helicone's requests of those days its webhooks brought; None where no poll has compared them."""


def sources(connection: Connection, day_start: int, now: int) -> Sources:
    """Every source and token at `now`; today begins at `day_start` (UTC µs)."""
    tallies = _tallies(connection, min(day_start, now - DAY))
    today = _Today(tallies, _edge(connection, day_start), day_start)
    heard = _heard(connection, now)
    imports = _imports(connection)
    lags = _lags(connection, now)
    first_hour = now - now % HOUR - (TREND_HOURS - 1) * HOUR
    gaps_since = now - now % HOUR - _GAPS_OVER * DAY
    missed = gaps(connection, gaps_since, _MOST_GAPS)
    return Sources(
        now=now,
        sources=tuple(
            SourceRow(
                source=source,
                last_at=imported_at(connection, name)
                or max(
                    (heard.last.get((_SOURCE, name)), *tallies[_JOINED, name], *tallies[PLAN, name]),
                    key=lambda at: at or 0,
                ),
                last_minute=heard.last_minute[_SOURCE, name],
                today=today.requests(_SOURCE, name) + today.hourly(_JOINED, name) + today.hourly(PLAN, name),
                trend=tuple(
                    tallies[_SOURCE, name][first_hour + n * HOUR] + tallies[PLAN, name][first_hour + n * HOUR]
                    for n in range(TREND_HOURS)
                ),
                repeats=today.hourly(_REPEAT, name),
                assumed_repeats=today.hourly(_ASSUMED, name),
                refused=today.refused(name),
                lag=lags.get(name),
                imported=imports.get(name),
            )
            for name, source in SOURCES.items()
            if not isinstance(source, ImportedSource) or name in imports
        ),
        tokens=tuple(
            TokenRow(
                id=row.id,
                token=Untrusted(row.token),
                name=Untrusted(row.name),
                active=row.active,
                shadow=row.shadow,
                created_at=row.created_at,
                last_at=heard.last.get((_TOKEN, row.token)),
                last_minute=heard.last_minute[_TOKEN, row.token],
                today=today.requests(_SHADOW if row.shadow else _TOKEN, row.token),
            )
            for row in tokens(connection)
        ),
        refusals=_refusals(tallies, now - DAY),
        size=_size(connection),
        pollers=pollers(connection),
        gaps=missed,
        coverage=coverage(connection, missed, gaps_since),
    )


_Tallies = defaultdict[tuple[str, str], Counter[int]]
"""Requests by start of the hour, by dimension and key."""


def _tallies(connection: Connection, since: int) -> _Tallies:
    """All that is counted here by the hour, from the hour of `since` on."""
    total = table_of(TotalTable)
    rows = connection.execute(
        select(total.c.dimension, total.c.key, total.c.bucket, func.sum(total.c.requests))
        .where(
            total.c.dimension.in_((_SOURCE, _TOKEN, _SHADOW, PLAN, _REPEAT, _ASSUMED, _JOINED, _REFUSED)),
            total.c.bucket >= since - since % HOUR,
        )
        .group_by(total.c.dimension, total.c.key, total.c.bucket)
    )
    tallies: _Tallies = defaultdict(Counter)
    for dimension, key, bucket, count in rows:
        tallies[dimension, key][int(bucket)] = int(count)
    return tallies


def _edge(connection: Connection, day_start: int) -> Counter[tuple[str, str]]:
    """Requests of the part of an hour that a day begins with, where it begins within one."""
    counts: Counter[tuple[str, str]] = Counter()
    first_hour = -(-day_start // HOUR) * HOUR
    if first_hour == day_start:
        return counts
    request = table_of(RequestTable)
    columns = (request.c.source, request.c.token, request.c.counted)
    rows = connection.execute(
        select(*columns, func.count())
        .where(Span(day_start, first_hour).holds(request.c.occurred_at))
        .group_by(*columns)
    )
    for source, token, counted, count in rows:
        if counted:
            counts[_SOURCE, source] += count
        if token is not None:
            counts[_TOKEN if counted else _SHADOW, token] += count
    return counts


class _Today(Struct, frozen=True):
    tallies: _Tallies
    edge: Counter[tuple[str, str]]
    day_start: int

    def requests(self, dimension: str, key: str) -> int:
        """Exactly since the day began."""
        hours = self.tallies[dimension, key].items()
        whole = sum(count for hour, count in hours if hour >= self.day_start)
        return whole + self.edge[dimension, key]

    def hourly(self, dimension: str, key: str) -> int:
        """Since the hour in which the day began: of these nothing finer is kept."""
        begin = self.day_start - self.day_start % HOUR
        return sum(count for hour, count in self.tallies[dimension, key].items() if hour >= begin)

    def refused(self, source: str) -> int:
        """For whatever reason."""
        reasons = [key for dimension, key in self.tallies if dimension == _REFUSED and key.split("/")[0] == source]
        return sum(self.hourly(_REFUSED, key) for key in reasons)


class _Heard(NamedTuple):
    """By dimension (source or token) and key."""

    last: dict[tuple[str, str], int]
    """Arrival of the newest request."""
    last_minute: Counter[tuple[str, str]]


def _heard(connection: Connection, now: int) -> _Heard:
    """From what arrived in the last minute; for who is silent from the newest hour with a request, and when that is
    more than a day ago just the hour."""
    request = table_of(RequestTable)
    heard = _Heard({}, Counter())
    _note(heard.last, heard.last_minute, connection, request.c.id >= (now - MINUTE) * SLOTS)
    silent = {who: hour for who, hour in _newest_hours(connection).items() if who not in heard.last}
    for hour in {hour for hour in silent.values() if hour > now - DAY}:
        _note(heard.last, Counter(), connection, Span(hour, hour + HOUR).holds(request.c.occurred_at))
    for who, hour in silent.items():
        heard.last.setdefault(who, hour)
    return heard


def _note(
    last: dict[tuple[str, str], int],
    counts: Counter[tuple[str, str]],
    connection: Connection,
    condition: ColumnElement[bool],
) -> None:
    """Who reported the requests that meet the condition: latest arrivals, and numbers of those that happened then."""
    request = table_of(RequestTable)
    is_of_files = request.c.source.in_([each.name for each in SOURCES.values() if isinstance(each, AgentSource)])
    late = case((is_of_files, _LATE_IN_FILES), else_=_LATE)
    live = and_(
        request.c.received_at - request.c.occurred_at <= late, request.c.source.not_in([each.name for each in IMPORTED])
    )
    rows = connection.execute(
        select(request.c.source, request.c.token, func.max(request.c.received_at), func.sum(case((live, 1), else_=0)))
        .where(condition)
        .group_by(request.c.source, request.c.token)
    )
    for source, token, arrived, count in rows:
        for who in ((_SOURCE, source), *([] if token is None else [(_TOKEN, token)])):
            last[who] = max(int(arrived), last.get(who, 0))
            counts[who] += int(count)


def _imports(connection: Connection) -> dict[str, int]:
    """Requests of all times that only imported files tell of, by source, where there are any."""
    total = table_of(TotalTable)
    rows = connection.execute(
        select(total.c.key, func.sum(total.c.requests))
        .where(total.c.dimension == _SOURCE, total.c.key.in_([each.name for each in IMPORTED]))
        .group_by(total.c.key)
    )
    return {name: int(count) for name, count in rows if count}


def _newest_hours(connection: Connection) -> dict[tuple[str, str], int]:
    """Of every source and tracking token that ever reported."""
    total, token = table_of(TotalTable), table_of(TokenTable)

    def newest(dimension: str, key: Any) -> ScalarSelect[int]:
        latest = select(func.max(total.c.bucket)).where(total.c.dimension == dimension, total.c.key == key)
        return latest.scalar_subquery()

    by_source = connection.execute(select(*(newest(_SOURCE, name) for name in SOURCES))).one()
    hours = {(_SOURCE, name): hour for name, hour in zip(SOURCES, by_source, strict=True) if hour is not None}
    by_token = select(token.c.token, newest(_TOKEN, token.c.token), newest(_SHADOW, token.c.token))
    for value, *its_hours in connection.execute(by_token):
        if any(hour is not None for hour in its_hours):
            hours[_TOKEN, value] = max(hour for hour in its_hours if hour is not None)
    return hours


def _lags(connection: Connection, now: int) -> dict[str, int]:
    """By source, over a bounded sample: of the newest requests whose time is not just their arrival."""
    request = table_of(RequestTable)
    rows = connection.execute(
        select(request.c.source, request.c.received_at - request.c.occurred_at)
        .where(request.c.occurred_at >= now - _LAG_SPAN, request.c.time_source != TimeSource.RECEIVED.value)
        .order_by(request.c.occurred_at.desc())
        .limit(_LAG_SAMPLE)
    )
    lags: defaultdict[str, list[int]] = defaultdict(list)
    for source, lag in rows:
        lags[source].append(max(int(lag), 0))
    return {source: sorted(several)[-(-len(several) * 95 // 100) - 1] for source, several in lags.items()}


def _refusals(tallies: _Tallies, since: int) -> tuple[Refusal, ...]:
    refusals = []
    for (dimension, key), hours in tallies.items():
        if dimension == _REFUSED:
            source, _, reason = key.partition("/")
            refusals += [
                Refusal(source, Untrusted(reason), hour, n) for hour, n in hours.items() if hour + HOUR > since
            ]
    return tuple(sorted(refusals, key=lambda refusal: (-refusal.hour, refusal.source, refusal.reason.raw)))


def _size(connection: Connection) -> StoreSize:
    oldest = connection.execute(select(func.min(table_of(BodyTable).c.request_id))).scalar()
    since = None if oldest is None else arrival(oldest)
    if connection.dialect.name != "sqlite":
        sizes = text(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
        return StoreSize(int(connection.execute(sizes).scalar_one()), None, since)
    _, _, path = connection.exec_driver_sql("PRAGMA database_list").all()[0]
    file = Path(path)
    return StoreSize(_bytes(file), _bytes(file.with_name(f"{file.name}-wal")), since)


def _bytes(file: Path) -> int | None:
    with suppress(OSError):
        return file.stat().st_size
    return None
