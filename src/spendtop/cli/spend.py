"""`spendtop spend`: what was spent, by none, one or two dimensions."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from spendtop.cli.effective_limits import in_force, now
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.request_selection import span_of
from spendtop.cli.spending import Line, Spending, read_spending
from spendtop.cli.tables import amount, csv_text, local_time, say, table
from spendtop.domain.clock import DAY, to_iso
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import COLUMNS

_SHOWN = 50
_ALL = 100_000
_SUMS = (">requests", ">cost", ">prompt tokens", ">completion tokens", ">average", ">errors")
_CSV_SUMS = ("requests", "cost_usd", "cost_nanousd", "unpriced", "prompt_tokens", "completion_tokens", "errors")


def run(options: Options) -> int:
    """Print the totals."""
    arguments = options.arguments
    if arguments.json and arguments.csv:
        raise UsageError("--json and --csv exclude each other.")
    dimensions = _dimensions(arguments.by)
    settings = load_settings(options).settings
    with opened_store(settings) as store:
        with store.reading() as connection:
            calendar = in_force(connection, settings).calendar
        span = _span(arguments.since, arguments.until, calendar)
        most = _ALL if arguments.json or arguments.csv else _SHOWN
        found = read_spending(store, dimensions, span, most)
    if arguments.json:
        say(json.dumps(_answer(dimensions, span, found), ensure_ascii=True))
    elif arguments.csv:
        sys.stdout.write(_csv(dimensions, found))
    else:
        say(f"{local_time(span.since, calendar)} to {local_time(span.until, calendar)} {calendar.zone}")
        say(_table(dimensions, found))
    return ExitCode.OK


def _dimensions(text: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if len(names) > 2 or len(set(names)) < len(names) or not set(names) <= COLUMNS.keys():
        raise UsageError(f"--by takes one or two of {', '.join(COLUMNS)}, for example --by user,model.")
    return names


def _span(since: str | None, until: str | None, calendar: Calendar) -> Span:
    """Until now unless another end is given; the last day without any bound."""
    at = now()
    if since is None and until is None:
        return Span(at - DAY, at)
    span = span_of(since, until, at, calendar)
    ended = Span(span.since, at if span.until is None else span.until)
    if ended.is_empty:
        raise UsageError("--since lies behind --until.")
    return ended


def _table(dimensions: Sequence[str], found: Spending) -> str:
    rows = [(*(key or "(none)" for key in line.keys), *_cells(line.spend)) for line in found.lines]
    padding = [""] * (len(dimensions) - 1)
    if found.other_keys:
        rows.append((f"({found.other_keys:,} others)", *padding, *_cells(found.others)))
    if dimensions:
        rows.append(("total", *padding, *_cells(found.total)))
    else:
        rows = [_cells(found.total)]
    return table((*dimensions, *_SUMS), rows)


def _cells(spend: Spend) -> tuple[object, ...]:
    cost = f"{spend.unpriced:,} unpriced" if _is_unknown(spend) else amount(spend.cost, spend.unpriced)
    tokens = (f"{spend.prompt_tokens:,}", f"{spend.completion_tokens:,}")
    return f"{spend.requests:,}", cost, *tokens, spend.average, spend.errors or None


def _is_unknown(spend: Spend) -> bool:
    """Whether there are requests, and the cost of none is known."""
    return 0 < spend.requests == spend.unpriced


def _csv(dimensions: Sequence[str], found: Spending) -> str:
    lines = found.lines if dimensions else (Line((), found.total),)
    return csv_text((*dimensions, *_CSV_SUMS), [(*line.keys, *_csv_cells(line.spend)) for line in lines])


def _csv_cells(spend: Spend) -> tuple[object, ...]:
    cost = (None, None) if _is_unknown(spend) else (spend.cost.dollars, spend.cost.nano)
    return spend.requests, *cost, spend.unpriced, spend.prompt_tokens, spend.completion_tokens, spend.errors


def _answer(dimensions: Sequence[str], span: Span, found: Spending) -> dict[str, object]:
    return {
        "since": None if span.since is None else to_iso(span.since),
        "until": None if span.until is None else to_iso(span.until),
        "by": list(dimensions),
        **_sums(found.total),
        "data": [
            {**{name: key.raw or None for name, key in zip(dimensions, line.keys, strict=True)}, **_sums(line.spend)}
            for line in found.lines
        ],
    }


def _sums(spend: Spend) -> dict[str, object]:
    return {
        "cost_usd": None if _is_unknown(spend) else float(spend.cost.dollars),
        "cost_nanousd": None if _is_unknown(spend) else spend.cost.nano,
        "requests": spend.requests,
        "unpriced": spend.unpriced,
        "errors": spend.errors,
        "tokens": {"prompt": spend.prompt_tokens, "completion": spend.completion_tokens, "total": spend.tokens},
        "average_cost_usd": Usd.float_of(spend.average),
    }
