"""Two requests side by side: what differs between their prompts, their answers and their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.bodies.conversation import prompt_text, response_text
from spendtop.domain.untrusted import clean_text
from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.palette import Palette
from spendtop.tui.requests.list_pane import ListPane
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.widgets.request_table import cost_word, status_word

if TYPE_CHECKING:
    from spendtop.domain.bodies.conversation import Conversation
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.requests.detail import RequestDetail
    from spendtop.store.reads.rows import RequestRow

Side = tuple["RequestDetail", "Conversation"]
_CONTEXT = 2
"""Equal lines around those that differ."""
_NAME = 10
_LINE = 71
"""Cells of a name and both values up to which they stand in one line, at 80 columns too."""


class RequestComparison:
    """Of the two that are marked in a list."""

    def __init__(self, screen: LiveScreen, pane: ListPane) -> None:
        self._screen = screen
        self._pane = pane

    def ask(self) -> None:
        from spendtop.tui.requests.questions import PairQuestion

        one, other = self._pane.rows.marks
        self._screen.ask(PairQuestion(one, other), self._show)

    def _show(self, pair: Sequence[Side | None]) -> None:
        older, newer = pair
        if older is None or newer is None:
            self._screen.warn("One of the two requests is gone.")
            return
        shown = ComparisonScreen(older, newer, self._screen.calendar, self._screen.face.palette)
        self._screen.app.push_screen(shown)


class ComparisonScreen(ReadingDialog):
    """The older one before the newer one."""

    HINT = "j k scroll · esc closes"

    def __init__(self, older: Side, newer: Side, calendar: Calendar, palette: Palette) -> None:
        super().__init__("Two requests: - the older, + the newer")
        self._text = Text("\n").join(_lines(older, newer, calendar, palette))

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(self._text)


def _lines(older: Side, newer: Side, calendar: Calendar, palette: Palette) -> Iterator[Text]:
    figures = zip(_figures(older[0].row, calendar), _figures(newer[0].row, calendar), strict=True)
    for (name, before), (_, after) in figures:
        line = Text(f"{name:<{_NAME}}", palette.muted)
        if before == after:
            yield line.append(before, palette.text)
        else:
            line.append(f"- {before}", palette.bad)
            is_long = line.cell_len + cell_len(after) > _LINE
            gap = f"\n{'':{_NAME}}" if is_long else "   "
            yield line.append(f"{gap}+ {after}", palette.good)
    for title, text in (("prompt", prompt_text), ("answer", response_text)):
        yield Text()
        yield Text(title, palette.title)
        yield from _differences(text(older[1]), text(newer[1]), palette)


def _figures(row: RequestRow, calendar: Calendar) -> list[tuple[str, str]]:
    return [
        ("time", formats.full_time(row.occurred_at, calendar)),
        ("user", str(row.user_id or formats.UNKNOWN)),
        ("model", str(row.model or formats.UNKNOWN)),
        ("tokens", f"{formats.grouped(row.usage.prompt)} in, {formats.grouped(row.usage.completion)} out"),
        ("cost", cost_word(row)),
        ("status", status_word(row)),
        ("latency", formats.latency(row.latency_ms)),
        ("session", str(row.session_id or formats.UNKNOWN)),
    ]


def _differences(before: str, after: str, palette: Palette) -> Iterator[Text]:
    left, right = (clean_text(text).splitlines() for text in (before, after))
    changes = list(unified_diff(left, right, n=_CONTEXT, lineterm=""))[2:]
    if not changes:
        yield Text("the same" if before.strip() else "not stored", palette.muted)
    styles = {"-": palette.bad, "+": palette.good, "@": palette.faint}
    for line in changes:
        yield Text(line, styles.get(line[:1], palette.text))
