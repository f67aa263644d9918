"""The store as it stood at an instant, for a viewer: views laid over its tables on connections of their own.

What is read there needs no other questions than the present does. Requests are those that had happened by then,
whenever they were reported. The totals are whole up to the hour of the instant; that hour is summed anew when a
connection is made. Limits, calendar and accounts are those in force then; names, prices and what else is configured are
those of the present.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, func, select, text
from sqlmodel import SQLModel

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.windows import WindowKind
from spendtop.store.day_totals import UNTIL
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.past_totals import sums_then
from spendtop.store.reads.configuration.applied import NAME as APPLIED
from spendtop.store.reads.configuration.applied import applied, applied_at, as_text
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.sums import MINUTES
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable, LimitRaiseTable, RequestTable, SilenceTable, TotalTable
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

_SUMS = ", ".join(column.name for column in table_of(TotalTable).columns if not column.primary_key)


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
    hour, then = at // HOUR * HOUR, applied_at(connection, at)
    present = applied(connection)
    _fill(connection, "was_applied", f"SELECT value FROM {schema}.meta", [] if then is None else [(as_text(then),)])
    limits = present.limits if present else ()
    kept = {limit.dimension for limit in limits if limit.window.kind is not WindowKind.REQUEST}
    sums = sums_then(connection, then, kept, at)
    rows = [(*key, 0, spend.requests, spend.cost.nano, *_counts(spend)) for key, spend in sums.items()]
    _fill(connection, "begun_total", f"SELECT * FROM {schema}.total", rows)
    whole = f"bucket < {hour} OR (dimension = '{MINUTES}' AND bucket + {MINUTE} <= {at + 1})"
    until = f"(SELECT CAST({_earlier(hour)} AS BIGINT) FROM {schema}.meta WHERE name = '{UNTIL}')"
    of_days = f"SELECT dimension, key, bucket - bucket % {DAY}, shard, {_SUMS} FROM begun_total WHERE bucket < {until}"
    views = {
        "total": f"SELECT * FROM {schema}.total WHERE {whole} UNION ALL SELECT * FROM begun_total",
        "meta": f"SELECT name, {_earlier(hour)} AS value FROM {schema}.meta",
        "alert": _alerts(at, schema),
        "delivery": _deliveries(at, schema),
        "silence": _silences(at, schema),
        "limit_raise": _raises(at, schema),
        **{name: f"SELECT * FROM {schema}.{name} WHERE {came} <= {at}" for name, came in _CAME.items()},
    }
    if any(bucket < hour for *_, bucket in sums):  # else days are read as fast as ever
        views["day_total"] = f"SELECT * FROM {schema}.day_total UNION ALL {of_days}"
    for name, query in views.items():
        connection.execute(text(f"CREATE TEMP VIEW {name} AS {query}"))


def _fill(connection: Connection, name: str, like: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """A table of this connection's own with the columns of a query."""
    connection.execute(text(f"CREATE TEMP TABLE {name} AS {like} WHERE 1 = 0"))
    if rows:
        places = [f"of_{number}" for number in range(len(rows[0]))]
        values = ", ".join(f":{place}" for place in places)
        insertion = text(f"INSERT INTO {name} VALUES ({values})")
        connection.execute(insertion, [dict(zip(places, row, strict=True)) for row in rows])


def _earlier(hour: int) -> str:
    """Facts as they were: the limits in force; and up to where days are summed, where that is beyond `hour` up to its
    day, whose sum holds what came later."""
    later = f"CASE WHEN CAST(value AS BIGINT) > {hour} THEN '{hour // DAY * DAY}' ELSE value END"
    return f"CASE name WHEN '{UNTIL}' THEN {later} WHEN '{APPLIED}' THEN (SELECT value FROM was_applied) ELSE value END"


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


def _raises(at: int, schema: str) -> str:
    """With the end that each had before it was taken back."""
    then = {"until": f"CASE WHEN until > {at} THEN coalesce(meant_until, until) ELSE until END"}
    return _with(then, LimitRaiseTable, f"{schema}.limit_raise WHERE since <= {at}")


def _with(then: Mapping[str, str], table: type[SQLModel], of: str) -> str:
    """A query for the columns of a table, some of them as they were."""
    columns = (column.name for column in table_of(table).columns)
    return f"SELECT {', '.join(f'{then[name]} AS {name}' if name in then else name for name in columns)} FROM {of}"


def _counts(spend: Spend) -> tuple[int, ...]:
    return spend.unpriced, spend.errors, spend.prompt_tokens, spend.completion_tokens, spend.failed


def oldest_request(connection: Connection) -> int | None:
    """When the oldest request that is kept happened, UTC µs."""
    return connection.execute(select(func.min(table_of(RequestTable).c.occurred_at))).scalar()
