"""Copying and exporting sessions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.errors import SpendtopError
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.copying import Copying
from spendtop.tui.selection import Selection
from spendtop.tui.sessions.table import SessionTable

if TYPE_CHECKING:
    from spendtop.store.engine import Store
    from spendtop.store.reads.requests import RequestQuery

_FORMATS = {"c": "csv", "j": "jsonl"}


class SessionExport(Copying):
    """The part of the screen of sessions that takes things elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.selection = Selection()

    @property
    def table(self) -> SessionTable:
        """The list."""
        return self.query_one(SessionTable)

    @property
    def calendar(self) -> Calendar:
        """The one that the collector applies."""
        return self.face.headline.calendar if self.face.headline else self.face.session.calendar

    def action_copy(self) -> None:
        """Ask what to copy."""
        options = [("i", "id of the session"), ("t", "table: all that are listed")]
        self.app.push_screen(ChooseScreen("Copy", options), self._take_copy)

    def _take_copy(self, chosen: str | None) -> None:
        from spendtop.tui.sessions.records import as_table

        row = self.table.row
        if chosen is not None and row is not None:
            self.copy_text(str(row.session) if chosen == "i" else as_table(self.table.rows))

    def action_export(self) -> None:
        """Ask for the format; the file's name says when."""
        options = [("c", "CSV, all sessions that are selected"), ("j", "JSON lines, all sessions that are selected")]
        self.app.push_screen(ChooseScreen("Export to a file", options), self._take_format)

    def _take_format(self, chosen: str | None) -> None:
        store = self.face.store
        if chosen is None or store is None:
            return
        now = self.face.session.clock()
        name = f"spendtop-sessions-{self.calendar.local(now):%Y%m%d-%H%M%S}.{_FORMATS[chosen]}"
        target = self.face.session.folder / name
        work = partial(self._write, store, self.selection.query(now, self.calendar, False), now, target)
        self.run_worker(work, thread=True, exit_on_error=False, group="export")
        self.notify(f"Writing {target}", timeout=2, markup=False)

    def _write(self, store: Store, query: RequestQuery, now: int, target: Path) -> None:
        """Runs in a thread."""
        from spendtop.domain.filters import FilterContext
        from spendtop.tui.record_files import write
        from spendtop.tui.sessions.questions import all_sessions
        from spendtop.tui.sessions.records import COLUMNS, record

        try:
            found = all_sessions(store, query, FilterContext(now, self.calendar))
            count = write(target, COLUMNS, map(record, found))
        except SpendtopError as failure:
            self.report(str(failure), "warning")
        except Exception as failure:
            self.report(f"The export failed ({type(failure).__name__}); no file was written.", "error")
        else:
            self.report(f"{formats.grouped(count)} session{'s' * (count != 1)} in {target}", "information")
