"""Sums over the requests of a span, read in pieces of time and kept up by difference.

Each piece is remembered with the totals of its time as they were when it was read. It is read again when these differ,
or when a revision tells of one of its requests; what it had before is then taken out. The ends of the span, which are
no whole minutes, are read every time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import add, sub
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, or_, select

from spendtop.domain.breakdown.latencies import LatencyColumn
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.store.engine import Store
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import per_bucket, plan_spend, spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, RevisionTable

Key = tuple[str | int, ...]
Values = tuple[Any, ...]
"""Whole numbers or latencies, which both add up."""
Grouped = Iterable[tuple[Key, Values]]
Grouping = Callable[[Connection, Span], Grouped]
"""Sums of the counted requests within a span, by key. All have as many values, and of latencies their marks."""

STEPS = 12
"""About as many pieces of the same length make up a span."""
_UNITS = (
    *(MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 3 * DAY, 6 * DAY, 30 * DAY, 90 * DAY, 360 * DAY),
)
_FINER = (DAY, 6 * HOUR, HOUR, 10 * MINUTE, MINUTE)
_BEHIND, _LATE = 1_000, 10 * SECOND
"""How far back revisions are looked through, by number and in µs, for those that were committed late."""


def step_of(length: int) -> int:
    """The length of a piece, in µs, for a span of this length."""
    return next((unit for unit in _UNITS if unit * STEPS >= length), _UNITS[-1])


class Stamps(NamedTuple):
    """The sums by which it shows whether a piece of time changed."""

    of_run: Callable[[Connection, Span, int], Iterator[tuple[Span, Spend]]]
    """Of each unit of a run of whole ones."""
    of_span: Callable[[Connection, int | None, int | None], Spend]


class _Piece(NamedTuple):
    stamp: Spend | None
    """The totals of its time; None of an end that has none."""
    keys: list[Key]
    columns: list[Iterable[Any]]
    """The first values of all keys, the second ones, and so on."""

    def rows(self) -> Iterable[tuple[Key, Values]]:
        return zip(self.keys, zip(*self.columns, strict=True), strict=True) if self.keys else ()


class KeptSums:
    """For one grouping, and one thread at a time."""

    def __init__(self, grouping: Grouping, stamps: Stamps | None = None) -> None:
        """`stamps` are those of all counted requests unless the sums are of others."""
        self.by_key: dict[Key, Values] = {}
        self.share = 0.0
        """How much of the span was read, now or before, as a part of its requests."""
        self._grouping = grouping
        self._stamps = stamps or OF_SPEND
        self._step = MINUTE
        self._pieces: dict[Span, _Piece] = {}
        self._one: dict[Key, Key] = {}
        """Each key once, for pieces to share."""
        self._revision: int | None = None
        self._looked_at = 0

    def read(self, store: Store, span: Span, now: int, goes_on: Callable[[], bool]) -> bool:
        """Bring the sums to what the store holds of `span`, which has a beginning, the newest first. `goes_on` is asked
        after each piece; False where it ended the reading."""
        end = now if span.until is None else span.until
        step = step_of(max(end - (span.since or 0), MINUTE))
        if step != self._step:
            self._forget()
            self._step = step
        runs, ends = _cut(span, end, (step, *(unit for unit in _FINER if unit < step)))
        with store.reading() as connection:
            stamps = {piece: stamp for run in runs for piece, stamp in self._stamps.of_run(connection, *run)}
            revised = self._revised(connection, now)
        pieces = sorted([*stamps, *ends], key=lambda piece: -(piece.since or 0))
        for gone in self._pieces.keys() - {*pieces}:
            self._drop(gone)
        stale = [piece for piece in pieces if self._is_stale(piece, stamps.get(piece), revised)]
        whole = sum(stamp.requests for stamp in stamps.values()) or 1
        left = sum(stamps[piece].requests for piece in stale if piece in stamps and piece not in self._pieces)
        self.share = 1 - left / whole
        for piece in stale:
            with store.reading() as connection:
                stamp = self._stamps.of_span(connection, *piece) if piece in stamps else None
                is_empty = stamp is not None and not stamp.requests
                grouped = () if is_empty else self._grouping(connection, piece)
                is_new = piece not in self._pieces
                self._drop(piece)
                self._put(piece, stamp, grouped)
            left -= stamps[piece].requests if is_new and piece in stamps else 0
            self.share = 1 - left / whole
            if not goes_on():
                return False
        return True

    def by_step(self, rows: Collection[str]) -> dict[Key, Values]:
        """By the first part of the key, where that is one of `rows`, and the begin of the piece, in whole steps."""
        wanted, sums = frozenset(rows), dict[Key, Values]()
        for piece, kept in self._pieces.items():
            start = (piece.since or 0) // self._step * self._step
            for key, values in kept.rows():
                if key[0] in wanted:
                    _add_to(sums, (key[0], start), values)
        return sums

    def pieces(self) -> Iterator[list[tuple[Key, Values]]]:
        """What each piece of time has."""
        for piece in self._pieces.values():
            yield list(piece.rows())

    def _is_stale(self, piece: Span, stamp: Spend | None, revised: list[int]) -> bool:
        kept = self._pieces.get(piece)
        if kept is None or kept.stamp is None or kept.stamp != stamp:
            return True
        assert piece.since is not None and piece.until is not None
        return any(piece.since <= at < piece.until for at in revised)

    def _revised(self, connection: Connection, now: int) -> list[int]:
        """When the requests happened that were revised since the last look."""
        request, revision = table_of(RequestTable), table_of(RevisionTable)
        before, looked_at = self._revision, self._looked_at
        self._revision = int(connection.execute(select(func.max(revision.c.id))).scalar() or 0)
        self._looked_at = now
        if before is None:
            return []
        is_new = or_(revision.c.id > before, revision.c.at >= looked_at - _LATE)
        of = revision.c.request_id == request.c.id
        times = select(request.c.occurred_at).join(revision, of).where(revision.c.id > before - _BEHIND, is_new)
        return [int(at) for at in connection.execute(times.distinct()).scalars()]

    def _put(self, piece: Span, stamp: Spend | None, grouped: Grouped) -> None:
        keys: list[Key] = []
        flat: list[Any] = []
        for key, values in grouped:  # which may fail in its midst: nothing is added up before
            keys.append(self._one.setdefault(key, key))
            flat.extend(values)
        width = len(flat) // max(len(keys), 1)
        kept = _Piece(stamp, keys, [_column(flat[at::width]) for at in range(width)])
        for key, values in kept.rows():
            _add_to(self.by_key, key, values)
        self._pieces[piece] = kept

    def _drop(self, piece: Span) -> None:
        kept = self._pieces.pop(piece, None)
        if kept is None:
            return
        for key, values in kept.rows():
            _take_from(self.by_key, key, values)

    def _forget(self) -> None:
        self._pieces.clear()
        self._one.clear()
        self.by_key.clear()


def _column(values: Sequence[Any]) -> Iterable[Any]:
    return LatencyColumn(values) if isinstance(values[0], str) else array("q", values)


def _add_to(sums: dict[Key, Values], key: Key, values: Values) -> None:
    before = sums.get(key)
    sums[key] = values if before is None else tuple(map(add, before, values))


def _take_from(sums: dict[Key, Values], key: Key, values: Values) -> None:
    """Keys whose values are all nothing are left out."""
    after = tuple(map(sub, sums[key], values))
    if any(after):
        sums[key] = after
    else:
        del sums[key]


def _cut(span: Span, end: int, units: tuple[int, ...]) -> tuple[list[tuple[Span, int]], list[Span]]:
    """Runs of whole units, each with its unit, and the ends that are no whole ones; an open end stays open."""
    runs: list[tuple[Span, int]] = []
    ends = [Span(span.since, end)]
    for unit in units:
        rest: list[Span] = []
        for part in ends:
            inner, edges = part.cut(unit)
            if inner is not None:
                runs.append((inner, unit))
            rest += edges
        ends = rest
    if span.until is None:
        ends = [each for each in ends if each.until != end]
        ends.append(Span(max([span.since or 0, *(run.until or 0 for run, _ in runs)]), None))
    return runs, ends


def _of_run(connection: Connection, run: Span, unit: int) -> Iterator[tuple[Span, Spend]]:
    assert run.since is not None and run.until is not None
    spends = {bucket.start: bucket.spend for bucket in per_bucket(connection, run.since, run.until, unit)}
    for start in range(run.since, run.until, unit):
        yield Span(start, start + unit), spends.get(start, Spend.nothing())


def _of_run_under_plan(connection: Connection, run: Span, unit: int) -> Iterator[tuple[Span, Spend]]:
    assert run.since is not None and run.until is not None
    for start in range(run.since, run.until, unit):
        yield Span(start, start + unit), plan_spend(connection, start, start + unit)


OF_SPEND = Stamps(_of_run, spend)
OF_PLANS = Stamps(_of_run_under_plan, plan_spend)
