"""The selected request beside or instead of the list: read when it is shown, and its bodies fetched when asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.requests.request import BodyState
from spendtop.domain.sources.records import HELICONE, HELICONE_API
from spendtop.tui.requests.detail import DetailView
from spendtop.tui.screens.helicone_fetch import HeliconeFetch
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.prompt import PromptKind

if TYPE_CHECKING:
    from spendtop.domain.bodies.conversation import Conversation
    from spendtop.store.reads.requests.detail import RequestDetail
    from spendtop.store.reads.rows import RequestRow

_OF_HELICONE = (HELICONE_API.name, HELICONE.name)
_NOT_FOR_GOOD = (BodyState.NOT_SENT, BodyState.NOT_KEPT, BodyState.TRUNCATED)


class DetailPane:
    """Keeps the widget on the selected request."""

    def __init__(self, screen: LiveScreen, fetcher: HeliconeFetch) -> None:
        self._screen = screen
        self._fetcher = fetcher
        self._asked: int | None = None
        """Id of the request that was read for last."""

    @property
    def view(self) -> DetailView:
        return self._screen.query_one(DetailView)

    def show(self, request_id: int) -> None:
        """Read the request, unless it is shown already."""
        shown = self.view.detail
        if shown is None or shown.row.id != request_id:
            self.read(request_id)

    def read(self, request_id: int) -> None:
        from spendtop.tui.requests.questions import DetailQuestion

        self._asked = request_id
        self._screen.ask(DetailQuestion(request_id), partial(self._take, request_id))

    def _take(self, request_id: int, answer: tuple[RequestDetail | None, Conversation]) -> None:
        if request_id == self._asked:
            self.view.calendar = self._screen.calendar
            self.view.show(*answer)
            self._screen.tick()

    @property
    def fetchable(self) -> RequestRow | None:
        """The request, if Helicone can be asked for its bodies and they would be kept."""
        detail = self.view.detail
        if detail is None or not self._fetcher.can_keep:
            return None
        row = detail.row
        came_through = any(source in row.external_ids for source in _OF_HELICONE)
        return row if came_through and row.body_state in _NOT_FOR_GOOD else None

    def fetch(self) -> None:
        """Have the collector ask for the bodies; they appear by themselves."""
        row = self.fetchable
        if row is not None:
            self._fetcher.body(row.id)

    def ask_needle(self) -> None:
        """Ask for a text to find."""
        self._screen.open_prompt(PromptKind.FIND, self.view.needle)

    def find(self, needle: str) -> None:
        """Find what is being typed, and say below the line what came of it."""
        self.view.find(needle)
        palette, matches = self._screen.face.palette, self.view.match_count
        words = f" match {self.view.match}/{matches}" if matches else " not found" if needle else " type what to find"
        self._screen.hint([(words, palette.good if matches else palette.muted)])

    def remarks(self) -> Line:
        """Of a search."""
        palette, view = self._screen.face.palette, self.view
        if not view.needle:
            return ()
        words = f"find {view.needle[:30]}: "
        if not view.match_count:
            return [(f"{words}not found", palette.warn)]
        return [
            (f"{words}match {view.match}/{view.match_count}", palette.key),
            ("   n/N next, previous", palette.muted),
        ]
