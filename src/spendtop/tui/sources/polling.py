"""Asking providers from the screen of sources: one now, or Helicone for a span of time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spendtop.domain.filter_values import parse_since_until
from spendtop.tui.actions import Action
from spendtop.tui.sources.backfill import BackfillScreen, SpanDraft
from spendtop.tui.sources.table import is_polled
from spendtop.tui.sources.tracking_tokens import TrackingTokens

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tasks import Task
    from spendtop.tui.sources.polled_rows import PolledRow


class SourcePolling(TrackingTokens):
    """The part of the screen of sources that has providers asked."""

    @property
    def poller(self) -> PolledRow | None:
        """The one under the cursor, if it has a key."""
        row = self.table.row
        return row if row is not None and is_polled(row) and not row.setting else None

    @property
    def asks_helicone(self) -> bool:
        """Whether there is a key for Helicone's API."""
        applied = self.face.headline.applied if self.face.headline else None
        return applied is not None and applied.asks_helicone

    def offered(self) -> list[tuple[Action, str]]:
        """While a back-fill runs its key stops it, and says so."""
        if self.table.backfill is None:
            return super().offered()
        return [
            (replace(action, label="stop back-fill") if action.id == "backfill" else action, key)
            for action, key in super().offered()
        ]

    def action_poll(self) -> None:
        """Have the collector ask the selected provider."""
        from spendtop.services.tasks import TaskKind

        if self.poller is not None:
            self.ask_collector(TaskKind.POLL_NOW, {"poller": self.poller.name})

    def action_backfill(self) -> None:
        """Ask which span, or stop the one that is under way."""
        if not self.may_write():
            return
        if self.table.backfill is not None:
            self._stop(self.table.backfill)
        else:
            self._ask_span(SpanDraft())

    def _ask_span(self, draft: SpanDraft, complaint: str = "") -> None:
        self.app.push_screen(BackfillScreen(draft, complaint), self._fill)

    def _fill(self, draft: SpanDraft | None) -> None:
        from spendtop.services.tasks import TaskKind

        if draft is None:
            return
        now = self.face.session.clock()
        headline = self.face.headline
        calendar = headline.calendar if headline else self.face.session.calendar
        try:
            bounds = parse_since_until(draft.since.strip(), draft.until.strip()).resolve(now, calendar)
        except ValueError as wrong:
            self._ask_span(draft, f"{wrong}.")
            return
        until = now if bounds.end_us is None else min(bounds.end_us, now)
        if bounds.start_us is None:
            self._ask_span(draft, "A back-fill needs a begin.")
        elif bounds.start_us >= until:
            self._ask_span(draft, "The span ends before it begins.")
        else:
            self.ask_collector(TaskKind.BACKFILL, {"since": bounds.start_us, "until": until})

    def _stop(self, backfill: Task) -> None:
        now = self.face.session.clock()

        def work(connection: Connection) -> None:
            from spendtop.services import tasks

            tasks.stop(connection, backfill.id, now)

        told = "The back-fill stops after its present page. Asked for again, it goes on there."
        self.write(work, lambda _: self._told(told), self.warn)
