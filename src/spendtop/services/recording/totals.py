"""How one request counts in the totals, and folding many of them into one row per key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.pricing.pricer import is_failed
from spendtop.domain.requests.request import Request, Status, is_assumed
from spendtop.domain.sources.records import AgentSource, Source
from spendtop.domain.windows import Bounds, Calendar, Window, WindowKind, widest
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store.day_totals import TotalRow
from spendtop.store.reads.spending.grown_costs import LOWERED

_ONE_REPORT = (1, 0, 0, 0, 0, 0, 0)
_NO_LIMITS: frozenset[str] = frozenset()
SpeaksAt: TypeAlias = Callable[[Limit, int], bool]
"""Whether a limit still cares for what happened at an instant."""
TotalKey = tuple[str, str, int]
"""Dimension, key, start of the bucket in UTC µs."""

REPEATS, ASSUMED_REPEATS, SHADOW, PLAN, JOINED = "repeat", "assumed repeat", "shadow", "plan", "joined"
"""Dimensions beside the spend: reports that came again, requests of shadow tokens by token, by source the calls under a
plan with what they would have cost, and the reports that joined what a more trusted source reports as well."""


class _Alike(Struct, gc=False):
    """Requests of one hour that count in the same totals and mark the same limits."""

    first: Request
    hour: int
    silent: frozenset[str]
    """Names of limits that they do not mark."""
    latest: int
    """When the latest of them happened, UTC µs."""
    delta: list[int]


class TotalsByDifference:
    """Differences to the totals that a group of changes makes, and marks on the limits that it touches."""

    def __init__(self, book: LimitBook, speaks_at: SpeaksAt | None = None) -> None:
        self._book = book
        self._speaks_at = speaks_at
        self._alike: dict[tuple[object, ...], _Alike] = {}
        """What is not yet in `_deltas` and `_marks`."""
        self._deltas: dict[TotalKey, list[int]] = {}
        self._marks: dict[tuple[str, str, int], int] = {}
        self._told_in: dict[tuple[str, int], Bounds] = {}
        """A limit's window at the time at which files told of calls, by the limit's name."""

    def add(self, request: Request, request_id: int) -> None:
        """Count a request, and mark the limits that it counts for."""
        self._count(request, 1)
        for limit in self._book.broken(request):
            if limit.name not in self._silent(request):
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
        self._settle()
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

    def marks(self, shard: int) -> list[tuple[str, str, int, int, int]]:
        """Rows for `limit_mark` in primary-key order."""
        self._settle()
        return [(*key, shard, happened_at) for key, happened_at in sorted(self._marks.items())]

    def _count(self, request: Request, sign: int) -> None:
        request = _at_its_value(request)
        delta, at, silent = _delta(request, sign), request.occurred_at, self._silent(request)
        hour = at - at % HOUR
        counted_in = LimitedValue.of(request), request.user_id, request.model, request.provider, request.source.name
        which = (*counted_in, request.session_id, request.token, hour, silent)
        alike = self._alike.get(which)
        if alike is None:
            self._alike[which] = _Alike(request, hour, silent, at, list(delta))
        else:
            _add(alike.delta, delta)
            if at > alike.latest:
                alike.latest = at
        if request.counted:
            self._fold(("minute", "", at - at % MINUTE), delta)
        if self._book.reserves and (request.cost.amount is None or request.cost.partial):
            self._reserve(request, sign, hour)

    def _settle(self) -> None:
        """Fold what was counted into the totals and marks that it belongs to."""
        for alike in self._alike.values():
            for dimension, key in _dimensions(alike.first):
                self._fold((dimension, key, alike.hour), alike.delta)
            touched = self._book.touched(alike.first)
            for limit, entity in touched:
                if limit.name not in alike.silent:
                    self._mark(limit, entity, alike.latest)
            if self._book.own_dimensions:
                for dimension, (_, entity) in self._own(touched).items():
                    self._fold((dimension, entity, alike.hour), alike.delta)
        self._alike.clear()

    def _own(self, touched: Iterable[tuple[Limit, str]]) -> dict[str, tuple[Limit, str]]:
        """By dimension, a limit that keeps totals of its own, and its entity; limits of one scope share them."""
        own = self._book.own_dimensions
        return {own[limit.name]: (limit, entity) for limit, entity in touched if limit.name in own}

    def _reserve(self, request: Request, sign: int, hour: int) -> None:
        """Count in limits' own totals what a reserve makes of a request beyond its known cost."""
        known = request.cost.amount.nano if request.cost.amount is not None else 0
        for dimension, (limit, entity) in self._own(self._book.touched(request)).items():
            cost = self._book.cost(limit, request)
            if cost is not None and cost.nano != known:
                self._fold((dimension, entity, hour), (0, sign * (cost.nano - known), 0, 0, 0, 0, 0))

    def _silent(self, request: Request) -> frozenset[str]:
        """Names of limits that need not be told of the request."""
        is_from_files = isinstance(request.source, AgentSource)
        if not is_from_files and self._speaks_at is None:
            return _NO_LIMITS
        at = request.occurred_at
        return frozenset(
            limit.name
            for limit in self._book.limits
            if (is_from_files and at not in self._told(limit, request.received_at))
            or (self._speaks_at is not None and not self._speaks_at(limit, at))
        )

    def _told(self, limit: Limit, received_at: int) -> Bounds:
        """The limit's window when an agent's files told of a call: of one that was over by then nobody has to hear."""
        which = limit.name, received_at
        told = self._told_in.get(which)
        if told is None:
            if limit.window.kind is WindowKind.REQUEST:
                told = Bounds(received_at - HOUR, None)
            else:
                told = widest(limit.window, received_at, self._book.calendar)
            self._told_in[which] = told
        return told

    def _mark(self, limit: Limit, entity: str, happened_at: int) -> None:
        key = (limit.name, entity, happened_at - happened_at % HOUR)
        if happened_at > self._marks.get(key, 0):
            self._marks[key] = happened_at

    def _fold(self, key: TotalKey, delta: Sequence[int]) -> None:
        folded = self._deltas.get(key)
        if folded is None:
            self._deltas[key] = list(delta)
        else:
            _add(folded, delta)


def _add(folded: list[int], delta: Sequence[int]) -> None:
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
            spans[limit.window] = widest(limit.window, now, calendar)
        return at in spans[limit.window]

    return is_open


def _at_its_value(request: Request) -> Request:
    """One under a plan as if it had cost what it is worth; any other as it is."""
    if not request.is_plan:
        return request
    return replace(request, cost=replace(request.cost, amount=request.cost.api_equivalent))


def _dimensions(request: Request) -> list[tuple[str, str]]:
    if not request.counted:  # what is no spend is in no dimension that an alert or a total of spend reads
        return [(PLAN, request.source.name) if request.is_plan else (SHADOW, request.token or "")]
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
