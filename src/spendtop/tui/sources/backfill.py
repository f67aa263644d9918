"""Reading a span of Helicone again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Input, Label

from spendtop.domain.filters.values import parse_since_until
from spendtop.tui.modals.dialog import FormDialog
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tasks import Task


@dataclass(frozen=True, slots=True)
class SpanDraft:
    """A span as it was typed; `until` empty is now."""

    since: str = ""
    until: str = ""


class BackfillScreen(FormDialog[SpanDraft]):
    """Which span of time is to be read from Helicone again: gives what was typed, or None."""

    HINT = "tab next · enter begins · esc gives up"

    def __init__(self, draft: SpanDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__("Back-fill from Helicone's API", complaint)
        self._draft = draft

    def fields(self) -> ComposeResult:
        yield Label("Since: 24h, 14:00, yesterday, 2026-11-01, 2026-11-01T14:00", markup=False)
        yield Input(self._draft.since, placeholder="for example yesterday", id="since", compact=True)
        yield Label("Until, likewise; a date counts whole", classes="spaced", markup=False)
        yield Input(self._draft.until, placeholder="leave it empty for now", id="until", compact=True)
        yield Label("What is missing there is recorded; nothing is counted twice.", classes="dim", markup=False)

    def action_submit(self) -> None:
        self.dismiss(SpanDraft(self.typed("since"), self.typed("until")))


class Backfill:
    """Begins one, or stops the one that is under way."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer

    def ask(self, draft: SpanDraft, complaint: str = "") -> None:
        """Ask which span, and have the collector read it."""
        if self._writer.may_write():
            self._screen.app.push_screen(BackfillScreen(draft, complaint), self._take_draft)

    def _take_draft(self, draft: SpanDraft | None) -> None:
        from spendtop.services.tasks import TaskKind

        if draft is None:
            return
        now = self._screen.face.session.clock()
        try:
            bounds = parse_since_until(draft.since.strip(), draft.until.strip()).resolve(now, self._screen.calendar)
        except ValueError as wrong:
            self.ask(draft, f"{wrong}.")
            return
        until = now if bounds.end_us is None else min(bounds.end_us, now)
        if bounds.start_us is None:
            self.ask(draft, "A back-fill needs a begin.")
        elif bounds.start_us >= until:
            self.ask(draft, "The span ends before it begins.")
        else:
            self._writer.ask_collector(TaskKind.BACKFILL, {"since": bounds.start_us, "until": until})

    def stop(self, task: Task) -> None:
        """It goes on there when it is asked for again."""
        if not self._writer.may_write():
            return
        now = self._screen.face.session.clock()

        def work(connection: Connection) -> None:
            from spendtop.services import tasks

            tasks.stop(connection, task.id, now)

        self._writer.write(work, lambda _: self._stopped())

    def _stopped(self) -> None:
        words = "The back-fill stops after its present page. Asked for again, it goes on there."
        self._screen.notify(words, markup=False)
        self._screen.news()
