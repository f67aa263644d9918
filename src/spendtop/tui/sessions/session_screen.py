"""One session: its paths with what they cost, and its requests in time order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from spendtop.domain.filters.filters import And, Comparison, Filter, Not, Op, Or, Pattern, PatternKind
from spendtop.domain.untrusted import Untrusted, clean_name
from spendtop.tui.actions import DETAIL, LIVE, MOVE, REQUESTS, SESSION, Action, bindings
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.screens.arrangement import Layout
from spendtop.tui.screens.reader_screen import LongQuestion, Question
from spendtop.tui.selection import Selection
from spendtop.tui.sessions.tree import SessionTree
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.sessions.paths import Branch
    from spendtop.tui.headline import Headline
    from spendtop.tui.sessions.questions import OneSessionAnswer

_LEAST_LIST, _NAME = 9, 24


class OneSessionScreen(RequestsScreen):
    """What the screen of requests shows and does, within one session and, if chosen, one branch of its paths."""

    NAME: ClassVar[str] = "sessions"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *SESSION, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, SESSION, DETAIL, LIVE)

    def __init__(self, session: Untrusted) -> None:
        super().__init__()
        self.session = session
        self.browser.selection = Selection(within=_within(session, None), descending=False)
        self.browser.follow(False)

    def body(self) -> ComposeResult:
        yield SessionTree(self.session)
        yield from super().body()

    @property
    def paths(self) -> SessionTree:
        return self.query_one(SessionTree)

    @property
    def request_selection(self) -> Selection:
        """Of the whole session, whichever branch is shown: a branch has no words in the filter language."""
        chosen = self.browser.selection
        return replace(chosen, text=f'session:"{self.session.raw}" {chosen.text}'.strip())

    def question(self) -> Question | LongQuestion:
        from spendtop.tui.sessions.questions import OneSessionQuestion

        return OneSessionQuestion(session=self.session.raw, listed=self.list_pane.question())

    def show(self, answer: Any) -> Headline:
        session: OneSessionAnswer = answer
        calendar = session.listed.headline.calendar
        self.paths.renew(session, calendar, max(self.size.height - 4 - _LEAST_LIST, 4))
        self._name_list()
        return super().show(session.listed)

    @property
    def panes(self) -> Sequence[Widget]:
        """The paths too, where there are some and room for them."""
        requests = super().panes
        shows_paths = self.rows in requests and self.paths.branches and self.paths.display
        return [*requests, self.paths] if shows_paths else requests

    def works_now(self, action: Action) -> bool:
        """Paths can be chosen where there are some."""
        if action in SESSION:
            return bool(self.paths.branches) and not self.has_class("-detail")
        return super().works_now(action)

    @property
    def can_fetch(self) -> bool:
        """Beside what requests offer, the whole session in its list."""
        return super().can_fetch or (self.layout_shown is Layout.LIST and self.fetcher.can_ask)

    def action_fetch(self) -> None:
        if self.layout_shown is Layout.LIST and not self.marks_are_meant:
            self.fetcher.session(self.session.raw)
        else:
            super().action_fetch()

    def action_branch(self, step: int) -> None:
        """The requests of the next or previous branch, round and round."""
        self.paths.to((self.paths.position + step) % len(self.paths.rows))

    @on(ListTable.Moved, "#session-tree")
    def branch_chosen(self) -> None:
        row = self.paths.row
        branch = row.branch if row else None
        within = _within(self.session, branch)
        if within != self.browser.selection.within:
            self._name_list()
            self.list_pane.choose(replace(self.browser.selection, within=within))
            self.browser.begin(False)
            self.list_pane.begin()

    def _name_list(self) -> None:
        """By the path; of the whole session by its name, where that is not above."""
        row = self.paths.row
        named = "all" if self.paths.display else clean_name(self.session.raw, _NAME)
        self.list_pane.whole = named if row is None or row.branch is None else f"{row.branch.path or '(no path)'}"

    def go_back(self) -> bool:
        """From the detail to the requests, from these to the list of sessions."""
        if not super().go_back():
            self.app.pop_screen()
        return True


def _within(session: Untrusted, branch: Branch | None) -> Filter:
    """The session's requests, or those of one branch."""
    named = _text("session", PatternKind.EXACT, session.raw)
    return And((named, _along(branch))) if branch is not None else named


def _along(branch: Branch) -> Filter:
    if branch.path is None:
        return Not(_text("path", PatternKind.PREFIX, ""))
    path = branch.path.raw
    return Or((_text("path", PatternKind.EXACT, path), _text("path", PatternKind.PREFIX, f"{path}/")))


def _text(field: str, kind: PatternKind, text: str) -> Comparison:
    return Comparison(field, Op.EQ, Pattern(kind, text))
