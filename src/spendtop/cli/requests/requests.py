"""`spendtop requests`: the newest requests that a filter selects."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

from spendtop.cli.exchange.export import print_bytes
from spendtop.cli.options import Options
from spendtop.cli.request_selection import selected
from spendtop.cli.tables import say, table
from spendtop.domain.cost_words import bounded, cost_words, equivalent_words, exact
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.requests.marks import marks
from spendtop.domain.requests.request import Status
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import FORMATS, ascii_json, pages, record
from spendtop.store.engine import Store
from spendtop.store.reads.requests.identities import SHORT_ID
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.rows import RequestRow

_HEADERS = ("id", "time", "who", "model", ">tokens", ">cost", "status", ">latency")


def run(options: Options) -> int:
    arguments = options.arguments
    kind = _kind(arguments)
    with selected(options) as (store, query, context):
        newest = _newest(store, query, context, arguments.limit + 1)
    rows = newest[: arguments.limit]
    if kind == "json":
        say(ascii_json({"data": [record(row) for row in rows]}))
    elif kind is not None:
        print_bytes(FORMATS[kind]([rows]))
    else:
        write_cost = exact_cost if arguments.exact else cost
        cells = [_cells(row, context.calendar, write_cost) for row in rows]
        say(table(_HEADERS, cells) if rows else nothing(arguments))
        for mark in dict.fromkeys(mark for row in rows for mark in marks(row.cost, row.probable_twin_of)):
            say(f"{mark.sign}  {mark.meaning}")
        if len(newest) > len(rows):
            say(f"There are more; --limit {arguments.limit * 10} shows more of them.")
    return ExitCode.OK


def cost(row: RequestRow) -> str:
    """What people read. A cost in parentheses is in no total, as another source counts the request."""
    if row.is_plan:
        return equivalent_words(row.cost.api_equivalent, bounded(str, row.output_final))
    words = cost_words(row.cost.amount) if row.cost.amount is None else bounded(str, row.output_final)(row.cost.amount)
    return words if row.counted else f"({words})"


def exact_cost(row: RequestRow) -> str:
    """The same with all digits."""
    amount, write = row.cost.amount, bounded(exact, row.output_final)
    if row.is_plan:
        return equivalent_words(row.cost.api_equivalent, write)
    return cost(row) if amount is None else write(amount) if row.counted else f"({write(amount)})"


def short_id(request_id: int) -> str:
    """Its last digits, which commands take for it."""
    return str(request_id)[-SHORT_ID:]


def nothing(arguments: Namespace) -> str:
    if arguments.filter:
        return "Nothing matches the filter."
    if arguments.since is not None or arguments.until is not None:
        return "Nothing was recorded in this span of time."
    return "Nothing is recorded yet."


def latency(milliseconds: int) -> str:
    """Seconds with two digits."""
    return f"{milliseconds / 1000:.2f}s"


def status(row: RequestRow) -> str:
    """How it ended, with the HTTP status of one that failed."""
    if row.status is Status.OK or row.http_status is None:
        return row.status.value
    return f"{row.status.value} {row.http_status}"


def _kind(arguments: Namespace) -> str | None:
    kinds = [kind for kind in ("json", *FORMATS) if getattr(arguments, kind)]
    if len(kinds) > 1:
        raise UsageError("--json, --csv and --jsonl exclude each other.")
    if arguments.limit < 1:
        raise UsageError("--limit takes a number from 1 on.")
    return kinds[0] if kinds else None


def _newest(store: Store, query: RequestQuery, context: FilterContext, most: int) -> Sequence[RequestRow]:
    newest: list[RequestRow] = []
    for rows in pages(store, query, context):
        newest += rows
        if len(newest) >= most:
            break
    return newest[:most]


def _cells(row: RequestRow, calendar: Calendar, write_cost: Callable[[RequestRow], str]) -> tuple[object, ...]:
    return (
        short_id(row.id),
        f"{calendar.local(row.occurred_at):%Y-%m-%d %H:%M:%S}",
        row.user_id,
        row.model,
        None if row.usage.total is None else f"{row.usage.total:,}",
        write_cost(row) + "".join(mark.sign for mark in marks(row.cost, row.probable_twin_of)),
        status(row),
        None if row.latency_ms is None else latency(row.latency_ms),
    )
