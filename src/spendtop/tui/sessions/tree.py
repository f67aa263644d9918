"""One session: its figures, its models, and the tree of its paths with what each cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from spendtop.domain.clock import MINUTE
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.sessions.order import per_minute_of
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right, laid_over, length

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.session_paths import Branch
    from spendtop.tui.sessions.questions import OneSessionAnswer

_FACTS = 2
_FIGURES = 5 + 1 + 12 + 1 + 7 + 1 + 5
_BAR = 20


class SessionTree(Panel):
    """Two lines of facts, then all paths and the branches; the chosen one is lit."""

    class Chosen(Message):
        """A branch was clicked."""

        def __init__(self, position: int) -> None:
            super().__init__()
            self.position = position

    def __init__(self, session: Untrusted) -> None:
        super().__init__(id="session-tree")
        self.session = session
        self.calendar = Calendar()
        self.answer: OneSessionAnswer | None = None
        self.chosen: Branch | None = None
        """None for all paths."""
        self._top = 0

    @property
    def title_line(self) -> Line:
        """Which session."""
        return [("Session ", self.palette.muted), (str(self.session), self.palette.title)]

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches from top to bottom; none where no request has a path."""
        return self.answer.branches if self.answer else ()

    @property
    def position(self) -> int:
        """Of the chosen branch; 0 is all paths."""
        paths = [branch.path for branch in self.branches]
        return paths.index(self.chosen.path) + 1 if self.chosen and self.chosen.path in paths else 0

    def show(self, answer: OneSessionAnswer, calendar: Calendar, most_lines: int) -> None:
        """Newer figures; as high as they need, up to so many lines."""
        self.answer, self.calendar = answer, calendar
        self.note = self._verified(answer)
        rows = len(answer.branches) + 2 if answer.branches else 0
        self.styles.height = min(_FACTS + rows + 2, most_lines)
        self.redraw()

    def _verified(self, answer: OneSessionAnswer) -> Line:
        if answer.costs is None or not answer.costs.whole.requests:
            return ()
        if not answer.costs.unverified:
            return [(f"{self.glyphs.good} verified", self.palette.good)]
        words = f"{formats.grouped(answer.costs.unverified)} not verified"
        return [(words, self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """Facts and tree."""
        answer = self.answer
        if answer is None:
            return []
        if answer.costs is None or answer.span is None:
            return [[("no request names this session any more", self.palette.muted)]]
        lines: list[Line] = [self._figures(answer, width), self._models(answer, width)]
        if answer.branches and height > _FACTS + 1:
            lines += self._tree(answer.costs.whole, width, height - _FACTS)
        return lines

    def _figures(self, answer: OneSessionAnswer, width: int) -> Line:
        assert answer.costs is not None
        assert answer.span is not None
        whole, palette = answer.costs.whole, self.palette
        since, until = answer.span.since or 0, (answer.span.until or 0) - 1
        pace = f"{per_minute_of(whole.cost, since, until)}/min" if whole.requests > whole.unpriced else ""
        lasted = formats.span(until - since) if until - since >= MINUTE else ""
        facts = [formats.requests(whole.requests), f"{formats.count(whole.tokens)} tokens", pace]
        gap = f" {self.glyphs.between} "
        money: Piece = (formats.spend_long(whole), palette.money)
        for rest in ([self._when(since, until, ":%S"), lasted], [self._when(since, until, "")]):
            words = gap + gap.join(part for part in (*facts, *rest) if part)
            if length([money]) + len(words) <= width:
                break
        return [money, (words, palette.text)]

    def _when(self, since: int, until: int, seconds: str) -> str:
        """First and last request; the second day only where it is another one."""
        first, last = self.calendar.local(since), self.calendar.local(until)
        clock = f"%H:%M{seconds}"
        day = f"%m-%d {clock}"
        shown = last.strftime(clock if first.date() == last.date() else day)
        return f"{first.strftime(day)} {self.glyphs.into} {shown}"

    def _models(self, answer: OneSessionAnswer, width: int) -> Line:
        assert answer.costs is not None
        line: list[Piece] = []
        models = answer.costs.by_model
        for place, (model, spend) in enumerate(models):
            cost = "unpriced" if spend.requests == spend.unpriced else formats.spend(spend)
            part: list[Piece] = [
                (formats.model(str(model) if model else "(no model)", 24), self.palette.model),
                (f" {cost}", self.palette.money if spend.requests > spend.unpriced else self.palette.unknown),
                ("   ", self.palette.text),
            ]
            if length([*line, *part]) > width - 5 and place:
                line.append((f"+{len(models) - place}", self.palette.muted))
                break
            line += part
        return line

    def _tree(self, whole: Spend, width: int, height: int) -> list[Line]:
        bar = _BAR if width >= 110 else 0
        name = min(width - 2 - _FIGURES - (bar + 1 if bar else 0), 60)
        faint = self.palette.faint
        head = (
            fit_right("REQ", 5) + " " + fit_right("COST", 12) + " " + fit_right("TOKENS", 7) + " " + fit_right("%", 5)
        )
        lines: list[Line] = [[(" " + fit("PATH", name, "") + " " + head, faint)]]
        rows: list[tuple[str, Spend]] = [("all paths", whole)]
        rows += [(self._branch_words(branch), branch.spend) for branch in self.branches]
        self._top = max(min(self._top, self.position), self.position - (height - 1) + 1)
        self._top = max(0, min(self._top, len(rows) - (height - 1)))
        for place, (words, spend) in list(enumerate(rows))[self._top : self._top + height - 1]:
            share = spend.cost.share_of(whole.cost)
            cost = "unpriced" if spend.requests and spend.requests == spend.unpriced else formats.spend(spend)
            line: list[Piece] = [
                (" ", self.palette.text),
                (fit(words, name, self.glyphs.cut), self.palette.strong if place == 0 else self.palette.text),
                (" " + fit_right(formats.count(spend.requests), 5), self.palette.text),
                (
                    " " + fit_right(cost, 12),
                    self.palette.unknown if cost == "unpriced" else self.palette.money,
                ),
                (" " + fit_right(formats.count(spend.tokens), 7), self.palette.text),
                (" " + fit_right(formats.UNKNOWN if share is None else formats.percent(share), 5), self.palette.muted),
            ]
            if bar and share is not None:
                line.append((" " + self.glyphs.grows[-1] * round(share * bar), self.palette.bar))
            if place == self.position:
                line[0] = (self.glyphs.cursor, self.palette.mark)
                line = laid_over(line, self.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    def _branch_words(self, branch: Branch) -> str:
        mark = self.glyphs.last_branch if branch.is_last else self.glyphs.branch
        return f"{'  ' * branch.depth}{mark} {branch.name if branch.name else '(no path)'}"

    def on_click(self, event: events.Click) -> None:
        """Choose the clicked branch."""
        position = self._top + event.y - 1 - _FACTS - 1
        if 0 <= position <= len(self.branches) and event.y > _FACTS + 1:
            self.post_message(self.Chosen(position))
