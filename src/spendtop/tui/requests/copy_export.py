"""Copying and exporting from the list of requests."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.conversation import prompt_text, response_text
from spendtop.domain.errors import SpendtopError
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.requests.browsing import BrowsingScreen
from spendtop.tui.requests.request_files import as_json, as_table, write_listed, write_marked
from spendtop.tui.screens.copying import Copying

if TYPE_CHECKING:
    from spendtop.domain.conversation import Conversation
    from spendtop.store.engine import Store
    from spendtop.store.reads.detail import RequestDetail
    from spendtop.store.reads.requests import RequestQuery

_CHOICES = (
    ("m", "message: prompt and response as text"),
    ("j", "JSON: all fields"),
    ("q", "request body, raw"),
    ("r", "response body, raw"),
    ("i", "id"),
    ("t", "table: marked rows, or this one"),
)


class TakingAway(Copying, BrowsingScreen):
    """The part of the requests screen that takes things elsewhere."""

    def action_copy(self) -> None:
        """Ask what to copy."""
        self.app.push_screen(ChooseScreen("Copy", _CHOICES), self._take_copy)

    def action_export(self) -> None:
        """Ask for the format; the file's name says when."""
        marked = len(self.rows.marks)
        what = f"{marked} marked" if marked else "all that are listed"
        options = [("c", f"CSV, {what}"), ("j", f"JSON lines, {what}")]
        self.app.push_screen(ChooseScreen("Export to a file", options), self._take_format)

    def export(self, kind: str, path: str) -> None:
        """Write the marked rows, or all that are listed, in a thread."""
        store = self.face.store
        if store is None:
            return
        now = self.face.session.clock()
        marks = frozenset(self.rows.marks)
        query = self.browser.selection.query(now, self.calendar, False)
        target = self.face.session.folder / Path(path).expanduser()
        work = partial(self._write, store, query, now, marks, kind, target)
        self.run_worker(work, thread=True, exit_on_error=False, group="export")
        self.notify(f"Writing {target}", timeout=2, markup=False)

    def _take_format(self, chosen: str | None) -> None:
        if chosen is not None:
            kind = {"c": "csv", "j": "jsonl"}[chosen]
            moment = self.calendar.local(self.face.session.clock())
            self.export(kind, f"spendtop-requests-{moment:%Y%m%d-%H%M%S}.{kind}")

    def _write(
        self, store: Store, query: RequestQuery, now: int, marks: frozenset[int], kind: str, target: Path
    ) -> None:
        """Runs in a thread."""
        from spendtop.domain.filters import FilterContext

        try:
            if marks:
                count = write_marked(target, kind, store, sorted(marks))
            else:
                count = write_listed(target, kind, store, query, FilterContext(now, self.calendar))
        except SpendtopError as failure:
            self.report(str(failure), "warning")
        except Exception as failure:
            self.report(f"The export failed ({type(failure).__name__}); no file was written.", "error")
        else:
            self.report(f"{formats.grouped(count)} requests in {target}", "information")

    def _take_copy(self, chosen: str | None) -> None:
        row = self.rows.row
        if chosen is None or row is None:
            return
        if chosen == "t":
            listed = [found for found in self.browser.listing if found.id in self.rows.marks]
            self.copy_text(as_table(listed or [row]))
        elif chosen == "i":
            self.copy_text(str(row.id))
        elif chosen == "j":
            self.copy_text(as_json(row))
        else:
            from spendtop.tui.reading import DetailQuestion

            self.ask(DetailQuestion(row.id), partial(self._copy_body, chosen))

    def _copy_body(self, chosen: str, answer: tuple[RequestDetail | None, Conversation]) -> None:
        detail, conversation = answer
        if detail is None:
            self.notify("The request is gone.", severity="warning", markup=False)
            return
        bodies = {"q": detail.request_body, "r": detail.response_body}
        if chosen == "m":
            text = f"{prompt_text(conversation)}\n\n{response_text(conversation)}\n"
        else:
            text = (bodies[chosen] or b"").decode("utf-8", "replace")
        if text.strip():
            self.copy_text(text)
        else:
            self.notify("There is nothing to copy: no body is stored.", severity="warning", markup=False)
