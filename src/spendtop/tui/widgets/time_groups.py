"""Requests that are listed by time, in groups of a minute or more, with what each group adds up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.cost_words import bounded, known_cost
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import ZERO, Usd
from spendtop.tui import formats

if TYPE_CHECKING:
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.rows import RequestRow
    from spendtop.tui.listing import Listing

_ROWS_A_GROUP = 2
"""On average at least, so that a list is not mostly lines between rows."""


class Step(Enum):
    """How long a group is, and how the local clock writes its beginning."""

    MINUTE = MINUTE, "%m-%d %H:%M"
    HOUR = HOUR, "%m-%d %H:00"
    DAY = DAY, "%m-%d"

    def beginning(self, at: int, calendar: Calendar) -> str:
        return calendar.local(at).strftime(self.value[1])


@dataclass(frozen=True, slots=True)
class GroupSum:
    """Those requests of a group that count as the same: as spend, or as usage under a plan."""

    requests: int
    cost: Usd
    unpriced: int
    output_final: bool
    """Whether all output of all of them is known; else the cost is a lower bound."""

    @classmethod
    def of(cls, rows: Sequence[RequestRow], measure: LimitedValue) -> GroupSum:
        of_measure = [row for row in rows if LimitedValue.of(row) is measure]
        amounts = [measure.amount_of(row.cost) for row in of_measure]
        return cls(
            requests=len(of_measure),
            cost=sum((amount for amount in amounts if amount is not None), ZERO),
            unpriced=sum(amount is None or row.cost.partial for row, amount in zip(of_measure, amounts, strict=True)),
            output_final=all(row.output_final for row in of_measure),
        )

    def words(self, whole: bool) -> str:
        """`$0.0090 +1?`; a lower bound where the group may hold more than is listed."""
        known = known_cost(self.cost, self.requests, self.unpriced)
        return bounded(partial(formats.cost, known), whole and self.output_final)(self.unpriced)


@dataclass(frozen=True, slots=True)
class TimeGroup:
    """Neighbouring rows of one minute, hour or day."""

    day: str
    clock: str
    """The local time of its beginning; empty for a day."""
    spent: GroupSum
    plan: GroupSum
    """Calls under a plan, with what they would have cost: no spend."""
    uncounted: int
    """Requests of shadow tokens, which are in no sum."""
    whole: bool
    """Whether all of it is listed and in memory; else its sums are lower bounds."""

    @property
    def words(self) -> Sequence[str]:
        """`4 requests`, `$0.0090 +1?`, `2 under a plan`, `~$0.40`; `>=4 requests` where there may be more."""
        sign = "" if self.whole else ">="
        spent = [f"{sign}{formats.requests(self.spent.requests)}", self.spent.words(self.whole)]
        plan = [f"{sign}{formats.grouped(self.plan.requests)} under a plan", f"~{self.plan.words(self.whole)}"]
        uncounted = [f"{sign}{formats.grouped(self.uncounted)} not counted"]
        return [
            *(spent if self.spent.requests else []),
            *(plan if self.plan.requests else []),
            *(uncounted if self.uncounted else []),
        ]


def step_for(listing: Listing) -> Step | None:
    """The shortest step with some rows to each group; None where even days have not."""
    times = [row.occurred_at for _, row in listing.in_memory]
    span = max(times, default=0) - min(times, default=0)
    return next((step for step in Step if len(times) * step.value[0] >= _ROWS_A_GROUP * span), None)


def time_groups(
    listing: Listing, step: Step, calendar: Calendar, *, starts_whole: bool, ends_whole: bool
) -> Mapping[int, TimeGroup]:
    """By the position of their first row; a group whose first row is not in memory is left out.

    `starts_whole` and `ends_whole` say of the two ends, in reading order, whether nothing of their minute is missing.
    """
    first_whole, last_whole = (ends_whole, starts_whole) if listing.from_end else (starts_whole, ends_whole)
    runs = list(_runs(listing, step, calendar))
    ends, beginnings = {run.end for run in runs}, {run.first for run in runs}
    groups = {}
    for run in runs:
        above = run.first in ends or (run.first == 0 and first_whole)
        below = run.end in beginnings or (run.end == len(listing) and last_whole)
        if run.first in ends or run.first == 0:
            groups[run.first] = _group(run, above and below)
    return groups


@dataclass(slots=True)
class _Run:
    """Rows of one group that stand together."""

    first: int
    beginning: str
    rows: list[RequestRow]

    @property
    def end(self) -> int:
        """Position behind the last one."""
        return self.first + len(self.rows)


def _runs(listing: Listing, step: Step, calendar: Calendar) -> Iterator[_Run]:
    run: _Run | None = None
    for position, row in listing.in_memory:
        beginning = step.beginning(row.occurred_at, calendar)
        if run is not None and (run.beginning, run.end) == (beginning, position):
            run.rows.append(row)
            continue
        if run is not None:
            yield run
        run = _Run(position, beginning, [row])
    if run is not None:
        yield run


def _group(run: _Run, whole: bool) -> TimeGroup:
    day, _, clock = run.beginning.partition(" ")
    spent, plan = (GroupSum.of(run.rows, measure) for measure in LimitedValue)
    return TimeGroup(
        day=day,
        clock=clock,
        spent=spent,
        plan=plan,
        uncounted=len(run.rows) - spent.requests - plan.requests,
        whole=whole,
    )
