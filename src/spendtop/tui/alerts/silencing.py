"""Silencing alerts by a filter, until a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from getpass import getuser
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Input, Label

from spendtop.domain.alerting.silences import ALERT_FIELDS, parse_silence
from spendtop.domain.filters.filters import FilterError, quoted
from spendtop.domain.limits.limit import Each
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.domain.windows import parse_duration
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.modals.dialog import FormDialog
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.domain.alerting.silences import Silence
    from spendtop.domain.limits.limit import Limit
    from spendtop.store.reads.alerts.attention import AlertRow


_NEW = "n"
_KEYS = "123456789abcdefh"


@dataclass(frozen=True, slots=True)
class SilenceDraft:
    """A silence as it was typed."""

    filter: str = ""
    length: str = "2h"


def silence_of(row: AlertRow, limit: Limit | None) -> str:
    """The filter that selects this alert and its like: `limit:daily user:alice`."""
    match row.kind:
        case "limit":
            each = limit.each if limit is not None else None
            dimension = "model" if each is Each.MODEL_FAMILY else each
            whose = f" {dimension}:{quoted(row.entity.raw)}" if dimension is not None and row.entity.raw else ""
            return f"limit:{quoted(row.about)}{whose}"
        case "anomaly" | "loop" if row.entity.raw:
            return f"kind:{row.kind} {row.about}:{quoted(row.entity.raw)}"
    return f"kind:{row.kind} limit:{quoted(row.about)}"


class SilenceScreen(FormDialog[SilenceDraft]):
    """Which alerts are to be silent, and for how long: gives what was typed, or None."""

    HINT = "tab next · enter silences · esc gives up"

    def __init__(self, draft: SilenceDraft, complaint: str = "") -> None:
        """`complaint` says why the draft could not be used."""
        super().__init__("Silence alerts", complaint)
        self._draft = draft

    def fields(self) -> ComposeResult:
        yield Label(f"Filter by {', '.join(ALERT_FIELDS)}", markup=False)
        yield Input(self._draft.filter, placeholder="for example user:ci limit:daily", id="filter", compact=True)
        yield Label("For: 30m, 2h, 1d, up to 30d", classes="spaced", markup=False)
        yield Input(self._draft.length, placeholder="for example 2h", id="length", compact=True)
        words = "They go on being recorded. What they have to say and still stands at the end is said once then."
        yield Label(words, classes="dim", markup=False)

    def action_submit(self) -> None:
        self.dismiss(SilenceDraft(self.typed("filter"), self.typed("length")))


class SilenceDesk:
    """Shows what is silenced, asks until what was typed can be used, silences, and ends that."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer

    def show(self, draft: SilenceDraft) -> None:
        """Those in force, each of which can be ended, and a new one; only that where none is in force."""
        from spendtop.tui.alerts.questions import SilencesQuestion

        self._screen.ask(SilencesQuestion(self._screen.face.session.clock()), partial(self._choose, draft))

    def _choose(self, draft: SilenceDraft, in_force: Sequence[Silence]) -> None:
        if not in_force:
            self.ask(draft)
            return
        ends = dict(zip(_KEYS, in_force, strict=False))
        options = [(_NEW, "silence more alerts"), *((key, self._words(each)) for key, each in ends.items())]

        def chosen(key: str | None) -> None:
            if key == _NEW:
                self.ask(draft)
            elif key is not None:
                self._end(ends[key])

        self._screen.app.push_screen(ChooseScreen("Silences: choose one to end it", options), chosen)

    def _words(self, silence: Silence) -> str:
        until = formats.moment(silence.until, self._screen.face.session.clock(), self._screen.calendar)
        return f"until {until} by {clean_name(silence.by or 'somebody', 12)}: {clean_line(silence.text, 60)}"

    def _end(self, silence: Silence) -> None:
        if not self._writer.may_write():
            return
        by, now = getuser(), self._screen.face.session.clock()

        def work(connection: Connection) -> None:
            from spendtop.services.alerting import actions as alert_actions

            alert_actions.unsilence(connection, silence.id, by, now)

        self._writer.write(work, lambda _: self._ended(silence))

    def _ended(self, silence: Silence) -> None:
        words = f"Silence {silence.id} has ended; what it kept back and still stands is said now."
        self._screen.notify(words, markup=False)
        self._screen.news()

    def ask(self, draft: SilenceDraft, complaint: str = "") -> None:
        if self._writer.may_write():
            self._screen.app.push_screen(SilenceScreen(draft, complaint), self._take_draft)

    def _take_draft(self, draft: SilenceDraft | None) -> None:
        if draft is None:
            return
        by, now = getuser(), self._screen.face.session.clock()
        try:
            parse_silence(draft.filter)
            until = now + parse_duration(draft.length.strip())
        except FilterError as wrong:
            self.ask(draft, f"Filter: {clean_line(str(wrong))}.")
            return
        except ValueError:
            self.ask(draft, "For: say 30m, 2h or 1d.")
            return

        def work(connection: Connection) -> Silence:
            from spendtop.services.alerting import actions as alert_actions

            return alert_actions.silence(connection, draft.filter, until, by, now)

        self._writer.write(work, self._silenced, lambda reason: self.ask(draft, reason))

    def _silenced(self, silence: Silence) -> None:
        moment = formats.moment(silence.until, self._screen.face.session.clock(), self._screen.calendar)
        words = f"Silence {silence.id} lasts until {moment}; u takes it back."
        self._screen.notify(words, markup=False)
        self._screen.news()
