"""What the overview asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import DAY
from spendtop.domain.filters import Filter, FilterContext
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.applied_config import applied, config_outcome
from spendtop.store.reads.bills import BillHistory, bill_history, bills_unseen
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.daily import filtered_day_spends
from spendtop.store.reads.overview import Overview, overview
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import FAMILY, KeySpend, by_key, of_family, oldest_hour
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline

_MOST_FAMILIES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewQuestion:
    """What an Overview of this size needs."""

    now: int
    calendar: Calendar
    feed_size: int
    chart_span: int
    chart_step: int
    top: int
    bill_days: int
    """How many UTC days of bills, where those stand in place of spend."""

    def ask(self, connection: Connection) -> OverviewFigures:
        """The answer, with the status line's figures from the same view of the store."""
        config = applied(connection)
        calendar = config.calendar if config else self.calendar
        figures = overview(
            connection,
            config.limits if config else (),
            calendar,
            self.now,
            feed_size=self.feed_size,
            chart_span=self.chart_span,
            chart_step=self.chart_step,
            top=self.top,
        )
        bills = bills_unseen(connection, config.accounts if config else (), self.now)
        headline = Headline(
            at=self.now,
            today=figures.today,
            last_hour=figures.last_hour,
            worst=figures.limits[0] if figures.limits else None,
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
        return OverviewFigures(headline, figures, history)


@dataclass(frozen=True, slots=True)
class OverviewFigures:
    """What the Overview shows."""

    headline: Headline
    overview: Overview
    history: BillHistory | None
    """Where bills stand in place of spend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendQuestion:
    """What was spent on each of some days, by the requests that a filter selects."""

    days: Sequence[Span]
    selected: Filter
    context: FilterContext
    goes_on: Callable[[int], bool]
    """Told how many days are read; False ends the reading."""

    def ask_in(self, store: Store) -> TrendFigures | None:
        """None where the reading was ended."""
        with store.reading() as connection:
            oldest = oldest_hour(connection)
        spends: dict[int, Spend] = {}
        days = [day for day in self.days if oldest is not None and (day.until or 0) > oldest]
        for each in filtered_day_spends(store, days, self.selected, self.context):
            spends[each.start] = each.spend
            if not self.goes_on(len(self.days) - len(days) + len(spends)):
                return None
        return TrendFigures(spends)


@dataclass(frozen=True, slots=True)
class TrendFigures:
    """Spend by the begin of its day, of days that are not older than all requests."""

    spends: dict[int, Spend]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsQuestion:
    """What each model of a family cost today, or each family where `family` is None."""

    now: int
    calendar: Calendar
    family: str | None

    def ask(self, connection: Connection) -> ModelsFigures:
        headline = read_headline(connection, self.now, self.calendar)
        since, until = headline.day.start_us, headline.day.end_us
        if self.family is None:
            return ModelsFigures(headline, by_key(connection, FAMILY, since, until, _MOST_FAMILIES).rows)
        return ModelsFigures(headline, of_family(connection, self.family, since, until))


@dataclass(frozen=True, slots=True)
class ModelsFigures:
    """Families or models, the costliest first."""

    headline: Headline
    rows: tuple[KeySpend, ...]
