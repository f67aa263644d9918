"""Requests on their way out: one as plain values, all that a query selects, and both as CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from typing_extensions import TypedDict  # the one that pydantic can describe on Python 3.11

from spendtop.domain.clock import to_iso
from spendtop.domain.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.spreadsheet import cell
from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.requests import Order, Page, RequestQuery, page
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.time_slices import in_slices

PAGE = 500
"""Requests per read."""

Pages = Iterable[Sequence[RequestRow]]


class Record(TypedDict):
    """One request as JSON values: the columns of every export, in their order. None is unknown.

    Instants are RFC 3339 in UTC; text is as it came from outside.
    """

    id: str
    external_ids: dict[str, str]
    occurred_at: str
    time_source: str
    received_at: str
    provider: str | None
    model: str | None
    status: str
    http_status: int | None
    user_id: str | None
    session_id: str | None
    session_path: str | None
    token: str | None
    properties: dict[str, str]
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    cost_nanousd: int | None
    basis: str
    reported_cost_usd: float | None
    computed_cost_usd: float | None
    verified: bool
    cached: bool
    latency_ms: int | None
    ttft_ms: int | None
    sources: list[str]
    response_id: str | None
    time_suspect: bool
    price_version: str | None
    counted: bool
    body_state: str


COLUMNS = tuple(Record.__annotations__)


def record(row: RequestRow) -> Record:
    """One request as JSON values."""
    return {
        "id": str(row.id),
        "external_ids": row.external_ids,
        "occurred_at": to_iso(row.occurred_at),
        "time_source": row.time_source,
        "received_at": to_iso(row.received_at),
        "provider": _raw(row.provider),
        "model": _raw(row.model),
        "status": row.status.value,
        "http_status": row.http_status,
        "user_id": _raw(row.user_id),
        "session_id": _raw(row.session_id),
        "session_path": _raw(row.session_path),
        "token": _raw(row.token),
        "properties": row.properties,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "total_tokens": row.total_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": _dollars(row.cost),
        "cost_nanousd": None if row.cost is None else row.cost.nano,
        "basis": row.basis.value,
        "reported_cost_usd": _dollars(row.reported_cost),
        "computed_cost_usd": _dollars(row.computed_cost),
        "verified": row.verified,
        "cached": row.cached,
        "latency_ms": row.latency_ms,
        "ttft_ms": row.ttft_ms,
        "sources": list(row.sources),
        "response_id": row.response_id,
        "time_suspect": row.time_suspect,
        "price_version": row.price_version,
        "counted": row.counted,
        "body_state": row.body_state.value,
    }


def pages(store: Store, query: RequestQuery, context: FilterContext) -> Iterator[tuple[RequestRow, ...]]:
    """All requests that `query` selects, in its order; each page is a short read transaction of its own.

    Pages may be empty, so that a search that finds little can be stopped in between. By time a long span is read in
    slices; by any other order each page looks through all of it. Raises UsageError for what the database cannot search.
    """
    if query.order is not Order.TIME:
        yield from _pages(store, query, context, _first_page(store, query, context))
        return

    def first_page(connection: Connection, part: Span) -> tuple[RequestQuery, Page]:
        within = replace(query, since=part.since, until=part.until)
        return within, page(connection, within, context, None, PAGE)

    span = Span(query.since, query.until)
    for within, found in in_slices(store, span, first_page, newest_first=query.descending):
        yield from _pages(store, within, context, found)


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
    """JSON in printable ASCII."""
    return json.dumps(value, ensure_ascii=True, indent=indent).replace("\x7f", "\\u007f")


def _first_page(store: Store, query: RequestQuery, context: FilterContext) -> Page:
    with store.reading() as connection:
        return page(connection, query, context, None, PAGE)


def _pages(store: Store, query: RequestQuery, context: FilterContext, first: Page) -> Iterator[tuple[RequestRow, ...]]:
    found = first
    yield found.rows
    while found.next_cursor is not None:
        with store.reading() as connection:
            found = page(connection, query, context, found.next_cursor, PAGE)
        yield found.rows


def _raw(text: Untrusted | None) -> str | None:
    return None if text is None else text.raw


def _dollars(amount: Usd | None) -> float | None:
    return None if amount is None else float(amount.dollars)
