"""How the cost of the sessions in view is spread over their lives: read for all of them at once, beside the list."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spendtop.tui.screens.reader_screen import ReaderScreen
from spendtop.tui.sessions.table import SessionTable

if TYPE_CHECKING:
    from spendtop.store.reads.sessions.sessions import SessionRow
    from spendtop.tui.sessions.questions import SessionsQuestion, SessionTrends


class Trends:
    """Asks for each row in view once per picture, unless its figures are still those that its trend is of."""

    def __init__(self, screen: ReaderScreen, table: SessionTable) -> None:
        self._screen = screen
        self._table = table
        self._listed: SessionsQuestion | None = None
        self._asked: set[str] = set()

    def follow(self, listed: SessionsQuestion) -> None:
        """Another picture is shown: the answer to `listed`."""
        self._listed, self._asked = listed, set()
        self.read()

    def read(self) -> None:
        """What the rows in view lack."""
        if self._listed is None or not self._table.has_trends:
            return
        first, last = self._table.in_view
        shown = {row.session.raw: row for row in self._table.rows[first : last + 1]}
        rows = [row for name, row in shown.items() if name not in self._asked and self._is_due(row)]
        if rows:
            from spendtop.tui.sessions.questions import TrendsQuestion

            self._asked.update(row.session.raw for row in rows)
            self._screen.ask(TrendsQuestion(listed=self._listed, rows=rows), partial(self._take, self._listed))

    def _is_due(self, row: SessionRow) -> bool:
        known = self._table.trends.get(row.session.raw)
        return known is None or known.row != row

    def _take(self, listed: SessionsQuestion, trends: SessionTrends) -> None:
        if self._listed is not None and listed.query.filter == self._listed.query.filter:
            self._table.trends.update(trends)
            self._table.redraw()
