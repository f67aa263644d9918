"""How one request counts in the totals, and folding many of them into one row per key."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.request import Request, Status
from spendtop.services.limit_book import LimitBook

Key = tuple[str, str, int]
"""Dimension, key, start of the bucket in UTC µs."""


class TotalsByDifference:
    """Differences to the totals that a group of changes makes, and marks on the limits that it touches."""

    def __init__(self, book: LimitBook) -> None:
        self._book = book
        self._deltas: dict[Key, list[int]] = {}
        self._marks: dict[tuple[str, str, int], int] = {}

    def add(self, request: Request, request_id: int) -> None:
        """Count a request, and mark the limits that it counts for."""
        if not request.counted:
            return
        self._count(request, 1)
        self._mark_touched(request)
        hour = request.occurred_at - request.occurred_at % HOUR
        for limit in self._book.broken(request):
            self._mark(limit.name, str(request_id), hour, request.occurred_at)

    def replace(self, old: Request, new: Request, request_id: int) -> None:
        """Take an earlier version's contributions out and put the new version's in."""
        if old.counted:
            self._count(old, -1)
            self._mark_touched(old)
        self.add(new, request_id)

    def rows(self, shard: int) -> list[tuple[str, str, int, int, int, int, int, int, int, int]]:
        """Rows for `total` in primary-key order, so that collectors never deadlock."""
        return [
            (dimension, key, bucket, shard, *delta)  # type: ignore[misc]  # six integers, see _delta
            for (dimension, key, bucket), delta in sorted(self._deltas.items())
            if any(delta)
        ]

    def marks(self) -> list[tuple[str, str, int, int]]:
        """Rows for `limit_mark` in primary-key order."""
        return [(*key, happened_at) for key, happened_at in sorted(self._marks.items())]

    def _mark_touched(self, request: Request) -> None:
        hour = request.occurred_at - request.occurred_at % HOUR
        for limit, entity in self._book.touched(request):
            self._mark(limit.name, entity, hour, request.occurred_at)

    def _mark(self, limit: str, entity: str, hour: int, happened_at: int) -> None:
        key = (limit, entity, hour)
        self._marks[key] = max(happened_at, self._marks.get(key, 0))

    def _count(self, request: Request, sign: int) -> None:
        amount = request.cost.amount
        delta = _delta(request, sign)
        hour = request.occurred_at - request.occurred_at % HOUR
        for dimension, key in _dimensions(request):
            self._fold((dimension, key, hour), delta)
        self._fold(("minute", "", request.occurred_at - request.occurred_at % MINUTE), delta)
        own: set[str] = set()
        for limit, entity in self._book.touched(request):
            dimension = limit.dimension
            if not dimension.startswith("limit/") or dimension in own:
                continue
            own.add(dimension)
            cost = self._book.cost(limit, request)
            reserved = sign * cost.nano if amount is None and cost is not None else delta[1]
            self._fold((dimension, entity, hour), (delta[0], reserved, *delta[2:]))

    def _fold(self, key: Key, delta: tuple[int, ...]) -> None:
        known = self._deltas.get(key)
        if known is None:
            self._deltas[key] = list(delta)
        else:
            for position, value in enumerate(delta):
                known[position] += value


def _dimensions(request: Request) -> Iterator[tuple[str, str]]:
    yield "all", ""
    yield "user", request.user_id or ""
    yield "model", request.model or ""
    yield "provider", request.provider or ""
    yield "source", request.source.value
    if request.session_id is not None:
        yield "session", request.session_id
    if request.token is not None:
        yield "token", request.token


def _delta(request: Request, sign: int) -> tuple[int, ...]:
    """requests, nano-USD, unpriced, errors, prompt tokens, completion tokens."""
    amount = request.cost.amount
    return (
        sign,
        sign * amount.nano if amount is not None else 0,
        sign * (amount is None),
        sign * (request.status is Status.ERROR),
        sign * (request.usage.prompt or 0),
        sign * (request.usage.completion or 0),
    )
