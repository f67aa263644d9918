"""What families of models cost in a window of time, or the models of one family by their exact names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from spendtop.domain.filters.filters import quoted
from spendtop.domain.untrusted import Untrusted
from spendtop.tui import formats
from spendtop.tui.actions import LIVE, MODELS, MOVE, Action, bindings
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.selection import TimeChoice
from spendtop.tui.widgets.canvas import Piece
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.spend_columns import cost_cell, plan_cell
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline
    from spendtop.tui.overview.questions import ModelRow, ModelsFigures


class ModelsScreen(LiveScreen):
    """One family, or all of them where none is said."""

    NAME: ClassVar[str] = "overview"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *MODELS, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, MODELS, LIVE)

    def __init__(self, time: TimeChoice, family: Untrusted | None = None) -> None:
        super().__init__()
        self.time = time
        self.family = family
        self.table = ModelTable("Models" if family is None else "Models of ")

    @property
    def is_root(self) -> bool:
        return False

    def body(self) -> ComposeResult:
        yield self.table

    def question(self) -> Question:
        return _question(self, self.time, self.family)

    def show(self, answer: ModelsFigures) -> Headline:
        table, palette = self.table, self.face.palette
        table.nothing = f"nothing spent {self.time.name}"
        name: list[Piece] = [] if self.family is None else [(str(self.family), palette.title)]
        table.subtitle = [*name, (f" {self.time.name}", palette.muted)]
        table.note = [(formats.grouped(len(answer.rows)), palette.muted)]
        table.show(answer.rows)
        return answer.headline

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    def works_now(self, action: Action) -> bool:
        return self.table.row is not None or action.id != "open"

    def go_back(self) -> bool:
        self.app.pop_screen()
        return True

    def on_list_table_moved(self) -> None:
        self.tick()

    def on_list_table_opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        row = self.table.row
        if row is None:
            return
        if self.family is None:
            open_family(self, self.time, row.key)
        else:
            _list_requests(self, self.time, row.key)


class ModelTable(ListTable["ModelRow", str]):
    def __init__(self, title: str) -> None:
        super().__init__(title, id="model-table")

    def layouts(self) -> Sequence[Columns[ModelRow]]:
        """Beside the cost what calls under a plan would have cost, where there are some."""
        rows = [row for position in range(len(self.rows)) if (row := self.rows[position]) is not None]
        plan = (_PLAN,) if any(row.plan.requests for row in rows) else ()
        return ((_NAME, _REQUESTS, _COST, *plan, _TOKENS),)

    def key(self, row: ModelRow) -> str:
        return row.key.raw


def open_family(screen: LiveScreen, time: TimeChoice, family: Untrusted) -> None:
    """The family's models by their exact names; where there is but one, its requests."""

    def take(answer: ModelsFigures) -> None:
        if not screen.is_current:
            return
        if len(answer.rows) == 1:
            _list_requests(screen, time, answer.rows[0].key)
        else:
            screen.app.push_screen(ModelsScreen(time, family))

    screen.ask(_question(screen, time, family), take)


def _question(screen: LiveScreen, time: TimeChoice, family: Untrusted | None) -> Question:
    from spendtop.tui.overview.questions import ModelsQuestion

    face = screen.face
    return ModelsQuestion(
        now=face.session.clock(),
        calendar=face.session.calendar,
        family=None if family is None else family.raw,
        time=time,
    )


def _list_requests(screen: LiveScreen, time: TimeChoice, model: Untrusted) -> None:
    """Of the same time as the figures."""
    named = f"model:{quoted(model.raw)}" if model.raw else "-model:*"
    screen.face.list_requests(f"{named} {time.filter}")


def _name(row: ModelRow, ink: Ink, width: int) -> Piece:
    return str(row.key) or "(no model)", ink.palette.model


def _requests(row: ModelRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.requests + row.plan.requests), ink.palette.text


def _cost(row: ModelRow, ink: Ink, width: int) -> Piece:
    return cost_cell(row, ink, width) if row.spend.requests else (formats.UNKNOWN, ink.palette.faint)


def _tokens(row: ModelRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.tokens + row.plan.tokens), ink.palette.text


_NAME = Column("MODEL", 16, _name, wished=60)
_REQUESTS = Column("REQ", 5, _requests, right=True)
_COST = Column("COST", 12, _cost, right=True)
_PLAN = Column("PLAN", 10, plan_cell, right=True)
_TOKENS = Column("TOKENS", 7, _tokens, right=True)
