"""`spendtop spend`: what was spent, by none, one or two dimensions."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from msgspec import Struct
from msgspec.structs import replace

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.request_selection import span_of
from spendtop.cli.tables import csv_text, local_time, say, table
from spendtop.domain.breakdown.dimensions import PROPERTY
from spendtop.domain.clock import DAY, HOUR, to_iso
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.filters.tree import name_here
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.bills import bills_unseen
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.daily import (
    DAY_DIMENSION,
    day_spends,
    days_of,
    from_the_oldest,
    key_spends,
    last_days,
)
from spendtop.store.reads.spending.sums import DIMENSIONS, ERROR, Keys, by_key, by_keys, plan_spend, spend
from spendtop.store.reads.tokens.names import token_names

_NAMES = (*DIMENSIONS, DAY_DIMENSION, ERROR)
_OF_AGENTS = {name: f"{PROPERTY}{name}" for name in ("project", "branch")}
"""Properties of coding agents' calls that need no `prop.` before them."""
_TOKEN = "token"
_USUAL_DAYS = 30
NOTHING = Spend.nothing()
_SHOWN = 50
_ALL = 100_000
_SUMS = (">requests", ">cost", ">prompt tokens", ">completion tokens", ">average", ">errors", ">failed")
_EQUIVALENT = ">API-equivalent"
_CSV_SUMS = (
    "requests",
    "cost_usd",
    "cost_nanousd",
    "unpriced",
    "prompt_tokens",
    "completion_tokens",
    "errors",
    "failed",
    "api_equivalent_usd",
    "api_equivalent_nanousd",
)
_STEP = 6 * HOUR
"""What is read of the requests within one transaction, in µs."""


class Line(Struct, frozen=True):
    """Spend of one key, or of one pair of keys; a key is empty where requests name none."""

    keys: tuple[Untrusted, ...]
    spend: Spend
    plan: Spend = NOTHING
    """What calls under a plan would have cost, which is no spend."""


class Spending(Struct, frozen=True):
    """The largest lines, the others in one sum, and all requests together."""

    lines: tuple[Line, ...]
    others: Spend
    other_keys: int
    total: Spend
    plan: Spend = NOTHING
    """Of all calls under a plan, whichever line they are in."""


def run(options: Options) -> int:
    arguments = options.arguments
    if arguments.json and arguments.csv:
        raise UsageError("--json and --csv exclude each other.")
    dimensions = _dimensions(arguments.by)
    settings = load_readable(options).settings
    with opened_store(settings) as store:
        with store.reading() as connection:
            names = token_names(connection) if _TOKEN in dimensions else {}
            calendar = effective_limits(connection, settings).calendar
            bills = bills_unseen(connection, (), now())
        span = _span(arguments.since, arguments.until, calendar, dimensions)
        most = _ALL if arguments.json or arguments.csv else _SHOWN
        spending = _read_spending(store, dimensions, span, calendar, most)
        spending = _with_plans(store, dimensions, span, calendar, spending, most)
    if arguments.json:
        say(json.dumps(_answer(dimensions, span, spending, names), ensure_ascii=True))
    elif arguments.csv:
        sys.stdout.write(_csv(dimensions, spending, names))
    else:
        say(f"{local_time(span.since, calendar)} to {local_time(span.until, calendar)} {calendar.zone}")
        say(_table(dimensions, spending, names))
        if bills is not None and bills.day is not None and not spending.total.requests:
            told = f"{bills.day.words(now())} ({bills.day.age(now())})"
            say(f"No requests seen; {told}: `spendtop ledger list`")
    return ExitCode.OK


def _dimensions(text: str | None) -> tuple[str, ...]:
    names = tuple(_dimension(name.strip()) for name in text.split(",")) if text else ()
    is_known = all(name in _NAMES or name.startswith(PROPERTY) for name in names)
    if len(names) > 2 or len(set(names)) < len(names) or not is_known:
        known = ", ".join((*_NAMES, *_OF_AGENTS, f"{PROPERTY}NAME"))
        raise UsageError(f"--by takes one or two of {known}, for example --by user,model or --by day.")
    return names


def _dimension(name: str) -> str:
    if name in _OF_AGENTS:
        return _OF_AGENTS[name]
    return name if name.startswith(PROPERTY) and name != PROPERTY else name_here(name)


def _span(since: str | None, until: str | None, calendar: Calendar, dimensions: Sequence[str]) -> Span:
    """Until now unless another end is given; without any bound the last 24 hours, by day the last 30 local days."""
    at = now()
    if since is None and until is None:
        return Span(last_days(_USUAL_DAYS, at, calendar).since if DAY_DIMENSION in dimensions else at - DAY, at)
    span = span_of(since, until, at, calendar)
    ended = Span(span.since, at if span.until is None else span.until)
    if ended.is_empty:
        raise UsageError("--since lies behind --until.")
    return ended


def _named(dimensions: Sequence[str], line: Line, names: Mapping[str, str]) -> dict[str, Untrusted]:
    """The keys of a line by the columns that programs read: beside a token's value its name, as far as it has one."""
    columns: dict[str, Untrusted] = {}
    for dimension, key in zip(dimensions, line.keys, strict=True):
        columns[dimension] = key
        if dimension == _TOKEN:
            columns["token_name"] = Untrusted(names.get(key.raw, ""))
    return columns


def _table(dimensions: Sequence[str], spending: Spending, names: Mapping[str, str]) -> str:
    has_plan = bool(spending.plan.requests)

    def plan(under_plan: Spend) -> tuple[object, ...]:
        """The column of what calls under a plan would have cost, where there are some."""
        return (f"~{under_plan.words}" if under_plan.requests else None,) if has_plan else ()

    rows = [
        (*(key or "(none)" for key in _labels(dimensions, line, names)), *_cells(line.spend), *plan(line.plan))
        for line in spending.lines
    ]
    padding = [""] * (len(dimensions) - 1)
    if spending.other_keys:
        rows.append((f"({spending.other_keys:,} others)", *padding, *_cells(spending.others), *plan(NOTHING)))
    if dimensions:
        rows.append(("total", *padding, *_cells(spending.total), *plan(spending.plan)))
    else:
        rows = [(*_cells(spending.total), *plan(spending.plan))]
    titles = [name.removeprefix(PROPERTY) for name in dimensions]
    return table((*titles, *_SUMS, *((_EQUIVALENT,) if has_plan else ())), rows)


def _labels(dimensions: Sequence[str], line: Line, names: Mapping[str, str]) -> list[Untrusted]:
    """The keys of a line for people: tokens go by their names."""
    keys = zip(dimensions, line.keys, strict=True)
    return [Untrusted(names.get(key.raw, key.raw)) if dimension == _TOKEN else key for dimension, key in keys]


def _cells(spend: Spend) -> tuple[object, ...]:
    tokens = (f"{spend.prompt_tokens:,}", f"{spend.completion_tokens:,}")
    return f"{spend.requests:,}", spend.words, *tokens, spend.average, spend.errors or None, spend.failed or None


def _csv(dimensions: Sequence[str], spending: Spending, names: Mapping[str, str]) -> str:
    lines = spending.lines if dimensions else (Line((), spending.total, spending.plan),)
    keys = [column for name in dimensions for column in ((name, "token_name") if name == _TOKEN else (name,))]
    rows = [
        (*_named(dimensions, line, names).values(), *_csv_cells(line.spend), *_equivalent_cells(line.plan))
        for line in lines
    ]
    return csv_text((*keys, *_CSV_SUMS), rows)


def _csv_cells(spend: Spend) -> tuple[object, ...]:
    cost = spend.known_cost
    dollars = None if cost is None else cost.dollars
    return (
        spend.requests,
        dollars,
        Usd.nano_of(cost),
        spend.unpriced,
        spend.prompt_tokens,
        spend.completion_tokens,
        spend.errors,
        spend.failed,
    )


def _equivalent_cells(under_plan: Spend) -> tuple[object, ...]:
    """Empty where there are no calls under a plan, or nothing is known of them."""
    known = under_plan.known_cost if under_plan.requests else None
    return None if known is None else known.dollars, Usd.nano_of(known)


def _answer(dimensions: Sequence[str], span: Span, spending: Spending, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "since": None if span.since is None else to_iso(span.since),
        "until": None if span.until is None else to_iso(span.until),
        "by": list(dimensions),
        **_sums(spending.total),
        "api_equivalent": _plan_sums(spending.plan),
        "data": [
            {
                **{column: key.raw or None for column, key in _named(dimensions, line, names).items()},
                **_sums(line.spend),
                "api_equivalent": _plan_sums(line.plan),
            }
            for line in spending.lines
        ],
    }


def _plan_sums(under_plan: Spend) -> dict[str, object]:
    usd = Usd.float_of(under_plan.known_cost)
    return {"requests": under_plan.requests, "tokens": under_plan.tokens, "usd": usd}


def _sums(spend: Spend) -> dict[str, object]:
    return {
        **spend.figures(),
        "errors": spend.errors,
        "tokens": {"prompt": spend.prompt_tokens, "completion": spend.completion_tokens, "total": spend.tokens},
        "average_cost_usd": Usd.float_of(spend.average),
    }


def _read_spending(store: Store, dimensions: Sequence[str], span: Span, calendar: Calendar, most: int) -> Spending:
    """Exact spend, the largest `most` keys first, and days in their order: by one dimension or by day from the totals,
    by two others and by error from the requests."""
    if DAY_DIMENSION in dimensions:
        return _by_day(store, dimensions, from_the_oldest(store, span), calendar)
    if len(dimensions) == 2 or not set(dimensions) <= set(DIMENSIONS):
        return _largest(_read_keys(store, dimensions, from_the_oldest(store, span)), most)
    with store.reading() as connection:
        total = spend(connection, span.since, span.until)
        if not dimensions:
            return Spending((), Spend.nothing(), 0, total)
        breakdown = by_key(connection, dimensions[0], span.since, span.until, most)
    lines = tuple(Line((row.key,), row.spend) for row in breakdown.beside(total))
    return Spending(lines, breakdown.others, breakdown.other_keys, total)


def _with_plans(
    store: Store, dimensions: Sequence[str], span: Span, calendar: Calendar, spending: Spending, most: int
) -> Spending:
    """With what calls under a plan would have cost in each line, and lines for those who only used plans."""
    with store.reading() as connection:
        whole = plan_spend(connection, span.since, span.until)
    if not whole.requests or not dimensions or ERROR in dimensions:
        return replace(spending, plan=whole)
    plans = _plan_keys(store, dimensions, from_the_oldest(store, span), calendar)
    lines = [replace(line, plan=plans.pop(tuple(key.raw for key in line.keys), NOTHING)) for line in spending.lines]
    further = sorted(plans.items(), key=lambda item: (-item[1].cost.nano, item[0]))
    lines += [Line(tuple(map(Untrusted, keys)), NOTHING, plan) for keys, plan in further]
    if DAY_DIMENSION in dimensions:
        place = dimensions.index(DAY_DIMENSION)
        lines.sort(key=lambda line: line.keys[place].raw)
    return replace(spending, lines=tuple(lines[:most]), plan=whole)


def _plan_keys(store: Store, dimensions: Sequence[str], span: Span, calendar: Calendar) -> dict[Keys, Spend]:
    """By the dimensions, of which one may be the local day."""
    part = spend_sql.under_plan()
    if DAY_DIMENSION not in dimensions:
        return _read_keys(store, dimensions, span, part)
    place = dimensions.index(DAY_DIMENSION)
    others = [name for name in dimensions if name != DAY_DIMENSION]
    found: dict[Keys, Spend] = {}
    for day in days_of(span, calendar):
        date = f"{calendar.local(day.since or 0):%Y-%m-%d}"
        with store.reading() as connection:
            spends = by_keys(connection, others, day, part) if others else {(): plan_spend(connection, *day)}
        for keys, plan in spends.items():
            if plan.requests:
                found[(*keys[:place], date, *keys[place:])] = plan
    return found


def _by_day(store: Store, dimensions: Sequence[str], span: Span, calendar: Calendar) -> Spending:
    """Every day of the span, in its order; within a day the costliest first."""
    days = days_of(span, calendar)
    others = [dimension for dimension in dimensions if dimension != DAY_DIMENSION]
    spent: list[tuple[int, Untrusted | None, Spend]] = []
    if not others:
        spent += ((day.start, None, day.spend) for day in day_spends(store, days))
    elif others == [ERROR]:
        for day in days:
            errors = _largest(_read_keys(store, others, day), _ALL)
            spent += ((day.since or 0, line.keys[0], line.spend) for line in errors.lines)
    else:
        spent += ((each.start, each.row.key, each.row.spend) for each in key_spends(store, days, others[0]))
    lines = []
    for start, key, total in spent:
        date = Untrusted(f"{calendar.local(start):%Y-%m-%d}")
        keys = (date,) if key is None else (date, key) if dimensions[0] == DAY_DIMENSION else (key, date)
        lines.append(Line(keys, total))
    return Spending(tuple(lines), Spend.nothing(), 0, reduce(add, (line.spend for line in lines), Spend.nothing()))


def _largest(spent: Mapping[Keys, Spend], most: int) -> Spending:
    ordered = sorted(spent.items(), key=lambda item: (-item[1].cost.nano, -item[1].requests, item[0]))
    lines = [Line(tuple(map(Untrusted, keys)), total) for keys, total in ordered]
    return Spending(
        tuple(lines[:most]),
        reduce(add, (line.spend for line in lines[most:]), Spend.nothing()),
        len(lines[most:]),
        reduce(add, spent.values(), Spend.nothing()),
    )


def _read_keys(
    store: Store, dimensions: Sequence[str], span: Span, part: spend_sql.Portion | None = None
) -> dict[Keys, Spend]:
    assert span.since is not None and span.until is not None
    spent: dict[Keys, Spend] = {}
    for start in range(span.since, span.until, _STEP):
        _show_progress(start - span.since, span.until - span.since)
        with store.reading() as connection:
            spends = by_keys(connection, dimensions, Span(start, min(start + _STEP, span.until)), part)
        for keys, total in spends.items():
            spent[keys] = spent.get(keys, Spend.nothing()) + total
    _clear_progress()
    return spent


def _show_progress(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done * 100 // whole} % ")
        sys.stderr.flush()


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
