"""Requests as Parquet files for analytical tools: one per UTC day of a folder, `day=2026-11-28/requests.parquet`.

Beside the days lies what they were written from. A later export that goes on from there writes those days anew of which
anything changed, also by late requests and corrections; an interrupted one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, func, literal_column, select

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.requests.fields import FIELDS, RequestField, ValueKind
from spendtop.domain.requests.provider_usage import unpack
from spendtop.services.exchange.export import ascii_json, pages
from spendtop.store.engine import Store
from spendtop.store.new_file import file_in_place_of
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.spending.sums import PLAN, SHADOW
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, RevisionTable, TotalTable

if TYPE_CHECKING:
    import pyarrow as pa

FILE, STATE = "requests.parquet", "_spendtop.json"
_GROUP = 20_000
"""Rows that are written at a time."""
_DIMENSIONS = ("all", SHADOW, PLAN)
"""Each request is in the totals of one of them."""
_SUMS = ("requests", "cost_nano", "unpriced", "errors", "prompt_tokens", "completion_tokens")


class ExportState(msgspec.Struct):
    """What a folder was written from."""

    filter: str
    days: dict[str, list[int]] = {}
    """By day, its sums in the totals."""
    revision: int = 0
    """The newest correction that is in it."""


@dataclass(slots=True)
class WrittenDays:
    """What came of an export so far."""

    days: int = 0
    requests: int = 0


def read_state(folder: Path) -> ExportState | None:
    """What the folder was written from; None where nobody wrote one. Raises UsageError for a damaged one."""
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=ExportState)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError):
        raise UsageError(f"{folder / STATE} cannot be read. Export into a new folder.") from None


def export_days(
    store: Store, query: RequestQuery, context: FilterContext, folder: Path, state: ExportState
) -> Iterator[WrittenDays]:
    """Write the days that `query` selects and that differ from `state`, the oldest first; after each, how far it is.

    `state` is kept in the folder day by day. Raises CannotCreate and CannotWrite.
    """
    with store.reading() as connection:
        newest = int(connection.execute(select(func.max(table_of(RevisionTable).c.id))).scalar() or 0)
        corrected = _corrected_days(connection, state.revision)
        sums = _sums_by_day(connection, query)
    written = WrittenDays()
    for day, of_day in sorted(sums.items()):
        name = f"{to_datetime(day * DAY):%Y-%m-%d}"
        if state.days.get(name) == of_day and day not in corrected:
            continue
        within = replace(query, since=day * DAY, until=(day + 1) * DAY)
        written.requests += _write_day(store, within, context, folder / f"day={name}")
        written.days += 1
        state.days[name] = of_day
        _keep(folder, state)
        yield written
    state.revision = newest
    _keep(folder, state)


def _keep(folder: Path, state: ExportState) -> None:
    with file_in_place_of(folder / STATE) as part:
        part.write_bytes(msgspec.json.encode(state))


def _sums_by_day(connection: Connection, query: RequestQuery) -> dict[int, list[int]]:
    total = table_of(TotalTable)
    day = (total.c.bucket // literal_column(str(DAY), BigInteger)).label("day")
    statement = (
        select(day, *(func.sum(total.c[name]).label(name) for name in _SUMS))
        .where(total.c.dimension.in_(_DIMENSIONS))
        .group_by(day)
    )
    if query.since is not None:
        statement = statement.where(total.c.bucket >= query.since)
    if query.until is not None:
        statement = statement.where(total.c.bucket < query.until)
    return {int(row.day): [int(row._mapping[name]) for name in _SUMS] for row in connection.execute(statement)}


def _corrected_days(connection: Connection, after: int) -> set[int]:
    """Days of requests that were corrected since."""
    request, revision = table_of(RequestTable), table_of(RevisionTable)
    day = request.c.occurred_at // literal_column(str(DAY), BigInteger)
    statement = select(day).join(revision, revision.c.request_id == request.c.id).where(revision.c.id > after)
    return {int(one) for one in connection.execute(statement.distinct()).scalars()}


def _write_day(store: Store, query: RequestQuery, context: FilterContext, folder: Path) -> int:
    """How many requests the day's file has now; a day without any has none."""
    import pyarrow.parquet as pq

    schema, count = _schema(), 0
    folder.mkdir(mode=0o700, exist_ok=True)
    with file_in_place_of(folder / FILE) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for rows in _groups(store, query, context):
            writer.write_table(_table(rows, schema))
            count += len(rows)
    if not count:
        (folder / FILE).unlink()
        with suppress(OSError):
            folder.rmdir()
    return count


def _groups(store: Store, query: RequestQuery, context: FilterContext) -> Iterator[list[RequestRow]]:
    waiting: list[RequestRow] = []
    for rows in pages(store, query, context):
        waiting += rows
        if len(waiting) >= _GROUP:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _table(rows: list[RequestRow], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    by_column = zip(*map(_values, rows), strict=True)
    columns = [
        [None if value is None else convert(value) for value in values] if convert is not None else list(values)
        for convert, values in zip(_CONVERT, by_column, strict=True)
    ]
    return pa.table(dict(zip(_NAMES, columns, strict=True)), schema=schema)


def _schema() -> pa.Schema:
    import pyarrow as pa

    texts = pa.map_(pa.string(), pa.string())
    kinds: Mapping[ValueKind, Any] = {
        ValueKind.ID: pa.int64(),
        ValueKind.OTHER_ID: pa.int64(),
        ValueKind.FLAG: pa.bool_(),
        ValueKind.INSTANT: pa.timestamp("us", tz="UTC"),
        ValueKind.TOKENS: pa.int64(),
        ValueKind.MILLISECONDS: pa.int64(),
        ValueKind.HTTP_STATUS: pa.int16(),
        ValueKind.TEXTS: texts,
        ValueKind.IDS: texts,
        ValueKind.QUANTITIES: pa.map_(pa.string(), pa.float64()),
        ValueKind.SOURCES: pa.list_(pa.string()),
    }

    def kind_of(column: str, field: RequestField) -> pa.DataType:
        if field.kind is ValueKind.MONEY:
            return pa.int64() if column.endswith("_nanousd") else pa.decimal128(38, 9)
        return kinds.get(field.kind, pa.string())

    return pa.schema([(column, kind_of(column, field)) for column, field in _EXPORTED])


def _converter(column: str, field: RequestField) -> Callable[[Any], Any] | None:
    """What makes a cell of a field's value that is not unknown."""
    match field.kind:
        case ValueKind.MONEY:
            return attrgetter("nano") if column.endswith("_nanousd") else attrgetter("dollars")
        case ValueKind.TEXT:
            return lambda text: text.raw
        case ValueKind.WORD:
            return attrgetter("value")
        case ValueKind.TEXTS | ValueKind.IDS | ValueKind.QUANTITIES:
            return lambda values: list(values.items())
        case ValueKind.USAGE:
            return lambda packed: ascii_json(unpack(packed))
    return None


_EXPORTED = tuple((column, field) for field in FIELDS for column in field.exported)
_NAMES = tuple(column for column, _ in _EXPORTED)
_CONVERT = tuple(_converter(column, field) for column, field in _EXPORTED)
_values = attrgetter(*(field.exported_path for _, field in _EXPORTED))
