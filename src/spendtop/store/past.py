"""The store as it stood at an instant, for a viewer: views laid over its tables on connections of their own.

What is read there needs no other questions than the present does. Requests are those that had happened by then,
whenever they were reported. The totals are whole up to the hour of the instant; that hour is summed anew when a
connection is made. Names, prices and what is configured are those of the present.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, and_, func, literal, not_, select, text, true
from sqlmodel import SQLModel

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.limits.limit import OWN_DIMENSION, Each, Limit
from spendtop.domain.model_names import family
from spendtop.store.day_totals import UNTIL
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.limits.uses import summed
from spendtop.store.reads.limits.whose import whose
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, COLUMNS, MINUTES, ONLY_WHERE_SET, PLAN, SHADOW
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable, RequestTable, SilenceTable, TotalTable
from spendtop.store.tables.alerts import AlertStanding

_LAID = "past"
_CAME = {
    "request": "occurred_at",
    "quarantine": "received_at",
    "delivery_alert": "joined_at",
    "delivery_attempt": '"at"',
    "alert_action": '"at"',
    "alert_transition": '"at"',
}
"""Tables whose rows were there from an instant on that one of their columns names."""

Key = tuple[str, str, int]
"""Dimension, key and bucket of a row of `total`."""


class PastStore(Store):
    """Reads like any other store; it cannot be written."""

    def __init__(self, url: str | URL, at: int) -> None:
        """`at` is UTC µs."""
        super().__init__(url)
        self.at = at

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As of `at`."""
        with self._read_engine.connect() as connection:
            if _LAID not in connection.info:
                with connection.begin():
                    _lay_over(connection, self.at, "main" if self.is_sqlite else SCHEMA)
                connection.info[_LAID] = True
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Raises UsageError."""
        raise UsageError("The past cannot be changed. Say ':now' and do it then.")
        yield  # pragma: no cover


def _lay_over(connection: Connection, at: int, schema: str) -> None:
    """Views of the same names as the tables, which hide them on this connection."""
    hour = at // HOUR * HOUR
    begun = _hour_so_far(connection, Span(hour, at + 1))
    total = table_of(TotalTable)
    names = [column.name for column in total.columns]
    connection.execute(text(f"CREATE TEMP TABLE begun_hour AS SELECT * FROM {schema}.total WHERE 1 = 0"))
    rows = [
        dict(zip(names, (*key, 0, spend.requests, spend.cost.nano, *_counts(spend)), strict=True))
        for key, spend in begun.items()
    ]
    if rows:
        values = ", ".join(f":{name}" for name in names)
        connection.execute(text(f"INSERT INTO begun_hour ({', '.join(names)}) VALUES ({values})"), rows)
    whole = f"bucket < {hour} OR (dimension = '{MINUTES}' AND bucket + {MINUTE} <= {at + 1})"
    views = {
        "total": f"SELECT * FROM {schema}.total WHERE {whole} UNION ALL SELECT * FROM begun_hour",
        "meta": f"SELECT name, {_earlier(hour)} AS value FROM {schema}.meta",
        "alert": _alerts(at, schema),
        "delivery": _deliveries(at, schema),
        "silence": _silences(at, schema),
        **{name: f"SELECT * FROM {schema}.{name} WHERE {came} <= {at}" for name, came in _CAME.items()},
    }
    for name, query in views.items():
        connection.execute(text(f"CREATE TEMP VIEW {name} AS {query}"))


def _earlier(hour: int) -> str:
    """Up to where days are summed; where that is beyond `hour`, up to its day, whose sum holds what came later."""
    later = f"CASE WHEN CAST(value AS BIGINT) > {hour} THEN '{hour // DAY * DAY}' ELSE value END"
    return f"CASE name WHEN '{UNTIL}' THEN {later} ELSE value END"


def _alerts(at: int, schema: str) -> str:
    """Each as its newest transition left it."""
    standing = {**dict.fromkeys(AlertStanding.model_fields, "stood"), "version": "stood"}
    columns = (column.name for column in table_of(AlertTable).columns)
    named = (f"{standing.get(name, 'alert')}.{name}" for name in columns if name != "updated_at")
    newest = f'SELECT max(version) FROM {schema}.alert_transition WHERE alert_id = alert.id AND "at" <= {at}'
    return (
        f'SELECT {", ".join(named)}, stood."at" AS updated_at FROM {schema}.alert AS alert'
        f" JOIN {schema}.alert_transition AS stood ON stood.alert_id = alert.id AND stood.version = ({newest})"
    )


def _deliveries(at: int, schema: str) -> str:
    """Each as its last try left it. One that a later message made needless was so from the beginning."""
    tries = f"FROM {schema}.delivery_attempt WHERE delivery_id = delivery.id"
    before, later = f'{tries} AND "at" <= {at}', f'{tries} AND "at" > {at}'
    newest = f"{before} ORDER BY id DESC LIMIT 1"
    waited = f"CASE (SELECT outcome {newest}) WHEN 'permanent' THEN 'dead' ELSE 'pending' END"
    then = {
        "state": f"CASE WHEN EXISTS (SELECT 1 {later}) THEN {waited} ELSE state END",
        "attempts": f"(SELECT count(*) {before})",
        "next_at": f'coalesce((SELECT min("at") {later}), next_at)',
        "last_error": f"CASE WHEN EXISTS (SELECT 1 {later}) THEN (SELECT detail {newest}) ELSE last_error END",
        "sent_at": f"CASE WHEN sent_at <= {at} THEN sent_at END",
    }
    return _with(then, DeliveryTable, f"{schema}.delivery AS delivery WHERE created_at <= {at}")


def _silences(at: int, schema: str) -> str:
    """With the end that each had before it was taken back."""
    made = f"SELECT max(until) FROM {schema}.alert_action WHERE silence_id = silence.id AND what = 'silence'"
    then = {"until": f"CASE WHEN until > {at} THEN coalesce(({made}), until) ELSE until END"}
    return _with(then, SilenceTable, f"{schema}.silence AS silence WHERE created_at <= {at}")


def _with(then: Mapping[str, str], table: type[SQLModel], of: str) -> str:
    """A query for the columns of a table, some of them as they were."""
    columns = (column.name for column in table_of(table).columns)
    return f"SELECT {', '.join(f'{then[name]} AS {name}' if name in then else name for name in columns)} FROM {of}"


def _counts(spend: Spend) -> tuple[int, ...]:
    return spend.unpriced, spend.errors, spend.prompt_tokens, spend.completion_tokens, spend.failed


def _hour_so_far(connection: Connection, span: Span) -> dict[Key, Spend]:
    """What the totals held of the hour in which `span` ends."""
    assert span.since is not None and span.until is not None
    hour, minute = span.since, (span.until - 1) // MINUTE * MINUTE
    request = table_of(RequestTable)
    counted = request.c.counted.is_(True)
    sums: dict[Key, Spend] = {}

    def add(dimension: str, bucket: int, column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> None:
        for key, spend in _spends(connection, Span(bucket, span.until), column, and_(true(), *conditions)).items():
            sums[dimension, key, bucket] = spend

    add(ALL, hour, literal(""), counted)
    add(MINUTES, minute, literal(""), counted)
    uncounted, is_plan = request.c.counted.is_(False), spend_sql.is_plan()
    add(SHADOW, hour, request.c.token, uncounted, not_(is_plan))
    under_plan = _spends(connection, span, request.c.source, and_(uncounted, is_plan), spend_sql.of_plan())
    sums |= {(PLAN, source, hour): spend for source, spend in under_plan.items()}
    for dimension, name in COLUMNS.items():
        column = request.c[name]
        add(dimension, hour, column, counted, *([column.is_not(None)] if dimension in ONLY_WHERE_SET else []))
    config = applied(connection)
    for limit in config.limits if config else ():
        if limit.dimension.startswith(OWN_DIMENSION):
            for entity, spend in _of_limit(connection, limit, span).items():
                sums[limit.dimension, entity, hour] = spend
    return sums


def _of_limit(connection: Connection, limit: Limit, span: Span) -> dict[str, Spend]:
    """What counts for a limit that keeps totals of its own, by entity. What a `reserve` adds is not in it."""
    part = summed(connection, limit)
    found = _spends(connection, span, whose(connection, limit), part.condition, part.columns)
    if limit.each is not Each.MODEL_FAMILY:
        return found
    families: defaultdict[str, Spend] = defaultdict(Spend.nothing)
    for model, spend in found.items():
        families[family(model)] += spend
    return families


def _spends(
    connection: Connection,
    span: Span,
    column: ColumnElement[Any],
    selects: ColumnElement[bool],
    columns: Sequence[ColumnElement[Any]] | None = None,
) -> dict[str, Spend]:
    """Spend by the values of a column, empty where it has none."""
    at = table_of(RequestTable).c.occurred_at
    key = func.coalesce(column, "").label("key_")
    statement = select(*(columns or spend_sql.of_requests()), key).where(span.holds(at), selects).group_by("key_")
    return {str(row.key_): spend_sql.to_spend(row) for row in connection.execute(statement)}


def oldest_request(connection: Connection) -> int | None:
    """When the oldest request that is kept happened, UTC µs."""
    return connection.execute(select(func.min(table_of(RequestTable).c.occurred_at))).scalar()
