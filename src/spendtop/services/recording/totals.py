"""How one request counts in the totals, and folding many of them into one row per key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.pricing.pricer import is_failed
from spendtop.domain.requests.request import Request, Status, is_assumed
from spendtop.domain.sources.records import AgentSource, Source
from spendtop.domain.windows import Bounds, Calendar, Window, WindowKind, bounds
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store.day_totals import TotalRow
from spendtop.store.reads.spending.grown_costs import LOWERED

_ONE_REPORT = (1, 0, 0, 0, 0, 0, 0)
SpeaksAt: TypeAlias = Callable[[Limit, int], bool]
"""Whether a limit still cares for what happened at an instant."""
TotalKey = tuple[str, str, int]
"""Dimension, key, start of the bucket in UTC µs."""

REPEATS, ASSUMED_REPEATS, SHADOW, PLAN, JOINED = "repeat", "assumed repeat", "shadow", "plan", "joined"
"""Dimensions beside the spend: reports that came again, requests of shadow tokens by token, by source the calls under a
plan with what they would have cost, and the reports that joined what a more trusted source reports as well."""


class TotalsByDifference:
    """Differences to the totals that a group of changes makes, and marks on the limits that it touches."""

    def __init__(self, book: LimitBook, speaks_at: SpeaksAt = lambda limit, at: True) -> None:
        self._book = book
        self._speaks_at = speaks_at
        self._deltas: dict[TotalKey, list[int]] = {}
        self._marks: dict[tuple[str, str, int], int] = {}

    def add(self, request: Request, request_id: int) -> None:
        """Count a request, and mark the limits that it counts for."""
        self._count(request, 1)
        for limit in self._book.broken(request):
            if not _is_history(request, limit, self._book.calendar):
                self._mark(limit, str(request_id), request.occurred_at)

    def replace(self, old: Request, new: Request, request_id: int) -> None:
        """Take an earlier version's contributions out and put the new version's in."""
        self.remove(old)
        self.add(new, request_id)

    def remove(self, request: Request) -> None:
        """Take a request's contributions out."""
        self._count(request, -1)

    def count_repeat(self, request: Request) -> None:
        """Count a report that its source sent before, by the hour of its arrival; no money is in it."""
        hour = request.received_at - request.received_at % HOUR
        self._fold((REPEATS, request.source.name, hour), _ONE_REPORT)
        if is_assumed(request):
            self._fold((ASSUMED_REPEATS, request.source.name, hour), _ONE_REPORT)

    def count_joined(self, source: Source, received_at: int) -> None:
        """Count a report of a source that is not the most trusted one of its request; no money is in it."""
        self._fold((JOINED, source.name, received_at - received_at % HOUR), _ONE_REPORT)

    def rows(self, shard: int) -> list[TotalRow]:
        """Rows for `total` in primary-key order, so that collectors never deadlock."""
        return [
            (dimension, key, bucket, shard, *delta)  # type: ignore[misc]  # seven integers, see _delta
            for (dimension, key, bucket), delta in sorted({**self._deltas, **self._lowered()}.items())
            if any(delta)
        ]

    def _lowered(self) -> dict[TotalKey, list[int]]:
        """By how much the cost of each model, provider and source falls by these changes as a whole."""
        fallen: dict[tuple[str, str], tuple[int, int]] = {}
        for (dimension, key, bucket), delta in self._deltas.items():
            if dimension in LOWERED:
                nano, latest = fallen.get((dimension, key), (0, bucket))
                fallen[dimension, key] = (nano + delta[1], max(latest, bucket))
        return {
            (LOWERED[dimension], key, bucket): [0, -nano, 0, 0, 0, 0, 0]
            for (dimension, key), (nano, bucket) in fallen.items()
            if nano < 0
        }

    def marks(self) -> list[tuple[str, str, int, int]]:
        """Rows for `limit_mark` in primary-key order."""
        return [(*key, happened_at) for key, happened_at in sorted(self._marks.items())]

    def _count(self, request: Request, sign: int) -> None:
        at = request.occurred_at
        hour = at - at % HOUR
        delta = _delta(_at_its_value(request), sign)
        if request.counted:
            for dimension, key in _dimensions(request):
                self._fold((dimension, key, hour), delta)
            self._fold(("minute", "", at - at % MINUTE), delta)
        else:  # what is no spend is in no dimension that an alert or a total of spend reads
            beside = (PLAN, request.source.name) if request.is_plan else (SHADOW, request.token or "")
            self._fold((*beside, hour), delta)
        touched = self._book.touched(request)
        for limit, entity in touched:
            if not _is_history(request, limit, self._book.calendar):
                self._mark(limit, entity, at)
        if self._book.own_dimensions:
            self._count_own(request, sign, delta, hour, touched)

    def _count_own(
        self, request: Request, sign: int, delta: tuple[int, ...], hour: int, touched: list[tuple[Limit, str]]
    ) -> None:
        """Count in the totals of limits that keep their own; several limits of one scope share them."""
        own = {
            self._book.own_dimensions[limit.name]: (limit, entity)
            for limit, entity in touched
            if limit.name in self._book.own_dimensions
        }
        for dimension, (limit, entity) in own.items():
            cost = self._book.cost(limit, request)
            counts = sign * cost.nano if cost is not None else 0
            self._fold((dimension, entity, hour), (delta[0], counts, *delta[2:]))

    def _mark(self, limit: Limit, entity: str, happened_at: int) -> None:
        if not self._speaks_at(limit, happened_at):
            return
        key = (limit.name, entity, happened_at - happened_at % HOUR)
        self._marks[key] = max(happened_at, self._marks.get(key, 0))

    def _fold(self, key: TotalKey, delta: tuple[int, ...]) -> None:
        folded = self._deltas.get(key)
        if folded is None:
            self._deltas[key] = list(delta)
            return
        folded[0] += delta[0]
        folded[1] += delta[1]
        folded[2] += delta[2]
        folded[3] += delta[3]
        folded[4] += delta[4]
        folded[5] += delta[5]
        folded[6] += delta[6]


def open_windows(now: int, calendar: Calendar) -> SpeaksAt:
    """Whether what happened at an instant lies in a limit's window of now; a single request is over at once."""
    spans: dict[Window, Bounds] = {}

    def is_open(limit: Limit, at: int) -> bool:
        if limit.window.kind is WindowKind.REQUEST:
            return False
        if limit.window not in spans:
            spans[limit.window] = bounds(limit.window, now, calendar)
        return at in spans[limit.window]

    return is_open


def _is_history(request: Request, limit: Limit, calendar: Calendar) -> bool:
    """Whether an agent's files told of a call when the limit's window with it was over: nobody has to be told then."""
    if not isinstance(request.source, AgentSource):
        return False
    if limit.window.kind is WindowKind.REQUEST:
        return request.received_at - request.occurred_at > HOUR
    return request.occurred_at not in bounds(limit.window, request.received_at, calendar)


def _at_its_value(request: Request) -> Request:
    """One under a plan as if it had cost what it is worth; any other as it is."""
    if not request.is_plan:
        return request
    return replace(request, cost=replace(request.cost, amount=request.cost.api_equivalent))


def _dimensions(request: Request) -> list[tuple[str, str]]:
    dimensions = [
        ("all", ""),
        ("user", request.user_id or ""),
        ("model", request.model or ""),
        ("provider", request.provider or ""),
        ("source", request.source.name),
    ]
    if request.session_id is not None:
        dimensions.append(("session", request.session_id))
    if request.token is not None:
        dimensions.append(("token", request.token))
    return dimensions


def _delta(request: Request, sign: int) -> tuple[int, ...]:
    """requests, nano-USD, unpriced, errors, prompt tokens, completion tokens, failed."""
    cost = request.cost
    amount, is_error = cost.amount, request.status is Status.ERROR
    return (
        sign,
        sign * amount.nano if amount is not None else 0,
        sign * (amount is None or cost.unpriced_units is not None),
        sign * is_error,
        sign * (request.usage.prompt or 0),
        sign * (request.usage.completion or 0),
        sign * (is_error and is_failed(request)),
    )
