"""One session: its figures, its models, and the tree of its paths with what each cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from spendtop.domain.clock import MINUTE
from spendtop.domain.model_names import family
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.sessions.table import per_minute_of
from spendtop.tui.widgets.canvas import Line, Piece, length
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.spend_columns import cost_cell, requests_cell, tokens_cell
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.sessions.paths import Branch
    from spendtop.store.reads.sessions.sessions import SessionCosts
    from spendtop.tui.sessions.questions import OneSessionAnswer

_FACTS = 2


@dataclass(frozen=True, slots=True)
class PathRow:
    """All paths of the session, or one branch of them."""

    branch: Branch | None
    spend: Spend
    whole: Spend
    """Of the session."""

    @property
    def key(self) -> tuple[bool, Untrusted | None]:
        return self.branch is None, self.branch.path if self.branch else None


class SessionTree(ListTable[PathRow, tuple[bool, "Untrusted | None"]]):
    """Two lines of facts, then all paths and the branches; the chosen one is lit."""

    def __init__(self, session: Untrusted) -> None:
        super().__init__("Session ", id="session-tree")
        self.session = session
        self.rows: Sequence[PathRow] = ()
        self.answer: OneSessionAnswer | None = None

    @property
    def title_line(self) -> Line:
        return [(self.title, self.palette.muted), (str(self.session), self.palette.title)]

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches from top to bottom; none where no request has a path."""
        return self.answer.branches if self.answer else ()

    def layouts(self) -> Sequence[Columns[PathRow]]:
        costs = self.answer.costs if self.answer else None
        return _OF_PLAN if costs is not None and costs.is_plan else _LAYOUTS

    def key(self, row: PathRow) -> tuple[bool, Untrusted | None]:
        return row.key

    def renew(self, answer: OneSessionAnswer, calendar: Calendar, most_lines: int) -> None:
        """Newer figures; as high as they need, up to so many lines."""
        self.answer, self.calendar = answer, calendar
        self.note = self._by_helicone(answer)
        self.show(_rows(answer))
        rows = len(self.rows) + 1 if self.rows else 0
        self.styles.height = min(_FACTS + rows + 2, most_lines)

    def _by_helicone(self, answer: OneSessionAnswer) -> Line:
        if answer.costs is None or not answer.costs.whole.requests:
            return ()
        if answer.costs.all_by_helicone:  # by Helicone itself, and not by a price list here
            return [(f"{self.glyphs.good} verified", self.palette.good)]
        priced = formats.grouped(answer.costs.whole.requests - answer.costs.whole.unpriced)
        words = f"{formats.grouped(answer.costs.by_helicone)} of {priced} costs by Helicone"
        return [(words, self.palette.muted)]

    def above(self, width: int) -> Sequence[Line]:
        """The session's figures and models."""
        answer = self.answer
        if answer is None:
            return ()
        if answer.costs is None or answer.span is None:
            return [[("no request names this session any more", self.palette.muted)]]
        return [self._figures(answer, width), self._models(answer, width)]

    def _figures(self, answer: OneSessionAnswer, width: int) -> Line:
        assert answer.costs is not None
        assert answer.span is not None
        costs, palette = answer.costs, self.palette
        whole = costs.under_plan if costs.is_plan else costs.whole
        since, until = answer.span.since or 0, (answer.span.until or 0) - 1
        pace = (
            f"{'~' * costs.is_plan}{per_minute_of(whole.cost, since, until)}/min"
            if whole.known_cost is not None
            else ""
        )
        lasted = formats.span(until - since) if until - since >= MINUTE else ""
        failed = formats.failed(whole.failed)
        facts = [formats.requests(whole.requests), failed, f"{formats.count(whole.tokens)} tokens", pace]
        gap = f" {self.glyphs.between} "
        money = f"~{formats.spend_long(whole)} API-equivalent" if costs.is_plan else formats.spend_long(whole)
        if costs.plan and not costs.is_plan:
            facts.append(f"and {formats.equivalent(costs.under_plan)} under a plan")
        for rest in ([self._when(since, until, ":%S"), lasted], [self._when(since, until, "")], []):
            words = gap + gap.join(part for part in (*facts, *rest) if part)
            if len(money) + len(words) <= width:
                break
        return [(money, palette.plan if costs.is_plan else palette.money), (words, palette.text)]

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
        families = _by_family(answer.costs)
        for place, (name, spend) in enumerate(families):
            part: list[Piece] = [
                (formats.model(str(name) or "(no model)", 24), self.palette.model),
                self._cost(answer.costs, spend),
                ("   ", self.palette.text),
            ]
            if length([*line, *part]) > width - 5 and place:
                line.append((f"+{len(families) - place}", self.palette.muted))
                break
            line += part
        return line

    def _cost(self, costs: SessionCosts, spend: Spend) -> Piece:
        if costs.is_plan:
            return f" {formats.equivalent(spend)}", self.palette.plan
        return f" {formats.spend(spend)}", self.palette.unknown if spend.known_cost is None else self.palette.money


def _by_family(costs: SessionCosts) -> list[tuple[Untrusted, Spend]]:
    """The costliest first; the name is empty where requests name no model."""
    spent: dict[str, Spend] = {}
    for model, spend in costs.plan if costs.is_plan else costs.by_model:
        name = family(model.raw) if model else ""
        spent[name] = spent[name] + spend if name in spent else spend
    ordered = sorted(spent.items(), key=lambda item: (-item[1].cost.nano, -item[1].requests, item[0]))
    return [(Untrusted(name), spend) for name, spend in ordered]


def _rows(answer: OneSessionAnswer) -> list[PathRow]:
    if answer.costs is None or not answer.branches:
        return []
    whole = answer.costs.under_plan if answer.costs.is_plan else answer.costs.whole
    return [PathRow(None, whole, whole), *(PathRow(each, each.spend, whole) for each in answer.branches)]


def _path(row: PathRow, ink: Ink, width: int) -> Piece:
    if row.branch is None:
        return "all paths", ink.palette.strong
    mark = ink.glyphs.last_branch if row.branch.is_last else ink.glyphs.branch
    return f"{'  ' * row.branch.depth}{mark} {row.branch.name or '(no path)'}", ink.palette.text


def _equivalent(row: PathRow, ink: Ink, width: int) -> Piece:
    return formats.equivalent(row.spend, width), ink.palette.plan


def _percent(row: PathRow, ink: Ink, width: int) -> Piece:
    return formats.share(row.spend, row.whole), ink.palette.muted


def _bar(row: PathRow, ink: Ink, width: int) -> Piece:
    return ink.glyphs.grows[-1] * round((row.spend.share_of(row.whole) or 0) * width), ink.palette.bar


_USUAL: Columns[PathRow] = (
    Column("PATH", 14, _path, wished=60),
    Column("REQ", 5, requests_cell, right=True),
    Column("COST", 12, cost_cell, right=True),
    Column("TOKENS", 7, tokens_cell, right=True),
    Column("%", 5, _percent, right=True),
)
_WITH_BAR = (replace(_USUAL[0], least=55), *_USUAL[1:], Column("", 20, _bar))
_LAYOUTS: Sequence[Columns[PathRow]] = (_WITH_BAR, _USUAL)
_EQUIVALENT: Column[PathRow] = Column("PLAN", 12, _equivalent, right=True)
_OF_PLAN = tuple(tuple(_EQUIVALENT if column.title == "COST" else column for column in layout) for layout in _LAYOUTS)
"""The same of a session all of which was under a plan."""
