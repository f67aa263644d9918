"""One request in full, pane by pane, with search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual import events

from spendtop.domain.bodies.conversation import Conversation
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.requests.transcript import PANES, Pane, PaneFormat, lines_of, summary
from spendtop.tui.widgets.canvas import Line, Panel, Piece, clip, length, narrowed
from spendtop.tui.widgets.request_table import cost_word, signs, status_word

if TYPE_CHECKING:
    from spendtop.store.reads.requests.detail import RequestDetail


_ROOMY = 16
"""Rows from which on the figures stay above what is scrolled."""


class DetailView(Panel):
    """Scrolls; keeps pane, wrapping and folds from one request to the next."""

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.calendar = Calendar()
        self.wrap = True
        self.folded = False
        self.detail: RequestDetail | None = None
        self._conversation = Conversation()
        self._pane = Pane.CHAT
        self._top = 0
        self._lines: list[Line] | None = None
        self._lines_for = (0, "")
        self.needle = ""
        """What is looked for."""
        self._matches: list[int] = []
        self._match = 0

    @property
    def title_line(self) -> Line:
        """When, what, who and how it ended; names are cut so that the end stays in view."""
        palette = self.palette
        if self.detail is None:
            return [("Request", palette.title)]
        row = self.detail.row
        when: Piece = (formats.clock(row.occurred_at, self.calendar), palette.title)
        end: list[Piece] = [
            (f" {cost_word(row)}{signs(row)}", palette.unknown if row.cost.amount is None else palette.money),
            (f" {status_word(row)} {formats.latency(row.latency_ms)}", palette.muted),
        ]
        model, who = f" {row.model or '-'}", f" {row.user_id or '-'}"
        room = max(self.size.width - 6 - length([when, *end]), 0)
        for_who = min(cell_len(who), max(room // 2, room - cell_len(model)))
        names = [*narrowed([(model, palette.model)], room - for_who), *narrowed([(who, palette.who)], for_who)]
        return [when, *names, *end]

    @property
    def match(self) -> int:
        """Which match is shown, from 1; 0 where there is none."""
        return self._match + 1 if self._matches else 0

    @property
    def match_count(self) -> int:
        return len(self._matches)

    def show(self, detail: RequestDetail | None, conversation: Conversation | None = None) -> None:
        """Another request, or a newer state of the same one."""
        same = detail is not None and self.detail is not None and detail.row.id == self.detail.row.id
        if same and detail == self.detail:
            return
        self.detail = detail
        self._conversation = conversation or Conversation()
        self._top = self._top if same else 0
        self._renew()

    def turn(self, step: int) -> None:
        self._pane = PANES[(PANES.index(self._pane) + step) % len(PANES)]
        self._top = 0
        self._renew()

    def toggle_wrap(self) -> None:
        self.wrap = not self.wrap
        self._renew()

    def may(self, action_id: str) -> bool:
        """Whether one of its actions has an effect on what is in view."""
        if action_id == "fold":
            return self._pane is Pane.CHAT and bool(self._conversation.turns)
        return self.match_count > 0 or action_id not in ("find-next", "find-previous")

    def toggle_fold(self) -> None:
        """Messages as their first lines, or whole."""
        self.folded, self._top = not self.folded, 0
        self._renew()

    def move(self, step: int) -> None:
        self._show_from(self._top + step)

    def to_top(self) -> None:
        self._show_from(0)

    def to_end(self) -> None:
        self._show_from(len(self._body()))

    def _show_from(self, line: int) -> None:
        self._top = max(0, min(line, len(self._body()) - self.rows_high))
        self.redraw()

    @property
    def rows_high(self) -> int:
        return max(self.size.height - 3 - len(self._head), 1)

    def find(self, needle: str) -> None:
        """Look for a text in this pane and go to its first match from here on."""
        self.needle = needle.strip()
        self._search()
        following = [index for index, line in enumerate(self._matches) if line >= self._top]
        self._match = following[0] if following else 0
        self._to_match()

    def find_next(self, step: int) -> None:
        """The next or previous match, round and round."""
        if self._matches:
            self._match = (self._match + step) % len(self._matches)
            self._to_match()

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        if self.detail is None and self.is_unread:
            return self.unread
        if self.detail is None:
            return [[("No request is selected.", palette.faint)]]
        body, head = self._body(), self._head
        room = height - 1 - len(head)
        shown = body[self._top : self._top + room]
        lines = [self._panes(width, len(body), room), *head]
        return [*lines, *(self._lit(line, self._top + index) for index, line in enumerate(shown))]

    def on_resize(self) -> None:
        self._renew()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)

    def _panes(self, width: int, total: int, height: int) -> Line:
        palette = self.palette
        pieces: list[Piece] = []
        for pane in PANES:
            name = pane.value if width >= 50 else pane.value.replace("raw ", "")
            pieces.append((f" {name} ", palette.tab if pane is self._pane else palette.muted))
        if total > height:
            seen = min(self._top + height, total) * 100 // total
            where = f"{seen}%" if width >= 40 else ""
            return [
                *clip(pieces, width - 5),
                (where.rjust(width - sum(len(text) for text, _ in pieces)), palette.faint),
            ]
        return pieces

    def _lit(self, line: Line, number: int) -> Line:
        """The line with matches of the search marked."""
        if not self.needle or number not in self._matches:
            return line
        here = self._matches[self._match] == number
        return [piece for text, style in line for piece in self._split(text, style, here)]

    def _split(self, text: str, style: Style, here: bool) -> list[Piece]:
        pieces: list[Piece] = []
        at, low, needle = 0, text.lower(), self.needle.lower()
        lit = style + self.palette.found + (Style(bold=True) if here else Style())
        while (start := low.find(needle, at)) >= 0:
            pieces += [(text[at:start], style), (text[start : start + len(needle)], lit)]
            at = start + len(needle)
        return [*pieces, (text[at:], style)]

    def _to_match(self) -> None:
        if self._matches:
            line = self._matches[self._match]
            if not self._top <= line < self._top + self.rows_high:
                self._top = max(line - self.rows_high // 3, 0)
        self.redraw()

    def _renew(self) -> None:
        self._lines = None
        self._search()
        self._show_from(self._top)

    def _search(self) -> None:
        needle = self.needle.lower()
        lines = enumerate(self._body()) if needle and self.detail else ()
        self._matches = [number for number, line in lines if needle in "".join(text for text, _ in line).lower()]
        self._match = min(self._match, max(len(self._matches) - 1, 0))

    @property
    def _page(self) -> PaneFormat:
        width = max(self.size.width - 4, 1)
        return PaneFormat(
            *(width, self.wrap, self.palette, self.glyphs, self.calendar),
            folded=self.folded,
            figures=self.size.height < _ROOMY,
        )

    @property
    def _head(self) -> list[Line]:
        """The figures, above what is scrolled."""
        page = self._page
        return [] if self.detail is None or page.figures else [*summary(self.detail, page), ()]

    def _body(self) -> list[Line]:
        if self.detail is None:
            return []
        page = self._page
        if self._lines is None or self._lines_for != (page.width, self.app.theme):
            self._lines = lines_of(self.detail, self._conversation, self._pane, page)
            self._lines_for = (page.width, self.app.theme)
        return self._lines
