"""Sessions as records, and into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.clock import to_iso
from spendtop.domain.money import Usd
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.file_export import FORMATS, FileExport, write_records
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.selection import Selection

if TYPE_CHECKING:
    from spendtop.store.reads.sessions.sessions import SessionRow

_FORMATS = (("c", "CSV, all sessions that are selected"), ("l", "JSON lines, all sessions that are selected"))
COLUMNS = (
    "session_id",
    "first_at",
    "last_at",
    "requests",
    "cost_usd",
    "cost_nanousd",
    "unpriced",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "models",
)


class SessionExport:
    """Writes all sessions that are selected, listed or not."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._files = FileExport(screen)

    def ask(self, selection: Selection) -> None:
        """Ask for the format; the file's name says when."""

        def take(key: str | None) -> None:
            if key is not None:
                self._write(selection, FORMATS[key])

        self._screen.app.push_screen(ChooseScreen("Export to a file", _FORMATS), take)

    def _write(self, selection: Selection, kind: str) -> None:
        store, now, calendar = self._screen.face.store, self._screen.face.session.clock(), self._screen.calendar
        if store is None:
            return
        query = selection.query(now, calendar, False)

        def work(path: Path) -> int:
            from spendtop.domain.filters.filters import FilterContext
            from spendtop.tui.sessions.questions import all_sessions

            return write_records(path, COLUMNS, map(record, all_sessions(store, query, FilterContext(now, calendar))))

        self._files.write(self._files.dated("sessions", kind), ("session", "sessions"), work)


def record(row: SessionRow) -> dict[str, object]:
    """One session as JSON values. A cost that is of no request priced is None."""
    values = (
        row.session.raw,
        to_iso(row.first_at),
        to_iso(row.last_at),
        row.spend.requests,
        Usd.float_of(row.spend.known_cost),
        Usd.nano_of(row.spend.known_cost),
        row.spend.unpriced,
        row.spend.prompt_tokens,
        row.spend.completion_tokens,
        row.spend.tokens,
        [model.raw for model in row.models],
    )
    return dict(zip(COLUMNS, values, strict=True))
