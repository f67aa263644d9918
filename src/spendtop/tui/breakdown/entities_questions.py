"""What the lists of users, models and tokens ask the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spendtop.domain.breakdown.baseline import Baseline
from spendtop.domain.breakdown.dimensions import Dimension
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Times
from spendtop.store.reads.breakdown.grid import Grid, GridRow, GridSize
from spendtop.store.reads.entities import last_seen, limits_of, names_of_keys
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.tui.breakdown.questions import times_of
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.selection import TimeChoice


@dataclass(frozen=True, slots=True)
class Entity:
    """One user, model or token."""

    row: GridRow
    last_seen: int | None
    """UTC µs, to the hour where it is hours ago."""
    limits: tuple[LimitUse, ...]
    """That hold for it alone, the fullest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesFigures:
    headline: Headline
    grid: Grid
    entities: tuple[Entity, ...]
    times: Times
    time: TimeChoice
    baseline: Baseline
    models: Mapping[str, set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesQuestion:
    now: int
    calendar: Calendar
    of: Dimension
    time: TimeChoice
    baseline: Baseline
    size: GridSize
    reading: BreakdownReading

    def ask_in(self, store: Store) -> EntitiesFigures:
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
        times = times_of(store, self.time, self.baseline, self.now, headline.calendar)
        grid = self.reading.read(store, times, self.size, lambda so_far, share: True)
        assert grid is not None
        names = names_of_keys(self.of.name, [row.head.key.raw for row in grid.rows], self.reading.models)
        limits = headline.applied.limits if headline.applied else ()
        with store.reading() as connection:
            seen = last_seen(connection, self.of.name, names)
            uses = limits_of(connection, limits, self.of.name, names, headline.calendar, self.now)
        return EntitiesFigures(
            headline=headline,
            grid=grid,
            entities=tuple(
                Entity(row, seen.get(row.head.key.raw), uses.get(row.head.key.raw, ())) for row in grid.rows
            ),
            times=times,
            time=self.time,
            baseline=self.baseline,
            models=self.reading.models,
        )
