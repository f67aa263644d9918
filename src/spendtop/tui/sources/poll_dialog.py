"""How asking a provider goes: when it answered last, why it did not, and what of its answers nobody knows here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.sources.state import State, poller_advice
from spendtop.tui.widgets.canvas import Line, fit

if TYPE_CHECKING:
    from spendtop.tui.face import Face
    from spendtop.tui.sources.questions import PolledRow

_LABEL = 14


class PollScreen(ReadingDialog):
    HINT = "j k scroll · esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [("q,enter", "cancel", "close")]

    def __init__(self, face: Face, row: PolledRow, state: State, happened: Sequence[Line]) -> None:
        """`happened` is what was remarked of the answers, in lines of their own."""
        super().__init__(f"Polls of {row.title}")
        self._face = face
        self._row = row
        self._state = state
        self._happened = happened

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(Text("\n").join(self._lines()))

    def _lines(self) -> Iterator[Text]:
        palette, poller = self._face.palette, self._row.poller
        yield self._fact("state", f"{self._state}, {poller_advice(self._row, self._state).removeprefix('! ')}")
        if poller is not None:
            yield self._fact("last success", self._moment(poller.succeeded_at))
            if poller.failed_at is not None:
                yield self._fact("last failure", f"{self._moment(poller.failed_at)}, {poller.failures:,} in a row")
            if poller.complete_until is not None:
                yield self._fact("complete until", self._moment(poller.complete_until))
        yield Text()
        yield Text("Fields and columns that are not known here, what was refused", palette.title)
        for line in self._happened or [[("none", palette.muted)]]:
            yield Text.assemble(*line)

    def _fact(self, label: str, words: str) -> Text:
        palette = self._face.palette
        return Text.assemble((fit(label, _LABEL) + "  ", palette.muted), (words, palette.text))

    def _moment(self, at: int | None) -> str:
        if at is None:
            return "never"
        return formats.moment(at, self._face.session.clock(), self._face.calendar)
