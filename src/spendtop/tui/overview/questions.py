"""What the overview asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.windows import Calendar
from spendtop.store.reads.applied_config import applied, config_outcome
from spendtop.store.reads.ledger import billed_unseen
from spendtop.store.reads.overview import Overview, overview
from spendtop.store.reads.spending import FAMILY, KeySpend, by_key, of_family
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

    def ask(self, connection: Connection) -> tuple[Headline, Overview]:
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
        headline = Headline(
            at=self.now,
            today=figures.today,
            last_hour=figures.last_hour,
            worst=figures.limits[0] if figures.limits else None,
            attention=figures.attention,
            recorded=figures.total.requests,
            billed=billed_unseen(connection, self.now),
            day=figures.day_bounds,
            calendar=calendar,
            applied=config,
            config_news=config_outcome(connection),
        )
        return headline, figures


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
