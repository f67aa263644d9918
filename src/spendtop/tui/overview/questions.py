"""What the overview asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.config.paths import data_folder
from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import Filter, FilterContext
from spendtop.domain.model_names import family
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.services.agents import plan_windows
from spendtop.services.agents.found import AgentFound, agents_found
from spendtop.store.engine import Store
from spendtop.store.reads.agents.blocks import open_blocks
from spendtop.store.reads.agents.plan_use import plan_by_key
from spendtop.store.reads.alerts.attention import newest_tests
from spendtop.store.reads.configuration.applied import applied, config_outcome
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.ledger.bills import BillHistory, bill_history, bills_unseen
from spendtop.store.reads.overview import Chart, Overview, overview
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.requests.stepped import largest_user, stepped_spend
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import FAMILY, KeySpend, by_key, of_family, oldest_hour
from spendtop.tui.headline import Headline
from spendtop.tui.overview.timeline import Timeline, timeline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.selection import TimeChoice
from spendtop.tui.widgets.plan_lines import PlanStanding

_MOST_FAMILIES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewQuestion:
    """What an Overview of this size needs."""

    now: int
    calendar: Calendar
    feed_size: int
    time: TimeChoice
    charts_all: bool
    """Whether the chart is of all requests, and not of what a filter selects."""
    top: int
    bill_days: int
    """How many UTC days of bills, where those stand in place of spend."""
    is_first_run: bool = False
    """Whether the steps of a first run are listed, also where something is recorded."""

    def ask(self, connection: Connection) -> OverviewFigures:
        """The answer, with the status line's figures from the same view of the store."""
        config = applied(connection)
        calendar = config.calendar if config else self.calendar
        line = timeline(self.time, self.now, calendar)
        figures = overview(
            connection,
            config.limits if config else (),
            calendar,
            self.now,
            feed_size=self.feed_size,
            window=line.window,
            chart=Chart(line.shown, line.step) if self.charts_all and line.step is not None else None,
            top=self.top,
            steps=line.steps if self.charts_all else (),
            step=line.step,
        )
        worst = figures.limits[0] if figures.limits else None
        bills = bills_unseen(connection, config.accounts if config else (), self.now)
        blocks = open_blocks(connection, self.now)
        headline = Headline(
            at=self.now,
            today=figures.today,
            last_hour=figures.last_hour,
            under_plan=None if figures.plan is None else figures.plan.today,
            blocks=() if figures.plan is None else tuple(block.bounds for block in blocks),
            worst=worst,
            forecast=forecast_of(connection, worst, calendar, self.now) if worst else None,
            attention=figures.attention,
            recorded=figures.total.requests,
            bills=bills,
            day=figures.day_bounds,
            calendar=calendar,
            applied=config,
            config_news=config_outcome(connection),
        )
        today = self.now // DAY
        history = bill_history(connection, bills.accounts, today - self.bill_days + 1, today) if bills else None
        is_first_run = headline.is_first_run or self.is_first_run
        is_tested = is_first_run and any(test.state == "sent" for test in newest_tests(connection, 0))
        agents = agents_found(connection, socket.gethostname()) if headline.is_first_run else ()
        windows = plan_windows.known(connection, socket.gethostname(), data_folder())
        standing = PlanStanding(self.now, calendar, windows, blocks)
        return OverviewFigures(headline, figures, line, history, is_tested, agents, standing)


@dataclass(frozen=True, slots=True)
class OverviewFigures:
    """What the Overview shows."""

    headline: Headline
    overview: Overview
    timeline: Timeline
    history: BillHistory | None
    """Where bills stand in place of spend."""
    is_channel_tested: bool
    """In a first run: whether a channel took a test message."""
    agents: tuple[AgentFound, ...]
    """Those on this machine, while nothing is recorded."""
    plans: PlanStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendQuestion:
    """What was spent in the steps of some parts of time, by the requests that a filter selects."""

    parts: Sequence[Span]
    step: int | None
    """µs; None where each part is one step."""
    selected: Filter
    context: FilterContext
    goes_on: Callable[[int], bool]
    """Told how many parts are read; False ends the reading."""

    def ask_in(self, store: Store) -> TrendFigures | None:
        """None where the reading was ended."""
        with store.reading() as connection:
            oldest = oldest_hour(connection)
        spends: dict[Span, dict[int, Spend]] = {}
        for number, part in enumerate(self.parts, 1):
            spends[part] = {}
            if oldest is not None and (part.until or 0) > oldest:
                query = RequestQuery(filter=self.selected, since=part.since, until=part.until)
                with store.reading() as connection:
                    spends[part] = stepped_spend(connection, query, self.context, self.step)
            if not self.goes_on(number):
                return None
        return TrendFigures(spends, oldest)


@dataclass(frozen=True, slots=True)
class TrendFigures:
    """Spend by part and by the begin of its step, without the empty ones."""

    spends: dict[Span, dict[int, Spend]]
    oldest: int | None
    """Before this hour nothing is known (UTC µs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestUserQuestion:
    """Who spent most of what is selected in a span."""

    span: Span
    selected: Filter
    context: FilterContext

    def ask(self, connection: Connection) -> KeySpend | None:
        query = RequestQuery(filter=self.selected, since=self.span.since, until=self.span.until)
        return largest_user(connection, query, self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsQuestion:
    """What each model of a family cost in a window, or each family where `family` is None."""

    now: int
    calendar: Calendar
    family: str | None
    time: TimeChoice

    def ask(self, connection: Connection) -> ModelsFigures:
        headline = read_headline(connection, self.now, self.calendar)
        since, until = timeline(self.time, self.now, headline.calendar).window
        if self.family is None:
            spenders = by_key(connection, FAMILY, since, until, _MOST_FAMILIES).rows
        else:
            spenders = of_family(connection, self.family, since, until)
        plans = self._plans(connection, Span(since, until)) if headline.under_plan is not None else {}
        nothing = Spend.nothing()
        rows = [ModelRow(row.key, row.spend, plans.pop(row.key.raw, nothing)) for row in spenders]
        rows += [ModelRow(Untrusted(key), nothing, plan) for key, plan in plans.items()]
        return ModelsFigures(headline, tuple(rows))

    def _plans(self, connection: Connection, span: Span) -> dict[str, Spend]:
        """Usage under a plan by family, or by the names of one, the largest first."""
        by = plan_by_key(connection, FAMILY if self.family is None else "model", span)
        return {row.key.raw: row.spend for row in by if self.family is None or family(row.key.raw) == self.family}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A family or a model; the key is empty where requests name none."""

    key: Untrusted
    spend: Spend
    plan: Spend
    """Calls under a plan, with what they would have cost."""


@dataclass(frozen=True, slots=True)
class ModelsFigures:
    """Families or models, the costliest first, and behind them those who only used a plan."""

    headline: Headline
    rows: tuple[ModelRow, ...]
