"""Requests that a filter selects, found slice by slice of time: the first ones are there long before the last.

Text in prompts and answers is looked for in the bodies of those requests that the rest of the filter leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.filters.body_text import holds
from spendtop.domain.filters.filters import EVERYTHING, Comparison, FilterContext, Pattern, body_terms, candidates
from spendtop.store import bodies, dictionaries
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import (
    ListedSpend,
    RequestCursor,
    RequestPage,
    RequestQuery,
    conditions,
    listed_spend,
    page,
    refuse_unsearchable,
)
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.spending.bucket_spans import Span, extent, in_slices
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable

_AT_ONCE = 100
"""Bodies in memory."""


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """What was found up to now."""

    page: RequestPage
    """The first requests; there are more behind it once it has a cursor, and before the end there may be."""
    sums: ListedSpend
    """Over all that was looked through."""
    share: float
    """How much that is, from 0 to 1."""


def search(
    store: Store, query: RequestQuery, context: FilterContext, cursor: str | None, size: int
) -> Iterator[SearchProgress]:
    """The `size` requests after `cursor` and the sums over all that follow it, in the order of time; after every slice
    what it has so far, and at least once.

    Raises UsageError for a cursor that is not from such a list, and for what the database cannot search.
    """
    span = Span(query.since, query.until)
    if cursor is not None:
        at = RequestCursor.read(cursor, query).value or 0
        assert isinstance(at, int)  # an instant: the order is that of time
        span = Span(span.since, at + 1) if query.descending else Span(at, span.until)
    with store.reading() as connection:
        refuse_unsearchable(connection, query)
        whole = extent(connection, span)
    rows: list[RequestRow] = []
    following: str | None = None
    sums = ListedSpend.nothing()

    def read(connection: Connection, part: Span) -> tuple[Span, RequestPage, ListedSpend]:
        here = replace(query, since=part.since, until=part.until)
        looked = replace(context, found=_found(connection, here, context))
        missing = size - len(rows)
        found = page(connection, here, looked, cursor, missing) if missing else RequestPage((), following)
        is_empty = missing and not found.rows
        return part, found, ListedSpend.nothing() if is_empty else listed_spend(connection, here, looked)

    for part, found, spent in in_slices(store, span, read, newest_first=query.descending):
        rows += found.rows
        if following is None and (found.next_cursor or len(rows) == size):
            last = rows[-1]
            following = RequestCursor(query.order, query.descending, last.occurred_at, last.id).write()
        sums += spent
        yield SearchProgress(RequestPage(tuple(rows), following), sums, _share(whole, part, query.descending))
    yield SearchProgress(RequestPage(tuple(rows), following), sums, 1.0)


def _share(whole: Span, part: Span, newest_first: bool) -> float:
    assert whole.since is not None and whole.until is not None and part.since is not None and part.until is not None
    done = whole.until - part.since if newest_first else part.until - whole.since
    return min(done / max(whole.until - whole.since, 1), 1.0)


def _found(
    connection: Connection, query: RequestQuery, context: FilterContext
) -> dict[Comparison, frozenset[int]] | None:
    """In which requests each text is that the filter looks for in bodies."""
    terms = body_terms(query.filter or EVERYTHING)
    if not terms:
        return None
    request, body = table_of(RequestTable), table_of(BodyTable)
    likely = replace(query, filter=candidates(query.filter or EVERYTHING))
    statement = (
        select(body.c.request_id, body.c.data)
        .join(request, request.c.id == body.c.request_id)
        .where(*conditions(likely, context, connection))
        .execution_options(yield_per=_AT_ONCE)
    )
    dictionaries.learn_all(connection)
    found: dict[Comparison, set[int]] = {term: set() for term in terms}
    for request_id, data in connection.execute(statement):
        try:
            prompt, response = bodies.decode(data)
        except StoreCorrupt:
            continue
        texts = {"prompt": (prompt,), "response": (response,), "body": (prompt, response)}
        for term, ids in found.items():
            assert isinstance(term.value, Pattern)
            if any(holds(text, term.value) for text in texts[term.field]):
                ids.add(request_id)
    return {term: frozenset(ids) for term, ids in found.items()}
