"""What the lists of users, models and tokens ask the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.breakdown.baseline import Baseline
from spendtop.domain.breakdown.dimensions import Dimension
from spendtop.domain.breakdown.measures import NOTHING, Measured
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.agents.plan_use import plan_last_calls
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Times
from spendtop.store.reads.breakdown.grid import Grid, GridOrder, GridRow, GridSize
from spendtop.store.reads.entities import last_seen, limits_of, names_of_keys
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.tui.breakdown.questions import times_of
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.selection import TimeChoice


class Entity(Struct, frozen=True):
    """One user, model or token."""

    row: GridRow
    """Of what counts as spend."""
    plan: Measured
    """Calls under a plan, with what they would have cost."""
    last_seen: int | None
    """UTC µs, to the hour where it is hours ago."""
    limits: tuple[LimitUse, ...]
    """That hold for it alone, the fullest first."""


ORDERS: Mapping[str, Callable[[Entity], int | str]] = {
    "cost": lambda entity: entity.row.whole.amount,
    "plan": lambda entity: entity.plan.amount,
    "change": lambda entity: entity.row.whole.amount - (entity.row.before or NOTHING).amount,
    "name": lambda entity: str(entity.row.head.name).casefold(),
}


class EntitiesFigures(Struct, frozen=True, kw_only=True):
    headline: Headline
    grid: Grid
    entities: tuple[Entity, ...]
    times: Times
    time: TimeChoice
    baseline: Baseline
    models: Mapping[str, set[str]]


class EntitiesQuestion(Struct, frozen=True, kw_only=True):
    now: int
    calendar: Calendar
    of: Dimension
    time: TimeChoice
    baseline: Baseline
    most: int
    order: str
    """One of the table's."""
    descending: bool
    reading: BreakdownReading
    plans: BreakdownReading
    """The same of usage under a plan."""

    def ask_in(self, store: Store) -> EntitiesFigures:
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
        times = times_of(store, self.time, self.baseline, self.now, headline.calendar)
        order = GridOrder.TOTAL if self.order in ("cost", "plan") else GridOrder(self.order)
        size = GridSize(rows=self.most, columns=0, order=order, descending=self.descending)
        grid = _read(store, self.reading, times, size)
        plans: dict[str, GridRow] = {}
        if headline.under_plan is not None:
            of_plans = _read(store, self.plans, replace(times, earlier=None), replace(size, order=GridOrder.TOTAL))
            plans = {row.head.key.raw: row for row in of_plans.rows}
        models = _joined(self.reading.models, self.plans.models)
        rows = {row.head.key.raw: row for row in (*grid.rows, *_without_spend(grid, plans))[: self.most]}
        names = names_of_keys(self.of.name, list(rows), models)
        limits = headline.applied.limits if headline.applied else ()
        with store.reading() as connection:
            seen = last_seen(connection, self.of.name, names)
            calls = plan_last_calls(connection, self.of.name, times.span) if plans else {}
            uses = limits_of(connection, limits, self.of.name, names, headline.calendar, self.now)
        entities = [
            Entity(
                row=row,
                plan=plans[key].whole if key in plans else NOTHING,
                last_seen=max(filter(None, (seen.get(key), *(calls.get(name) for name in names[key]))), default=None),
                limits=uses.get(key, ()),
            )
            for key, row in rows.items()
        ]
        return EntitiesFigures(
            headline=headline,
            grid=grid,
            entities=tuple(
                sorted(entities, key=ORDERS[self.order], reverse=self.descending is not (self.order == "name"))
                if plans
                else entities
            ),
            times=times,
            time=self.time,
            baseline=self.baseline,
            models=models,
        )


def _read(store: Store, reading: BreakdownReading, times: Times, size: GridSize) -> Grid:
    grid = reading.read(store, times, size, lambda so_far, share: True)
    assert grid is not None
    return grid


def _without_spend(grid: Grid, plans: Mapping[str, GridRow]) -> Iterator[GridRow]:
    """Rows of those that only used a plan."""
    spenders = {row.head.key.raw for row in grid.rows}
    before = None if grid.total.before is None else NOTHING
    for key, row in plans.items():
        if key not in spenders:
            yield replace(row, whole=NOTHING, before=before, trend=())


def _joined(models: Mapping[str, set[str]], others: Mapping[str, set[str]]) -> Mapping[str, set[str]]:
    return {family: models.get(family, set()) | others.get(family, set()) for family in {*models, *others}}
