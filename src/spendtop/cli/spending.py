"""Spend by key, from totals for one dimension and from the requests for two."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from spendtop.domain.clock import HOUR
from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import Pair, by_key, by_pair, oldest_hour, spend

_STEP = 6 * HOUR
"""What is read of the requests within one transaction, in µs."""


@dataclass(frozen=True, slots=True)
class Line:
    """Spend of one key, or of one pair of keys; a key is empty where requests name none."""

    keys: tuple[Untrusted, ...]
    spend: Spend


@dataclass(frozen=True, slots=True)
class Spending:
    """The largest lines, the others in one sum, and all requests together."""

    lines: tuple[Line, ...]
    others: Spend
    other_keys: int
    total: Spend


def read_spending(store: Store, dimensions: Sequence[str], span: Span, most: int) -> Spending:
    """Exact spend in `span` by none, one or two dimensions, the largest `most` keys first."""
    if len(dimensions) == 2:
        return _by_two(store, (dimensions[0], dimensions[1]), span, most)
    with store.reading() as connection:
        total = spend(connection, span.since, span.until)
        if not dimensions:
            return Spending((), Spend.nothing(), 0, total)
        found = by_key(connection, dimensions[0], span.since, span.until, most)
    lines = tuple(Line((row.key,), row.spend) for row in found.beside(total))
    return Spending(lines, found.others, found.other_keys, total)


def _by_two(store: Store, dimensions: Pair, span: Span, most: int) -> Spending:
    found = _read_pairs(store, dimensions, span)
    ordered = sorted(found.items(), key=lambda item: (-item[1].cost.nano, -item[1].requests, item[0]))
    lines = [Line(tuple(map(Untrusted, keys)), total) for keys, total in ordered]
    return Spending(
        tuple(lines[:most]),
        reduce(add, (line.spend for line in lines[most:]), Spend.nothing()),
        len(lines[most:]),
        reduce(add, found.values(), Spend.nothing()),
    )


def _read_pairs(store: Store, dimensions: Pair, span: Span) -> dict[Pair, Spend]:
    with store.reading() as connection:
        since = oldest_hour(connection) if span.since is None else span.since
    found: dict[Pair, Spend] = {}
    if since is None or span.until is None:
        return found
    for start in range(since, span.until, _STEP):
        _show_progress(start - since, span.until - since)
        with store.reading() as connection:
            part = by_pair(connection, dimensions, Span(start, min(start + _STEP, span.until)))
        for keys, total in part.items():
            found[keys] = found.get(keys, Spend.nothing()) + total
    _clear_progress()
    return found


def _show_progress(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done * 100 // whole} % ")
        sys.stderr.flush()


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
