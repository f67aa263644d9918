"""Requests from the list to elsewhere: onto the clipboard, or into a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.bodies.conversation import prompt_text, response_text
from spendtop.domain.bodies.replay import as_curl, as_python
from spendtop.domain.errors import UsageError
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.requests.browser import Browser
from spendtop.tui.requests.list_pane import ListPane
from spendtop.tui.screens.clipboard import Clipboard, tab_separated
from spendtop.tui.screens.file_export import FORMATS, FileExport
from spendtop.tui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from spendtop.domain.bodies.conversation import Conversation
    from spendtop.domain.filters.filters import FilterContext
    from spendtop.services.exchange.export import Pages
    from spendtop.store.engine import Store
    from spendtop.store.reads.requests.detail import RequestDetail
    from spendtop.store.reads.requests.lists import RequestQuery
    from spendtop.store.reads.rows import RequestRow

_COPIES = (
    ("m", "message: prompt and response as text"),
    ("a", "all fields, as JSON"),
    ("b", "request body, raw"),
    ("r", "response body, raw"),
    ("c", "curl: a command that sends it again"),
    ("p", "Python: a program that sends it again"),
    ("i", "id"),
    ("t", "table: marked rows, or this one"),
)
_REPLAYS = {"c": as_curl, "p": as_python}
_TABLE = ("occurred_at", "user_id", "model", "prompt_tokens", "completion_tokens", "cost_usd", "status", "latency_ms")


class RequestCopy:
    """Copies the request under the cursor, or the marked ones."""

    def __init__(self, screen: LiveScreen, browser: Browser, pane: ListPane) -> None:
        self._screen = screen
        self._browser = browser
        self._pane = pane
        self._clipboard = Clipboard(screen)

    def ask(self) -> None:
        self._screen.app.push_screen(ChooseScreen("Copy", _COPIES), self._take)

    def _take(self, key: str | None) -> None:
        row = self._pane.rows.row
        if key is None or row is None:
            return
        if key == "t":
            marked = [each for each in self._browser.listing if each.id in self._pane.rows.marks]
            self._clipboard.copy(as_table(marked or [row]))
        elif key == "i":
            self._clipboard.copy(str(row.id))
        elif key == "a":
            self._clipboard.copy(as_json(row))
        else:
            from spendtop.tui.requests.questions import DetailQuestion

            self._screen.ask(DetailQuestion(row.id), partial(self._copy_body, key))

    def _copy_body(self, key: str, answer: tuple[RequestDetail | None, Conversation]) -> None:
        detail, conversation = answer
        if detail is None:
            self._screen.warn("The request is gone.")
            return
        if key in _REPLAYS:
            self._copy_replay(key, detail)
            return
        if key == "m":
            text = f"{prompt_text(conversation)}\n\n{response_text(conversation)}\n"
        else:
            body = detail.request_body if key == "b" else detail.response_body
            text = (body or b"").decode("utf-8", "replace")
        if text.strip():
            self._clipboard.copy(text)
        else:
            self._screen.warn("There is nothing to copy: no body is stored.")

    def _copy_replay(self, key: str, detail: RequestDetail) -> None:
        """Without a key: the environment holds it."""
        try:
            self._clipboard.copy(_REPLAYS[key](detail.row.provider, detail.request_body))
        except UsageError as failure:
            self._screen.warn(str(failure))


class RequestExport:
    """Writes the marked requests, or all that are listed."""

    def __init__(self, screen: LiveScreen, browser: Browser, pane: ListPane) -> None:
        self._screen = screen
        self._browser = browser
        self._pane = pane
        self._files = FileExport(screen)

    def ask(self) -> None:
        """Ask for the format; the file's name says when."""
        marked = len(self._pane.rows.marks)
        sums = self._browser.sums
        listed = "all that are listed" if sums is None else f"all {formats.grouped(sums.requests)} that are listed"
        what = f"{marked} marked" if marked else listed
        options = [("c", f"CSV, {what}"), ("l", f"JSON lines, {what}")]
        self._screen.app.push_screen(ChooseScreen("Export to a file", options), self._take)

    def _take(self, key: str | None) -> None:
        if key is not None:
            self.write(FORMATS[key], self._files.dated("requests", FORMATS[key]))

    def write(self, kind: str, target: Path) -> None:
        """As `csv` or `jsonl`, whatever the target is called."""
        from spendtop.domain.filters.filters import FilterContext

        store, now, calendar = self._screen.face.store, self._screen.face.session.clock(), self._screen.calendar
        if store is None:
            return
        if marks := sorted(self._pane.rows.marks):
            work = partial(write_marked, kind=kind, store=store, marks=marks)
        else:
            query = self._browser.selection.query(now, calendar, False)
            context = FilterContext(now, calendar)
            work = partial(write_listed, kind=kind, store=store, query=query, context=context)
        self._files.write(target, ("request", "requests"), work)


def write_listed(path: Path, kind: str, store: Store, query: RequestQuery, context: FilterContext) -> int:
    """Write all that the query selects as `csv` or `jsonl` into a new file; returns how many.

    Raises CannotCreate, CannotWrite.
    """
    from spendtop.services.exchange.export import pages

    return _write(path, kind, pages(store, query, context))


def write_marked(path: Path, kind: str, store: Store, marks: Iterable[int]) -> int:
    """Write the requests with these ids, in their order. Raises CannotCreate, CannotWrite."""
    return _write(path, kind, _marked(store, marks))


def as_table(rows: Iterable[RequestRow]) -> str:
    from spendtop.services.exchange.export import record

    return tab_separated(_TABLE, ([values[name] for name in _TABLE] for values in map(dict, map(record, rows))))


def as_json(row: RequestRow) -> str:
    """All fields of one request as indented JSON in ASCII."""
    from spendtop.services.exchange.export import ascii_json, record

    return ascii_json(record(row), indent=2)


def _write(path: Path, kind: str, pages: Pages) -> int:
    from spendtop.services.exchange.export import FORMATS, counting
    from spendtop.services.exchange.files import create

    counts = [0]
    create(path.expanduser(), FORMATS[kind](counting(pages, counts.append)))
    return counts[-1]


def _marked(store: Store, marks: Iterable[int]) -> Iterator[Sequence[RequestRow]]:
    from spendtop.store.reads.requests.detail import detail

    for request_id in marks:
        with store.reading() as connection:
            stored = detail(connection, request_id)
        if stored is not None:
            yield [stored.row]
