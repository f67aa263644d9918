"""Screen 3: sessions, the active ones first; enter opens one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from spendtop.domain.filters.filters import Filter, body_terms
from spendtop.tui import formats
from spendtop.tui.actions import LIVE, MOVE, ORDER, SESSIONS, Action, bindings
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.file_export import RecordExport, Records
from spendtop.tui.screens.filter_prompt import FilterPrompt
from spendtop.tui.screens.helicone_fetch import HeliconeFetch
from spendtop.tui.screens.list_copy import ListCopy
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion
from spendtop.tui.selection import ALL_TIME, Selection, TimeChoice
from spendtop.tui.sessions.exports import COLUMNS, record
from spendtop.tui.sessions.table import SessionTable
from spendtop.tui.sessions.trends import Trends
from spendtop.tui.widgets.canvas import Line, Piece
from spendtop.tui.widgets.prompt import Prompt, PromptKind

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline
    from spendtop.tui.sessions.questions import SessionsFigures

_PAGE = 100
_NEAR_END = 10


class SessionsScreen(LiveScreen):
    """The list; one session is a screen of its own above it."""

    NAME: ClassVar[str] = "sessions"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *SESSIONS, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, SESSIONS, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.table = SessionTable()
        self.trends = Trends(self, self.table)
        self.selection = Selection()
        self.filter_prompt = FilterPrompt(self, lambda _: "enter lists their sessions", self.filter_by)
        self.copier = ListCopy(self, self.table, "session", COLUMNS, record)
        self.exporter = RecordExport(self, "sessions", ("session", "sessions"))
        self.fetcher = HeliconeFetch(self)
        self.arrangement = Arrangement(
            self, lambda: self.table, lambda: self.selection.time, self.limit_to, self.order_by
        )
        self._wanted = _PAGE
        self._is_whole = True

    @property
    def request_selection(self) -> Selection:
        return self.selection

    def body(self) -> ComposeResult:
        yield self.table

    def question(self) -> LongQuestion:
        from spendtop.tui.sessions.questions import SessionsQuestion

        now = self.face.session.clock()
        return SessionsQuestion(
            now=now, calendar=self.calendar, query=self.selection.query(now, self.calendar, False), size=self._wanted
        )

    def show(self, answer: SessionsFigures) -> Headline:
        """The sessions, if they are those that are asked for now."""
        question, table = answer.question, self.table
        if question.query.filter == self.selection.query(0, self.calendar, False).filter:
            self._is_whole = answer.is_whole
            table.now, table.calendar = question.now, answer.headline.calendar
            table.nothing = (
                "nothing matches; backspace shows all again"
                if self.selection.is_narrowed
                else "no session yet: send Helicone-Session-Id, or session_id with a push"
            )
            table.looping = answer.looping
            table.renew(answer.rows)
            self.trends.follow(question)
        self._title()
        return answer.headline

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    def works_now(self, action: Action) -> bool:
        """Keys of a row need one."""
        if action.id == "clear-filter":
            return self.selection.is_narrowed
        if action.id == "follow":
            return not self._is_over
        if action.id == "fetch":
            return self.table.row is not None and self.fetcher.can_ask
        return self.table.row is not None or not (action in ORDER or action.id in ("open", "copy", "export"))

    def _title(self) -> None:
        palette, glyphs, table = self.face.palette, self.face.glyphs, self.table
        text = self.selection.text.strip()
        when = "" if self.selection.time == ALL_TIME else f" {glyphs.between} {self.selection.time.name}"
        words = f" {text}" if text else ""
        table.subtitle = [(words, palette.key), (when, palette.muted)]
        active = sum(row.is_active(table.now) for row in table.rows)
        arrow = glyphs.down_arrow if table.descending else glyphs.up
        listed = formats.grouped(len(table.rows)) + ("" if self._is_whole else "+")
        note: list[Piece] = [(f"{glyphs.live} {active} active", palette.good)] if active else []
        note.append((f"{f' {glyphs.between} ' if active else ''}{listed} {glyphs.between} ", palette.text))
        table.note = [*note, (f"{table.order} {arrow}", palette.muted)]
        table.redraw()

    @property
    def _is_over(self) -> bool:
        """Whether nothing new can come into the list."""
        is_past = self.face.time_machine.is_past
        return is_past or self.selection.is_over(self.face.session.clock(), self.calendar)

    def remarks(self) -> Line:
        """What is new, whether it follows, and what the figures are of."""
        palette, table = self.face.palette, self.table
        parts: list[Piece] = [*self.fetcher.remarks()]
        if table.pending:
            parts.append((f"{formats.grouped(table.pending)} new, g to go   ", palette.key))
        elif table.following and table.rows and not self._is_over:
            parts.append((f"{self.face.glyphs.live} following   ", palette.good))
        if table.rows:
            of = f"{formats.grouped(len(table.rows))}{'' if self._is_whole else ' and more'}"
            parts.append((f"session {formats.grouped(table.position + 1)} of {of}", palette.muted))
        if self.selection.text.strip():
            parts.append(("   figures of the requests that the filter selects", palette.muted))
        return parts

    def on_list_table_moved(self) -> None:
        """Other words; near the end more of them."""
        table = self.table
        if not self._is_whole and len(table.rows) >= self._wanted and table.position >= self._wanted - _NEAR_END:
            self._wanted += _PAGE
            self.news()
        self.trends.read()
        self.tick()

    def on_resize(self) -> None:
        """There may be room for more."""
        self.call_after_refresh(self.trends.read)

    def on_list_table_opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        from spendtop.tui.sessions.session_screen import OneSessionScreen

        row = self.table.row
        if row is not None:
            self.table.following = False
            self.app.push_screen(OneSessionScreen(row.session))

    # Movement and order

    def action_follow(self) -> None:
        """The active ones on top, or stand still."""
        if self.table.following:
            self.table.following = False
        else:
            self.table.to_top()
        self.tick()

    def order_by(self, order: str, descending: bool) -> None:
        self.table.order, self.table.descending = order, descending
        self.table.to_top()
        if self.was_read:
            self._title()
        self.tick()

    # Selection

    def choose(self, selection: Selection) -> None:
        """List others, from their start."""
        if selection != self.selection:
            self.selection, self._wanted = selection, _PAGE
            self.table.forget()
            self.news()

    def limit_to(self, time: TimeChoice) -> None:
        self.choose(replace(self.selection, time=time))

    def filter_by(self, text: str, selected: Filter) -> None:
        if body_terms(selected):
            self.warn("Prompts and answers are searched on the screen of requests: 2, then /.")
            return
        self.choose(replace(self.selection, text=text, filter=selected))

    def action_filter(self) -> None:
        self.filter_prompt.open(self.selection.text)

    def action_clear_filter(self) -> None:
        self.choose(Selection())

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        if event.kind is PromptKind.FILTER:
            self.filter_prompt.show_hint()

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if event.kind is PromptKind.FILTER:
            self.filter_prompt.submit(event.text)

    def complete(self, kind: PromptKind, text: str, step: int) -> None:
        if kind is PromptKind.FILTER:
            self.filter_prompt.complete(text)
        else:
            super().complete(kind, text, step)

    def action_copy(self) -> None:
        self.copier.ask()

    def action_fetch(self) -> None:
        row = self.table.row
        if row is not None:
            self.fetcher.session(row.session.raw)

    def action_export(self) -> None:
        store, now, calendar = self.face.store, self.face.session.clock(), self.calendar
        query = self.selection.query(now, calendar, False)

        def read() -> Records:
            from spendtop.domain.filters.filters import FilterContext
            from spendtop.tui.sessions.questions import all_sessions

            assert store is not None
            return COLUMNS, map(record, all_sessions(store, query, FilterContext(now, calendar)))

        self.exporter.ask("all sessions that are selected", read)
