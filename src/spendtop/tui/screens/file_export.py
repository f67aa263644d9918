"""What is on a screen, into a new file: CSV that no spreadsheet runs, or JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from spendtop.domain.errors import SpendtopError
from spendtop.domain.spreadsheet import cell
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.live_screen import LiveScreen

FORMATS = {"c": "csv", "l": "jsonl"}
"""By the keys of the dialogs that ask for one."""

Records = tuple[Sequence[str], Iterable[Mapping[str, object]]]
"""Columns, and rows that have all of them."""


class FileExport:
    """Writes files in a thread, and says what came of it."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen

    def dated(self, what: str, kind: str) -> Path:
        """A file in the session's folder whose name says what it holds and when that was."""
        face = self._screen.face
        moment = self._screen.calendar.local(face.session.clock())
        return face.session.folder / f"spendtop-{what}-{moment:%Y%m%d-%H%M%S}.{kind}"

    def write(self, target: Path, nouns: tuple[str, str], work: Callable[[Path], int]) -> None:
        """`work` writes the file and returns how many things are in it; `nouns` are what one and many are called."""
        write = partial(self._write, target, nouns, work)
        self._screen.run_worker(write, thread=True, exit_on_error=False, group="export")
        self._screen.notify(f"Writing {target}", timeout=2, markup=False)

    def _write(self, target: Path, nouns: tuple[str, str], work: Callable[[Path], int]) -> None:
        try:
            count = work(target)
        except SpendtopError as failure:
            self._screen.report(str(failure), "warning")
        except Exception as failure:
            self._screen.report(f"The export failed ({type(failure).__name__}); no file was written.", "error")
        else:
            self._screen.report(f"{formats.grouped(count)} {nouns[count != 1]} in {target}")


class RecordExport:
    """Asks for a format, and writes records in it."""

    def __init__(self, screen: LiveScreen, what: str, nouns: tuple[str, str]) -> None:
        """`what` is in the file's name; `nouns` are what one and many rows are called."""
        self._screen = screen
        self._what = what
        self._nouns = nouns
        self._files = FileExport(screen)

    def ask(self, which: str, read: Callable[[], Records]) -> None:
        """`which` says what is written, such as `all that are listed`; `read` gives it, in a thread."""

        def work(path: Path) -> int:
            return write_records(path, *read())

        def take(key: str | None) -> None:
            if key is not None:
                self._files.write(self._files.dated(self._what, FORMATS[key]), self._nouns, work)

        options = (("c", f"CSV, {which}"), ("l", f"JSON lines, {which}"))
        self._screen.app.push_screen(ChooseScreen("Export to a file", options), take)


def write_records(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> int:
    """Write a new file, `.csv` or else JSON lines; returns how many rows. Raises CannotCreate, CannotWrite."""
    from spendtop.services.exchange.files import create

    rows = list(records)
    create(path, _csv_lines(columns, rows) if path.suffix == ".csv" else _json_lines(rows))
    return len(rows)


def _csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line(cell(row[column]) for column in columns)


def _csv_line(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _json_lines(rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    from spendtop.services.exchange.export import ascii_json

    return (f"{ascii_json(dict(row))}\n".encode() for row in rows)
