"""Copying and exporting from the list of requests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spendtop.domain.conversation import prompt_text, response_text
from spendtop.domain.errors import SpendtopError
from spendtop.tui import clipboard, formats
from spendtop.tui.exporting import as_table, record, write_file
from spendtop.tui.listing import PAGE
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.browsing import BrowsingScreen

if TYPE_CHECKING:
    from spendtop.domain.conversation import Conversation
    from spendtop.store.engine import Store
    from spendtop.store.reads.detail import RequestDetail
    from spendtop.store.reads.requests import RequestQuery
    from spendtop.store.reads.rows import RequestRow

_CHOICES = (
    ("m", "message: prompt and response as text"),
    ("j", "JSON: all fields"),
    ("q", "request body, raw"),
    ("r", "response body, raw"),
    ("i", "id"),
    ("t", "table: marked rows, or this one"),
)


class TakingAway(BrowsingScreen):
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

        context = FilterContext(now, self.calendar)
        rows = _marked(store, marks) if marks else _listed(store, query, context)
        try:
            count = write_file(target, kind, rows)
        except SpendtopError as failure:
            self._report(str(failure), "warning")
        except Exception as failure:
            self._report(f"The export failed ({type(failure).__name__}); no file was written.", "error")
        else:
            self._report(f"{formats.grouped(count)} requests in {target}", "information")

    def _report(self, words: str, severity: Any) -> None:
        self.app.call_from_thread(partial(self.notify, words, severity=severity, markup=False))

    def _take_copy(self, chosen: str | None) -> None:
        row = self.rows.row
        if chosen is None or row is None:
            return
        if chosen == "t":
            listed = [found for found in self.browser.listing if found.id in self.rows.marks]
            self._copy(as_table(listed or [row]))
        elif chosen == "i":
            self._copy(str(row.id))
        elif chosen == "j":
            self._copy(json.dumps(record(row), indent=2, ensure_ascii=True))
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
            self._copy(text)
        else:
            self.notify("There is nothing to copy: no body is stored.", severity="warning", markup=False)

    def _copy(self, text: str) -> None:
        """In a thread, because tmux may take its time."""
        self.run_worker(partial(self._put_on_clipboard, text), thread=True, exit_on_error=False, group="copy")

    def _put_on_clipboard(self, text: str) -> None:
        from platformdirs import user_state_path

        def send(sequence: str) -> None:
            self.app.call_from_thread(self.face.send_to_terminal, sequence)

        try:
            said = clipboard.copy(text, os.environ, send, user_state_path("spendtop"))
        except OSError as failure:
            self._report(f"Copying failed: {failure.strerror}.", "error")
        else:
            self._report(said, "information")


def _listed(store: Store, query: RequestQuery, context: Any) -> Iterator[RequestRow]:
    """All that the query selects; each page is a short transaction of its own."""
    from spendtop.store.reads.requests import page

    cursor: str | None = None
    while True:
        with store.reading() as connection:
            found = page(connection, query, context, cursor, PAGE * 5)
        yield from found.rows
        cursor = found.next_cursor
        if cursor is None:
            return


def _marked(store: Store, marks: frozenset[int]) -> Iterator[RequestRow]:
    from spendtop.store.reads.detail import detail

    for request_id in sorted(marks):
        with store.reading() as connection:
            found = detail(connection, request_id)
        if found is not None:
            yield found.row
