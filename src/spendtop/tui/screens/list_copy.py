"""Rows of a list onto the clipboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from spendtop.domain.untrusted import clean_line
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.clipboard import Clipboard, tab_separated
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.widgets.table import ListTable

Row = TypeVar("Row")


class ListCopy(Generic[Row]):
    """Copies the id of the row under the cursor, or all that are listed as a table."""

    def __init__(
        self,
        screen: LiveScreen,
        table: ListTable[Row, Any],
        noun: str,
        columns: Sequence[str],
        record: Callable[[Row], Mapping[str, object]],
    ) -> None:
        """The first of `columns` of a `record` is its id."""
        self._screen = screen
        self._table = table
        self._options = (("i", f"id of the {noun}"), ("t", "table: all that are listed"))
        self._columns = columns
        self._record = record
        self._clipboard = Clipboard(screen)

    def ask(self) -> None:
        self._screen.app.push_screen(ChooseScreen("Copy", self._options), self._take)

    def _take(self, key: str | None) -> None:
        row = self._table.row
        if key is None or row is None:
            return
        if key == "i":
            self._clipboard.copy(clean_line(str(self._record(row)[self._columns[0]])))
        else:
            rows = self._table.rows
            listed = filter(None, (rows[position] for position in range(len(rows))))
            table = tab_separated(self._columns, (self._record(each).values() for each in listed))
            self._clipboard.copy(table)
