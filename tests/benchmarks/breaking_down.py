"""Breaking a full store down: from totals at once, from requests in parts, against one raw GROUP BY in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from sqlalchemy import text

from spendtop.domain.breakdown.dimensions import DIMENSIONS
from spendtop.domain.breakdown.measures import COST, LATENCY, Measure
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut, Times
from spendtop.store.reads.breakdown.grid import Grid, GridSize
from spendtop.store.reads.spending.bucket_spans import Span
from tests.benchmarks.filling import SPAN
from tests.benchmarks.measuring import Figure, Taken, in_millis, in_turn, ratio, taken_by
from tests.benchmarks.workshop import Workshop

_SIZE = GridSize(rows=200, columns=8)
_RAW = {
    COST.name: "SELECT user_id, model, count(*), sum(cost_nano) FROM request WHERE counted GROUP BY 1, 2",
    LATENCY.name: "SELECT user_id, model, latency_ms / 100, count(*) FROM request WHERE counted GROUP BY 1, 2, 3",
}


def breakdown(workshop: Workshop) -> list[Figure]:
    """By one dimension from totals, by two and of latencies from requests: first figures, whole, and kept up."""
    store = Store(f"sqlite:///{workshop.filled}")
    now = time.time_ns() // 1000
    times = Times(Span(now - SPAN, None), None, now)
    figures = []
    for name in ("user", "model_family", "session"):
        taken = [taken_by(partial(_whole, store, _cut(name, None, COST), times)) for _ in range(workshop.rounds)]
        figures.append(in_millis(f"breakdown by {name} at {workshop.requests:,}", taken, 300))
    for measure in (COST, LATENCY):
        cut = _cut("user", "model_family", measure)
        measured = in_turn(
            {
                "raw": partial(taken_by, partial(_raw, store, _RAW[measure.name])),
                "first": partial(taken_by, partial(_first, store, cut, times)),
                "whole": partial(taken_by, partial(_whole, store, cut, times)),
            },
            workshop.rounds,
        )
        raw, whole = ([each.cpu for each in measured[name]] for name in ("raw", "whole"))
        detail = f"CPU; {median(raw):.0f} → {median(whole):.0f} ms"
        what = f"breakdown by user and model, {measure.name}"
        figures.append(Figure(f"{what} against GROUP BY", ratio(whole, raw), 2, at_most=True, detail=detail))
        figures.append(in_millis(f"{what}: first figures", measured["first"], 500))
        figures.append(in_millis(f"{what}: kept up", _kept_up(store, cut, times, workshop.rounds), 300))
    store.close()
    return figures


def _cut(rows: str, columns: str | None, measure: Measure) -> Cut:
    return Cut(DIMENSIONS[rows], None if columns is None else DIMENSIONS[columns], measure, Calendar())


def _first(store: Store, cut: Cut, times: Times) -> None:
    """Until there is something to show."""

    def progress(so_far: Callable[[], Grid], share: float) -> bool:
        if share > 0:
            so_far()
        return share <= 0

    BreakdownReading(cut).read(store, times, _SIZE, progress)


def _whole(store: Store, cut: Cut, times: Times) -> None:
    BreakdownReading(cut).read(store, times, _SIZE, lambda so_far, share: True)


def _kept_up(store: Store, cut: Cut, times: Times, rounds: int) -> Sequence[Taken]:
    """Further readings, some seconds later."""
    reading = BreakdownReading(cut)
    reading.read(store, times, _SIZE, lambda so_far, share: True)
    taken = []
    for number in range(1, rounds + 1):
        later = times.now + number * 1_000_000
        again = Times(Span(later - SPAN, None), None, later)
        taken.append(taken_by(lambda: reading.read(store, again, _SIZE, lambda so_far, share: True)))  # noqa: B023
    return taken


def _raw(store: Store, statement: str) -> None:
    with store.reading() as connection:
        connection.execute(text(statement)).all()
