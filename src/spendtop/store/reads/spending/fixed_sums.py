"""The sums that every picture needs many times, as SQL that is made once: to make it took longer than to read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import BigInteger, Connection, Select, Table, Text, bindparam, select, union_all

from spendtop.store.fixed_select import FixedSelect
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.totals import Totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_FIRST, _LAST = -(2**62), 2**62
"""Stand for the ends of what is open."""

Sums = list[Any]
"""Rows of `spend_sql.NAMES`."""


def of_key(connection: Connection, parts: Sequence[Totals], key: str) -> Sums:
    """One row for each part: of one key of it."""
    return _of_key(shapes(parts)).tuples(connection, {**values(parts), "key_": key}) if parts else []


def of_all_keys(connection: Connection, parts: Sequence[Totals]) -> Sums:
    """One row for each part: of all its keys together."""
    return _of_all_keys(shapes(parts)).tuples(connection, values(parts)) if parts else []


def of_requests(connection: Connection, spans: Sequence[Span]) -> Sums:
    """One row for each span: of what was spent in it, from the requests themselves."""
    ends = {name: value for number, span in enumerate(spans) for name, value in _ends(span, f"{number}").items()}
    return _of_requests(len(spans)).tuples(connection, ends) if spans else []


@cache
def _of_key(parts: tuple[Totals, ...]) -> FixedSelect:
    return FixedSelect(union_all(*(_sums(part).where(part.key == bindparam("key_")) for part in parts)))


@cache
def _of_all_keys(parts: tuple[Totals, ...]) -> FixedSelect:
    return FixedSelect(union_all(*map(_sums, parts)))


def _sums(part: Totals) -> Select[Any]:
    return select(*spend_sql.of_totals(part.table)).where(part.holds)


@cache
def _of_requests(count: int) -> FixedSelect:
    spent, at = spend_sql.spent(), table_of(RequestTable).c.occurred_at
    parts = (select(*spent.columns).where(spent.condition, _any_span(f"{number}").holds(at)) for number in range(count))
    return FixedSelect(union_all(*parts))


def shapes(parts: Sequence[Totals]) -> tuple[Totals, ...]:
    """The same with nothing but names for what differs from one time to the next; `values` has that."""
    return tuple(_shape(number, part.table, part.are_few) for number, part in enumerate(parts))


@cache
def _shape(number: int, table: Table, are_few: bool) -> Totals:
    dimension = bindparam(f"dimension_{number}", type_=Text())
    return Totals(table, cast(str, dimension), _any_span(f"{number}"), are_few)


def values(parts: Sequence[Totals]) -> dict[str, object]:
    """What is looked for in the shapes of these parts."""
    found: dict[str, object] = {}
    for number, part in enumerate(parts):
        found |= {f"dimension_{number}": part.dimension, **_ends(part.span, f"{number}")}
    return found


def _any_span(which: str) -> Span:
    since, until = (bindparam(f"{end}_{which}", type_=BigInteger()) for end in ("since", "until"))
    return Span(cast(int, since), cast(int, until))


def _ends(span: Span, which: str) -> dict[str, object]:
    return {
        f"since_{which}": _FIRST if span.since is None else span.since,
        f"until_{which}": _LAST if span.until is None else span.until,
    }
