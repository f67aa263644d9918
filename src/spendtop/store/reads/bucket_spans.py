"""Cutting a span of time into whole buckets and the edges beside them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, true


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
