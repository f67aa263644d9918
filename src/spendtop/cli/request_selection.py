"""Which requests a command is about: its filter and its span of time."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, FilterError, parse_filter
from spendtop.domain.filters.values import parse_since_until
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, refuse_unsearchable
from spendtop.store.reads.spending.bucket_spans import Span


@contextmanager
def selected(options: Options, calendar: Calendar | None = None) -> Iterator[tuple[Store, RequestQuery, FilterContext]]:
    """The store, and what the command's arguments select in it; days are those of `calendar`, else of the collector's.

    Raises UsageError, and what `opened_store` raises.
    """
    settings = load_readable(options).settings
    with opened_store(settings) as store:
        with store.reading() as connection:
            context = FilterContext(now(), calendar or effective_limits(connection, settings).calendar)
            query = query_of(options.arguments, context)
            refuse_unsearchable(connection, query)
        yield store, query, context


def query_of(arguments: Namespace, context: FilterContext) -> RequestQuery:
    """What `filter`, `since` and `until` of these arguments select, newest first. Raises UsageError."""
    span = span_of(arguments.since, arguments.until, context.now_us, context.calendar)
    words = " ".join(arguments.filter)
    try:
        return RequestQuery(parse_filter(words) if words else None, span.since, span.until)
    except FilterError as wrong:
        raise UsageError(f"The filter: {wrong}") from None


def span_of(since: str | None, until: str | None, now: int, calendar: Calendar) -> Span:
    """What --since and --until mean; open where one is missing. Raises UsageError."""
    if since is None and until is None:
        return Span(None, None)
    try:
        bounds = parse_since_until(since or "", until or "").resolve(now, calendar)
    except ValueError as wrong:
        raise UsageError(f"--since or --until: {wrong}") from None
    span = Span(bounds.start_us, bounds.end_us)
    if span.is_empty:
        raise UsageError("--since lies behind --until.")
    return span


def instant_of(text: str, now: int, calendar: Calendar) -> int:
    """What --at means, UTC µs; of a date its begin. Raises UsageError."""
    try:
        begin = parse_since_until(text, "").resolve(now, calendar).start_us
    except ValueError as wrong:
        raise UsageError(f"--at: {wrong}") from None
    if begin is None:
        raise UsageError("--at is a time, such as 2h, 14:00, yesterday or 2026-11-01T14:00.")
    return begin
