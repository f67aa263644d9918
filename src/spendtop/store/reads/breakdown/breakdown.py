"""Requests by one dimension or by two, in a span of time and against an earlier one.

By one dimension that totals know a grid comes from these at once. All else is read from the requests, the newest first,
so that there are figures long before all are read; later only what changed is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection, select

from spendtop.domain.breakdown.dimensions import DIMENSIONS, Dimension
from spendtop.domain.breakdown.measures import PLAN, Measure
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.model_names import family
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.breakdown.dimension_sql import CellGrouping, of_totals
from spendtop.store.reads.breakdown.grid import Grid, GridOrder, GridSize, GridSums, grid
from spendtop.store.reads.breakdown.largest import NAMED_BY_KEY, largest
from spendtop.store.reads.spending.bucket_spans import Span, extent
from spendtop.store.reads.spending.kept_sums import OF_PLANS, OF_SPEND, KeptSums, Key, Values, step_of
from spendtop.store.reads.spending.sums import ALL, COLUMNS, FAMILY, ONLY_WHERE_SET, spend
from spendtop.store.reads.spending.totals import Totals, totals
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import TotalTable

_FROM_TOTALS = 6 * HOUR
"""Of a shorter span the requests are read sooner than their totals."""


class Cut(Struct, frozen=True):
    """What a breakdown is by, and of what."""

    rows: Dimension
    columns: Dimension | None
    measure: Measure
    calendar: Calendar


class Times(Struct, frozen=True):
    """A span with a beginning, and the one that it is compared with."""

    span: Span
    earlier: Span | None
    now: int

    @property
    def end(self) -> int:
        return self.now if self.span.until is None else self.span.until

    @property
    def step(self) -> int:
        """The length of the parts that trends are of, in µs."""
        return step_of(self.end - (self.span.since or 0))

    def starts(self, step: int) -> range:
        """Where the parts begin."""
        return range((self.span.since or 0) // step * step, self.end, step)


Progress = Callable[[Callable[[], Grid], float], bool]
"""Told how to make a grid of what is read so far, and how much of the requests that is; False ends the reading. Before
all is read nothing is compared."""


class BreakdownReading:
    """One cut, which is asked again and again. For one thread at a time."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        dimensions = (cut.rows,) if cut.columns is None else (cut.rows, cut.columns)
        self._grouping = CellGrouping(dimensions, cut.measure, cut.calendar)
        stamps = OF_PLANS if cut.measure is PLAN else OF_SPEND
        self._sums = KeptSums(self._grouping, stamps)
        self._before = KeptSums(CellGrouping((cut.rows,), cut.measure, cut.calendar), stamps)

    @property
    def models(self) -> Mapping[str, set[str]]:
        """The exact names of families, as far as they were read."""
        return self._grouping.models

    def read(self, store: Store, times: Times, size: GridSize, progress: Progress) -> Grid | None:
        """The whole grid; None where the reading was ended."""
        with store.reading() as connection:
            names = token_names(connection)
            if _is_in_totals(self.cut, times):
                return _from_totals(connection, self.cut, times, size, names, self._grouping.models)

        def so_far() -> Grid:
            sums = GridSums(
                measure=self.cut.measure,
                has_columns=self.cut.columns is not None,
                cells=self._sums.by_key,
                before=None if times.earlier is None or self._share(times) < 1 else self._before.by_key,
                steps=self._sums.by_step,
                starts=times.starts(times.step),
            )
            return _grid(self.cut, sums, size, names)

        def goes_on() -> bool:
            return progress(so_far, self._share(times))

        if not self._sums.read(store, times.span, times.now, goes_on):
            return None
        if times.earlier is not None and not self._before.read(store, times.earlier, times.now, goes_on):
            return None
        return so_far()

    def is_of_requests(self, times: Times) -> bool:
        """Whether requests are read for it, and not the totals alone."""
        return not _is_in_totals(self.cut, times)

    def _share(self, times: Times) -> float:
        return self._sums.share if times.earlier is None else (self._sums.share + self._before.share) / 2


def unstored(connection: Connection, span: Span) -> int:
    """How many requests of the span only the totals know, as they are older than what is kept."""
    stored = extent(connection, span)
    end = (stored.since or 0) if not stored.is_empty else span.until
    return spend(connection, span.since, None if end is None else end // HOUR * HOUR).requests


def _is_in_totals(cut: Cut, times: Times) -> bool:
    if cut.columns is not None or not cut.measure.in_totals or times.end - (times.span.since or 0) < _FROM_TOTALS:
        return False
    return cut.rows.name in (*COLUMNS, FAMILY)


def _grid(cut: Cut, sums: GridSums, size: GridSize, tokens: Mapping[str, str]) -> Grid:
    columns = cut.rows if cut.columns is None else cut.columns
    return grid(sums, size, partial(_name, cut.rows, tokens), partial(_name, columns, tokens))


def _name(of: Dimension, tokens: Mapping[str, str], key: str) -> str:
    """What people read for a key."""
    if of.name == "token":
        key = tokens.get(key, key)
    return key or of.nobody


def _from_totals(
    connection: Connection,
    cut: Cut,
    times: Times,
    size: GridSize,
    tokens: Mapping[str, str],
    models: dict[str, set[str]],
) -> Grid:
    """`models` takes the exact names of families."""
    step = max(times.step, HOUR)
    earlier, rest = times.earlier, None
    if cut.rows.name in NAMED_BY_KEY and size.order is not GridOrder.NAME:
        first = largest(connection, cut.rows, cut.measure, times.span, earlier, size)
        cells, before, rest = first.cells, first.before, first.rest
    else:
        cells = _by_totals(connection, cut, times.span, models)
        before = {} if earlier is None else _by_totals(connection, cut, earlier, models)
    sums = GridSums(
        measure=cut.measure,
        has_columns=False,
        cells=cells,
        before=None if earlier is None else before,
        steps=lambda rows: _steps(connection, cut, times.span, step, rows, models),
        starts=times.starts(step),
        rest=rest,
    )
    return _grid(cut, sums, size, tokens)


def _by_totals(connection: Connection, cut: Cut, span: Span, models: dict[str, set[str]]) -> dict[Key, Values]:
    """Whole hours and days from the totals, what is left at the ends from the requests."""
    sums: dict[Key, Values] = {}
    hours, edges = span.cut(HOUR)
    if hours is not None:
        dimension = _raw(cut.rows).name
        for part in totals(connection, dimension, hours):
            columns = of_totals(cut.measure, part.table)
            for key, *values in connection.execute(select(part.key, *columns).where(part.holds).group_by(part.key)):
                _add(sums, _folded(cut.rows, key, models), tuple(map(int, values)))
        if dimension in ONLY_WHERE_SET:
            for named in list(sums.values()):
                _add(sums, "", tuple(-value for value in named))
            for part in totals(connection, ALL, hours):
                for row in connection.execute(select(*of_totals(cut.measure, part.table)).where(part.holds)):
                    _add(sums, "", tuple(map(int, row)))
    grouping = CellGrouping((_raw(cut.rows),), cut.measure, cut.calendar)
    for edge in edges:
        for (key, *_), sums_of_edge in grouping(connection, edge):
            _add(sums, _folded(cut.rows, str(key), models), sums_of_edge)
    return {key: values for key, values in sums.items() if any(values)}


def _steps(
    connection: Connection, cut: Cut, span: Span, step: int, rows: Sequence[str], models: Mapping[str, set[str]]
) -> dict[Key, Values]:
    """By row and begin of a step, of the hours that the span touches."""
    keys = [model for row in rows for model in models.get(row, ())] if cut.rows.name == FAMILY else list(rows)
    sums: dict[Key, Values] = {}
    dimension, hours = _raw(cut.rows).name, span.widened(HOUR)
    by_hours = [Totals(table_of(TotalTable), dimension, hours)]
    for part in totals(connection, dimension, hours) if step % DAY == 0 else by_hours:
        start = (part.bucket - part.bucket % step).label("start")
        statement = select(part.key, start, *of_totals(cut.measure, part.table)).where(part.holds, part.key.in_(keys))
        for key, begin, *values in connection.execute(statement.group_by(part.key, "start")):
            name = (family(key) if cut.rows.name == FAMILY else key, int(begin))
            _add_to(sums, name, tuple(map(int, values)))
    return sums


def _raw(of: Dimension) -> Dimension:
    """The dimension whose totals are kept."""
    return DIMENSIONS["model"] if of.name == FAMILY else of


def _folded(of: Dimension, key: str, models: dict[str, set[str]]) -> str:
    if of.name != FAMILY:
        return key
    name = family(key)
    models.setdefault(name, set()).add(key)
    return name


def _add(sums: dict[Key, Values], key: str, values: Values) -> None:
    _add_to(sums, (key,), values)


def _add_to(sums: dict[Key, Values], key: Key, values: Values) -> None:
    before = sums.get(key)
    sums[key] = values if before is None else tuple(map(sum, zip(before, values, strict=True)))
