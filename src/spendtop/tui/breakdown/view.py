"""What the breakdown shows, as it was chosen."""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.breakdown.baseline import Baseline
from spendtop.domain.breakdown.dimensions import USUAL, Dimension
from spendtop.domain.breakdown.measures import COST, Measure
from spendtop.domain.untrusted import clean_line
from spendtop.tui.selection import TODAY, TimeChoice

_BEFORE = {"today": "yesterday", "yesterday": "the day before", "this week": "last week"}


class View(Struct, frozen=True, kw_only=True):
    """Immutable: a change is a new view."""

    rows: Dimension = USUAL[0]
    columns: Dimension | None = USUAL[1]
    measure: Measure = COST
    time: TimeChoice = TODAY
    baseline: Baseline = Baseline.BEFORE
    order: str = "total"
    descending: bool = True

    @property
    def words(self) -> str:
        """By what, and of what: `user by model family, cost`."""
        columns = "" if self.columns is None else f" by {spoken(self.columns)}"
        return f"{spoken(self.rows)}{columns}, {self.measure.name}"

    @property
    def compared(self) -> str:
        """What it is held against."""
        return compared(self.time, self.baseline)


def compared(time: TimeChoice, baseline: Baseline) -> str:
    """What a window of time is held against, in words."""
    return str(baseline) if baseline is Baseline.WEEK else _BEFORE.get(time.name, "before")


def spoken(of: Dimension) -> str:
    """A dimension's name as people say it."""
    return clean_line(of.name) if of.property is not None else of.name.replace("_", " ")
