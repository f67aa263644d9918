"""Cutting a span of time into whole buckets and the edges beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


class Span(NamedTuple):
    """UTC microseconds from `since` inclusive to `until` exclusive; None is open."""

    since: int | None
    until: int | None

    @property
    def is_empty(self) -> bool:
        """Whether no instant lies in it."""
        return self.since is not None and self.until is not None and self.since >= self.until

    def holds(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        """The SQL condition that the column lies in it."""
        conditions = []
        if self.since is not None:
            conditions.append(column >= self.since)
        if self.until is not None:
            conditions.append(column < self.until)
        return and_(true(), *conditions)

    def cut(self, unit: int) -> tuple[Span | None, tuple[Span, ...]]:
        """The whole buckets of `unit` µs within it, and what is left at either end. None when there is no whole one."""
        if self.is_empty:
            return None, ()
        inner = Span(
            None if self.since is None else -(-self.since // unit) * unit,
            None if self.until is None else self.until // unit * unit,
        )
        if inner.is_empty:
            return None, (self,)
        ends = (Span(self.since, inner.since), Span(inner.until, self.until))
        return inner, tuple(end for end in ends if end.since != end.until)

    def widened(self, unit: int) -> Span:
        """The buckets of `unit` µs that it touches."""
        return Span(
            None if self.since is None else self.since // unit * unit,
            None if self.until is None else -(-self.until // unit) * unit,
        )


_QUICK, _SLOW = 0.02, 0.08
"""Seconds of reading below which the next slice is twice as wide, and above which it is half as wide."""
_FIRST, _NARROWEST, _WIDEST = HOUR, MINUTE, DAY

Found = TypeVar("Found")


def in_slices(
    store: Store,
    span: Span,
    read: Callable[[Connection, Span], Found],
    *,
    newest_first: bool = True,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Found]:
    """What `read` finds in each slice of the part of `span` in which there are requests.

    Every slice is a read transaction of its own, and none is open while the caller works. What arrives meanwhile and
    happened after everything that was there at the beginning is left out.
    """
    with store.reading() as connection:
        left = extent(connection, span)
    width = _FIRST
    while not left.is_empty:
        part, left = _cut(left, width, newest_first)
        began = monotonic()
        with store.reading() as connection:
            result = read(connection, part)
        took = monotonic() - began
        yield result
        if took < _QUICK:
            width = min(width * 2, _WIDEST)
        elif took > _SLOW:
            width = max(width // 2, _NARROWEST)


def extent(connection: Connection, span: Span) -> Span:
    """The part of `span` from its oldest to its newest request; an empty one where there is none."""
    at = table_of(RequestTable).c.occurred_at
    oldest = connection.execute(select(func.min(at)).where(span.holds(at))).scalar()
    newest = connection.execute(select(func.max(at)).where(span.holds(at))).scalar()
    return Span(0, 0) if oldest is None or newest is None else Span(int(oldest), int(newest) + 1)


def _cut(span: Span, width: int, newest_first: bool) -> tuple[Span, Span]:
    """The first slice, and what is left."""
    since, until = span.since or 0, span.until or 0
    if newest_first:
        edge = max(since, until - width)
        return Span(edge, until), Span(since, edge)
    edge = min(until, since + width)
    return Span(since, edge), Span(edge, until)
