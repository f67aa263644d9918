"""What the screen of sources asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.windows import Calendar
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind
from spendtop.store.reads.attention import QuarantineRow, quarantined
from spendtop.store.reads.sources import Sources, sources
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.sources.polled_rows import PolledRow, polled_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesQuestion:
    """Where requests come from, and the newest events that were set aside."""

    now: int
    calendar: Calendar
    most_events: int = 30

    def ask(self, connection: Connection) -> SourcesAnswer:
        headline = read_headline(connection, self.now, self.calendar)
        assert headline.day.start_us is not None
        figures = sources(connection, headline.day.start_us, self.now)
        return SourcesAnswer(
            headline=headline,
            sources=figures,
            polled=polled_rows(headline.applied, figures, self.now),
            set_aside=quarantined(connection, self.most_events),
            backfill=tasks.under_way(connection, TaskKind.BACKFILL),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesAnswer:
    """All sources, what is polled, and events that are not counted, the newest first."""

    headline: Headline
    sources: Sources
    polled: tuple[PolledRow, ...]
    set_aside: tuple[QuarantineRow, ...]
    backfill: Task | None
    """The one that is under way."""
