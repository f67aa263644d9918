"""Whether a store is whole: the file itself, its tables, what belongs to what, every body, and the totals, which have
to be what the requests add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, exists, func, inspect, literal, select, text
from sqlmodel import SQLModel

from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime
from spendtop.domain.counted import counted
from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import clean_line
from spendtop.store import bodies, day_totals, dictionaries, facts
from spendtop.store.reads.spending import spend_sql
from spendtop.store.schema import head, version
from spendtop.store.statements import table_of
from spendtop.store.table_copy import Progress
from spendtop.store.tables import (
    AlertTable,
    AlertTransitionTable,
    BodyTable,
    DayTotalTable,
    DeliveryAttemptTable,
    DeliveryTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

_REQUEST, _TOTAL, _DAY_TOTAL = table_of(RequestTable), table_of(TotalTable), table_of(DayTotalTable)
_BODY, _REVISION = table_of(BodyTable), table_of(RevisionTable)
_DELIVERY, _ATTEMPT = table_of(DeliveryTable), table_of(DeliveryAttemptTable)
_ALERT, _TRANSITION = table_of(AlertTable), table_of(AlertTransitionTable)
_MOST_FLAWS = 20
_BODIES_AT_ONCE = 200
_SHARE_OF_FILE, _SHARE_OF_BODIES = 0.3, 0.6
"""How much is done once the file, then also the bodies were looked at."""
_MINUTES = "minute"
_PLAN = "plan"
_KEYS: Mapping[str, ColumnElement[Any]] = {
    "all": literal(""),
    "user": func.coalesce(_REQUEST.c.user_id, ""),
    "model": func.coalesce(_REQUEST.c.model, ""),
    "provider": func.coalesce(_REQUEST.c.provider, ""),
    "source": _REQUEST.c.source,
    "session": _REQUEST.c.session_id,
    "token": _REQUEST.c.token,
    _MINUTES: literal(""),
}
"""What of a request is the key of its total, by dimension; a request without it is in none."""
_OWNED = (
    (_BODY, _BODY.c.request_id, _REQUEST, "prompts and responses without their request"),
    (_REVISION, _REVISION.c.request_id, _REQUEST, "corrections without their request"),
    (_ATTEMPT, _ATTEMPT.c.delivery_id, _DELIVERY, "attempts without their message"),
    (_TRANSITION, _TRANSITION.c.alert_id, _ALERT, "states of alerts without their alert"),
)
Sums = dict[tuple[str, int], tuple[int, ...]]
"""By key and start of the bucket; without sums of nothing."""


class Readable(Protocol):
    """A store, or a file of one."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A consistent view of it."""
        ...


class Verified(Struct, frozen=True):
    """What was looked at, and what is wrong with it."""

    requests: int
    bodies: int
    days: int
    """UTC days of which the totals were compared."""
    damage: tuple[str, ...]
    """Sentences about a file or tables that cannot be relied on; the rest was not looked at then."""
    flaws: tuple[str, ...]
    """Sentences about what does not fit together, at most `_MOST_FLAWS`."""


def verify(store: Readable, progress: Progress) -> Verified:
    """Look at everything, in short reads, so that a collector can go on meanwhile."""
    with store.reading() as connection:
        damage = [*_damaged_pages(connection), *_missing(connection)]
        if damage or version(connection) != head():  # an older one is upgraded before it is used
            return Verified(0, 0, 0, tuple(damage), ())
        requests = connection.execute(select(func.count()).select_from(_REQUEST)).scalar_one()
        flaws = [*_orphans(connection)]
    progress(_SHARE_OF_FILE)
    unpacked = 0
    for count, damaged in _unpacked(store):
        unpacked += count
        flaws += damaged
    progress(_SHARE_OF_BODIES)
    days = 0
    for share, differing in _differing_days(store):
        days += 1
        flaws += differing
        progress(_SHARE_OF_BODIES + (1 - _SHARE_OF_BODIES) * share)
        if len(flaws) >= _MOST_FLAWS:
            break
    return Verified(requests, unpacked, days, (), tuple(flaws[:_MOST_FLAWS]))


def _damaged_pages(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for row in connection.execute(text(f"PRAGMA integrity_check({_MOST_FLAWS})")).scalars():
            if row != "ok":
                yield f"The file is damaged: {clean_line(row)}."


def _missing(connection: Connection) -> Iterator[str]:
    if version(connection) != head():
        return
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in present:
            yield f"The table {table.name} is missing."
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in columns:
                yield f"The column {column.name} of the table {table.name} is missing."


def _orphans(connection: Connection) -> Iterator[str]:
    for table, column, owner, what in _OWNED:
        (key,) = owner.primary_key
        # By NOT IN PostgreSQL reads all owners for each row, once they are too many for its memory.
        has_none = column.is_not(None) & ~exists().where(key == column)
        lost = select(func.count()).select_from(table).where(has_none)
        if count := connection.execute(lost).scalar_one():
            yield f"There are {count:,} {what}."


def _unpacked(store: Readable) -> Iterator[tuple[int, list[str]]]:
    """Bodies in parts: how many, and which of them cannot be unpacked."""
    after = -1
    while True:
        some = select(_BODY.c.request_id, _BODY.c.data).where(_BODY.c.request_id > after)
        with store.reading() as connection:
            rows = connection.execute(some.order_by(_BODY.c.request_id).limit(_BODIES_AT_ONCE)).all()
            dictionaries.learn_all(connection)
        if not rows:
            return
        after = rows[-1].request_id
        yield len(rows), [flaw for row in rows if (flaw := _damage(row.request_id, row.data)) is not None]


def _damage(request_id: int, data: bytes) -> str | None:
    try:
        bodies.decode(data)
    except (StoreCorrupt, TypeError):  # SQLite keeps text in a column of bytes, if somebody puts it there
        return f"Prompt and response of the request {request_id} are damaged."
    return None


def _differing_days(store: Readable) -> Iterator[tuple[float, list[str]]]:
    """Day by day: the share that is done, and what differs."""
    with store.reading() as connection:
        kept_from = int(facts.get(connection, facts.VERIFIED_FROM) or 0)
        # What arrived at the end of a month that is forgotten may have happened a little later.
        since = kept_from + HOUR if kept_from else 0
        first, last = _next_day(connection, since), _last_day(connection)
    start = first
    while start is not None and last is not None:
        with store.reading() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            differing = [
                *_differing(connection, max(start, since), start + DAY),
                *_differing_plans(connection, max(start, since), start + DAY),
                *_differing_by_day(connection, start),
            ]
            yield min((start + DAY - (first or 0)) / max(last + DAY - (first or 0), 1), 1.0), differing
            start = _next_day(connection, start + DAY)


def _next_day(connection: Connection, since: int) -> int | None:
    """The first UTC day from an instant on of which there are requests or totals."""
    firsts = [select(func.min(_REQUEST.c.occurred_at)).where(_REQUEST.c.occurred_at >= since)]
    of_totals = (_of_dimension(_TOTAL, each, func.min(_TOTAL.c.bucket)) for each in (*_KEYS, _PLAN))
    firsts += [first.where(_TOTAL.c.bucket >= since) for first in of_totals]
    found = [at for first in firsts if (at := connection.execute(first).scalar()) is not None]
    return min(found) // DAY * DAY if found else None


def _last_day(connection: Connection) -> int | None:
    lasts = [select(func.max(_REQUEST.c.occurred_at))]
    lasts += [_of_dimension(_TOTAL, each, func.max(_TOTAL.c.bucket)) for each in ("all", _PLAN)]
    found = [at for last in lasts if (at := connection.execute(last).scalar()) is not None]
    return max(found) // DAY * DAY if found else None


def _of_dimension(table: Table, dimension: str, *columns: ColumnElement[Any]) -> Any:
    return select(*columns).where(table.c.dimension == dimension)


def _differing(connection: Connection, start: int, end: int) -> Iterator[str]:
    """Totals from one instant up to another that are not what the requests add up to."""
    for dimension, key in _KEYS.items():
        unit = MINUTE if dimension == _MINUTES else HOUR
        bucket = _REQUEST.c.occurred_at - _REQUEST.c.occurred_at % unit
        of_requests = (
            select(key.label("key"), bucket.label("bucket"), *spend_sql.of_requests())
            .where(_REQUEST.c.counted, _REQUEST.c.occurred_at >= start, _REQUEST.c.occurred_at < end, key.is_not(None))
            .group_by("key", "bucket")
        )
        of_totals = _sums_of(_TOTAL, _TOTAL.c.bucket, dimension, start, end)
        has_to_be, is_so = _read(connection, of_requests), _read(connection, of_totals)
        yield from _compared(dimension, "hour" if unit == HOUR else "minute", has_to_be, is_so, "the requests")


def _differing_plans(connection: Connection, start: int, end: int) -> Iterator[str]:
    """The same of calls under a plan, which totals know by source and hour."""
    portion, at = spend_sql.under_plan(), _REQUEST.c.occurred_at
    of_requests = (
        select(_REQUEST.c.source.label("key"), (at - at % HOUR).label("bucket"), *portion.columns)
        .where(portion.condition, at >= start, at < end)
        .group_by("key", "bucket")
    )
    of_totals = _sums_of(_TOTAL, _TOTAL.c.bucket, _PLAN, start, end)
    has_to_be, is_so = _read(connection, of_requests), _read(connection, of_totals)
    yield from _compared(_PLAN, "hour", has_to_be, is_so, "the requests")


def _differing_by_day(connection: Connection, day: int) -> Iterator[str]:
    """Totals by day that are not what those by hour add up to."""
    end = min(day + DAY, day_totals.until(connection))
    for dimension in (*_KEYS, _PLAN):
        if dimension != _MINUTES and day < end:
            bucket = _TOTAL.c.bucket - _TOTAL.c.bucket % DAY
            has_to_be = _read(connection, _sums_of(_TOTAL, bucket, dimension, day, end))
            is_so = _read(connection, _sums_of(_DAY_TOTAL, _DAY_TOTAL.c.bucket, dimension, day, day + DAY))
            yield from _compared(dimension, "day", has_to_be, is_so, "its hours")


def _sums_of(table: Table, bucket: ColumnElement[Any], dimension: str, start: int, end: int) -> Any:
    columns = (table.c.key.label("key"), bucket.label("of"), *spend_sql.of_totals(table))
    within = (table.c.bucket >= start, table.c.bucket < end)
    return _of_dimension(table, dimension, *columns).where(*within).group_by(table.c.key, "of")


def _read(connection: Connection, statement: Any) -> Sums:
    found = ((row[0], int(row[1]), tuple(map(int, row[2:]))) for row in connection.execute(statement))
    return {(key, bucket): sums for key, bucket, sums in found if any(sums)}


def _compared(dimension: str, unit: str, has_to_be: Sums, is_so: Sums, of_what: str) -> Iterator[str]:
    nothing = (0,) * len(spend_sql.NAMES)
    for key, bucket in sorted(has_to_be.keys() | is_so.keys()):
        wanted, found = has_to_be.get((key, bucket), nothing), is_so.get((key, bucket), nothing)
        if wanted != found:
            named = f"{dimension} {clean_line(key, 60)}" if key else dimension
            yield (
                f"The total of {named} for the {unit} {to_datetime(bucket):%Y-%m-%d %H:%M} UTC says {_words(found)};"
                f" {of_what} say {_words(wanted)}."
            )


def _words(sums: Iterable[int]) -> str:
    requests, cost, *rest = sums
    others = [f"{value:,} {name}" for name, value in zip(spend_sql.NAMES[2:], rest, strict=True) if value]
    return ", ".join([counted(requests, "request"), str(Usd(cost)), *others])
