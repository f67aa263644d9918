"""Users, models or tokens as rows: cost and how it changed, when they were last seen, how full their limits are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spendtop.domain.breakdown.dimensions import Dimension
from spendtop.domain.breakdown.measures import COST, NOTHING, PLAN
from spendtop.domain.clock import age
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.breakdown.figures import change, figure, share
from spendtop.tui.widgets.canvas import Piece, fit_middle
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.gauge import SIGNS
from spendtop.tui.widgets.sparkline import spark
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.grid import Grid
    from spendtop.tui.breakdown.entities_questions import Entity


class EntityTable(ListTable["Entity", str]):
    def __init__(self, of: Dimension, title: str) -> None:
        super().__init__(title, id="entities")
        self.grid: Grid | None = None
        self.order = "cost"
        self._who = Column(of.title, 13, _name, wished=32, order="name")
        self._has_spend = self._has_plan = False

    def take(self, grid: Grid, entities: Sequence[Entity]) -> None:
        self.grid = grid
        self._has_spend, self._has_plan = any(grid.total.whole), any(entity.plan.of for entity in entities)
        self.show(entities)

    def layouts(self) -> Sequence[Columns[Entity]]:
        """Beside the cost what calls under a plan would have cost, where there are some; alone where all are."""
        share = Column("SHARE", 5, self._share, rank=2, right=True)
        plan = (_PLAN,) if self._has_plan else ()
        if self._has_plan and not self._has_spend:
            return ((self._who, *plan, _REQUESTS, *_STANDING),)
        return ((self._who, _COST, *plan, share, _CHANGE, _REQUESTS, _TREND, *_STANDING),)

    def key(self, row: Entity) -> str:
        return row.row.head.key.raw

    def _share(self, row: Entity, ink: Ink, width: int) -> Piece:
        whole = NOTHING if self.grid is None else self.grid.total.whole
        return share(row.row.whole, whole, COST), ink.palette.muted


def _name(row: Entity, ink: Ink, width: int) -> Piece:
    style = ink.palette.who if row.row.head.key.raw else ink.palette.muted
    return fit_middle(str(row.row.head.name), width, ink.glyphs.cut), style


def _cost(row: Entity, ink: Ink, width: int) -> Piece:
    return figure(row.row.whole, COST, ink.palette, width)


def _plan(row: Entity, ink: Ink, width: int) -> Piece:
    """What calls under a plan would have cost."""
    return figure(row.plan, PLAN, ink.palette, width) if row.plan.of else ("", ink.palette.plan)


def _change(row: Entity, ink: Ink, width: int) -> Piece:
    return change(row.row.whole, row.row.before, COST, ink.glyphs, ink.palette)


def _requests(row: Entity, ink: Ink, width: int) -> Piece:
    return formats.count(row.row.whole.of + row.plan.of), ink.palette.text


def _trend(row: Entity, ink: Ink, width: int) -> Piece:
    return spark(row.row.trend, width, ink.glyphs), ink.palette.chart


def _last(row: Entity, ink: Ink, width: int) -> Piece:
    if row.last_seen is None:
        return formats.UNKNOWN, ink.palette.faint
    return age(max(ink.now - row.last_seen, 0)), ink.palette.muted


def _limits(row: Entity, ink: Ink, width: int) -> Piece:
    """The fullest one, and how many more there are."""
    if not row.limits:
        return formats.UNKNOWN, ink.palette.faint
    use, more = row.limits[0], len(row.limits) - 1
    style = {LimitState.EXCEEDED: ink.palette.bad, LimitState.APPROACHING: ink.palette.warn}.get(use.state)
    end = f" {formats.used_percent(use)}{f' +{more}' if more else ''}"
    name = fit_middle(clean_line(use.limit.name), max(width - len(end) - 2, 1), ink.glyphs.cut).rstrip()
    return f"{SIGNS[use.state]} {name}{end}", style or ink.palette.text


_COST = Column("COST", 11, _cost, right=True, order="cost")
_PLAN = Column("PLAN", 10, _plan, right=True, order="plan")
_CHANGE = Column("CHANGE", 6, _change, right=True, order="change")
_REQUESTS = Column("REQ", 5, _requests, rank=3, right=True)
_TREND = Column("TREND", 6, _trend, rank=4, wished=12)
_STANDING: Columns[Entity] = (
    Column("LAST", 4, _last, right=True),
    Column("LIMITS", 15, _limits, rank=1, grows=True),
)
