"""Requests on their way out: one as plain values, all that a query selects, and both as CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.domain.clock import to_iso
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.requests.fields import FIELDS, RequestField, ValueKind
from spendtop.domain.requests.provider_usage import unpack
from spendtop.domain.spreadsheet import cell
from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import Order, RequestPage, RequestQuery, page
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.spending.bucket_spans import Span, in_slices

PAGE = 500
"""Requests per read."""

Pages = Iterable[Sequence[RequestRow]]


Record = dict[str, Any]
"""One request as JSON values by the names of `COLUMNS`. Instants are RFC 3339 in UTC; text is as it came."""


def record(row: RequestRow) -> Record:
    """One request as JSON values."""
    values = list(_values(row))
    for place, convert in _TO_JSON:
        values[place] = convert(values[place])
    return dict(zip(COLUMNS, values, strict=True))


def _to_json(field: RequestField, column: str) -> Callable[[Any], Any] | None:
    """What makes a JSON value of a field's value that is none."""
    match field.kind:
        case ValueKind.ID:
            return str
        case ValueKind.OTHER_ID:
            return lambda id: None if id is None else str(id)
        case ValueKind.QUANTITIES:
            return lambda quantities: quantities or {}
        case ValueKind.USAGE:
            return unpack
        case ValueKind.SOURCES:
            return list
        case ValueKind.INSTANT:
            return to_iso
        case ValueKind.TEXT:
            return _raw
        case ValueKind.WORD:
            return field.text_of_word
        case ValueKind.MONEY:
            return Usd.nano_of if column.endswith("_nanousd") else Usd.float_of
    return None


def _raw(text: Untrusted | None) -> str | None:
    return None if text is None else str.__str__(text)


_EXPORTED = tuple((column, field) for field in FIELDS for column in field.exported)
COLUMNS = tuple(column for column, _ in _EXPORTED)
"""Of every export, in their order."""
_values = attrgetter(*(field.exported_path for _, field in _EXPORTED))
_TO_JSON = tuple(
    (place, convert)
    for place, (column, field) in enumerate(_EXPORTED)
    if (convert := _to_json(field, column)) is not None
)


def pages(store: Store, query: RequestQuery, context: FilterContext) -> Iterator[tuple[RequestRow, ...]]:
    """All requests that `query` selects, in its order; each page is a short read transaction of its own.

    Pages may be empty, so that a search that finds little can be stopped in between. By time a long span is read in
    slices; by any other order each page looks through all of it. Raises UsageError for what the database cannot search.
    """
    if query.order is not Order.TIME:
        yield from _pages(store, query, context, _first_page(store, query, context))
        return

    def first_page(connection: Connection, part: Span) -> tuple[RequestQuery, RequestPage]:
        within = replace(query, since=part.since, until=part.until)
        return within, page(connection, within, context, None, PAGE)

    span = Span(query.since, query.until)
    for within, first in in_slices(store, span, first_page, newest_first=query.descending):
        yield from _pages(store, within, context, first)


def counting(pages: Pages, note: Callable[[int], None]) -> Iterator[Sequence[RequestRow]]:
    """The same pages; before each, `note` is told how many requests have come with it."""
    count = 0
    for rows in pages:
        count += len(rows)
        note(count)
        yield rows


def csv_chunks(pages: Pages) -> Iterator[bytes]:
    """A CSV file, a page at a time: UTF-8, every cell quoted, harmless text, the header also without any request."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for rows in pages:
        writer.writerows([map(cell, record(row).values()) for row in rows])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def jsonl_chunks(pages: Pages) -> Iterator[bytes]:
    """One JSON object per line, a page at a time, in ASCII that no terminal obeys."""
    for rows in pages:
        yield "".join(f"{ascii_json(record(row))}\n" for row in rows).encode()


FORMATS: Mapping[str, Callable[[Pages], Iterator[bytes]]] = {"csv": csv_chunks, "jsonl": jsonl_chunks}
"""How exports can be written, by the ending of their files."""


def ascii_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=True, indent=indent).replace("\x7f", "\\u007f")


def _first_page(store: Store, query: RequestQuery, context: FilterContext) -> RequestPage:
    with store.reading() as connection:
        return page(connection, query, context, None, PAGE)


def _pages(
    store: Store, query: RequestQuery, context: FilterContext, first: RequestPage
) -> Iterator[tuple[RequestRow, ...]]:
    current = first
    yield current.rows
    while current.next_cursor is not None:
        with store.reading() as connection:
            current = page(connection, query, context, current.next_cursor, PAGE)
        yield current.rows
