"""Screen 5: every limit, how full it is for whom, and how that came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from spendtop.domain.limits.limit import LimitState
from spendtop.tui import formats
from spendtop.tui.actions import LIMITS, LIVE, MOVE, ORDER, Action, bindings
from spendtop.tui.limits.backtest import try_on_the_past
from spendtop.tui.limits.config_desk import ConfigDesk
from spendtop.tui.limits.detail import LimitPanel
from spendtop.tui.limits.raise_desk import RaiseDesk
from spendtop.tui.limits.table import LimitTable
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.selection import ALL_TIME
from spendtop.tui.widgets.canvas import Line, Piece

if TYPE_CHECKING:
    from spendtop.domain.limits.limit import Limit
    from spendtop.tui.headline import Headline
    from spendtop.tui.limits.questions import LimitDetail, LimitsFigures
    from spendtop.tui.limits.table import LimitRow, RowKey


class LimitsScreen(LiveScreen):
    """Limits, and the selected one in full below or beside them."""

    NAME: ClassVar[str] = "limits"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *LIMITS, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, LIMITS, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.table = LimitTable()
        self.detail = LimitPanel()
        self.writer = StoreWriter(self)
        self.raise_desk = RaiseDesk(self, self.writer)
        self.config_desk = ConfigDesk(self, self.writer)
        self.arrangement = Arrangement(self, lambda: self.table, lambda: ALL_TIME, lambda time: None, self.order_by)
        self._to_raise: RowKey | None = None
        """Which row is to be raised once it is read."""

    def body(self) -> ComposeResult:
        with Container(id="limit-parts"):
            yield self.table
            yield self.detail

    def question(self) -> Question:
        from spendtop.tui.limits.questions import LimitsQuestion

        return LimitsQuestion(now=self.face.session.clock(), calendar=self.calendar)

    def show(self, answer: LimitsFigures) -> Headline:
        table, headline = self.table, answer.headline
        table.now, table.calendar = headline.at, headline.calendar
        table.nothing = (
            "no limit is set: n writes one into spendtop.toml"
            if headline.applied
            else "limits are known once a collector ran"
        )
        ours = [use.state for each in answer.limits for use in each.uses]
        since = headline.applied.at if headline.applied and headline.applied.at > headline.at else None
        table.note = [*self._known_from(since), *self._note([*ours, *(row.state for row in answer.told)])]
        table.renew(answer.limits, answer.forecasts, answer.told)
        self._select_written()
        self.raise_desk.follow(answer.limits)
        self._raise_asked()
        self._to_raise = None
        self._read_detail()
        return headline

    def _select_written(self) -> None:
        """Once it is in force, the limit that was written just now has the cursor, unless that was moved meanwhile."""
        name = self.config_desk.written
        row = next((row for row in self.table.rows if row.told is None and row.limit.name == name), None)
        if row is not None:
            self.config_desk.written = None
            self.table.select(row.key)

    def _known_from(self, since: int | None) -> Line:
        """That the limits of a past time are not known, but only those from an instant (UTC µs) on."""
        if since is None:
            return []
        first = formats.moment(since, self.table.now, self.table.calendar)
        return [(f"as configured from {first} on {self.face.glyphs.between} ", self.face.palette.warn)]

    def _note(self, states: Sequence[LimitState]) -> Line:
        """How many are over, and near."""
        palette = self.face.palette
        over, near = states.count(LimitState.EXCEEDED), states.count(LimitState.APPROACHING)
        return [
            (f"{formats.grouped(over)} over", palette.bad if over else palette.muted),
            (f" {self.face.glyphs.between} ", palette.muted),
            (f"{formats.grouped(near)} near", palette.warn if near else palette.muted),
        ]

    def select_row(self, key: Any) -> None:
        """Also one that is folded, or not read yet."""
        if self.table.position_of(key) is None:
            self.table.opened.add(key.limit)
            if self.table.rows:
                self.table.relist()
        self.table.select(key)

    def raise_row(self, key: RowKey) -> None:
        """Ask by how much a row is raised, also one that is not read yet."""
        self.select_row(key)
        self._to_raise = key
        self._raise_asked()

    def _raise_asked(self) -> None:
        if self.row is not None and self.row.key == self._to_raise:
            self._to_raise = None
            self.action_raise_limit()

    def on_screen_suspend(self) -> None:
        """Whoever goes elsewhere meanwhile is not asked on coming back."""
        self._to_raise = None

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    @property
    def row(self) -> LimitRow | None:
        """What the cursor is on."""
        return self.table.row

    def works_now(self, action: Action) -> bool:
        """Keys of a row need one."""
        row = self.row
        if row is not None and row.told is not None:
            return action.id not in ("open", "raise", "backtest", "edit")
        if action.id == "open":
            return row is not None and (row.use is not None or row.is_fold)
        if action.id == "undo-raise":
            return self.raise_desk.can_undo
        return row is not None or (action not in ORDER and action.id not in ("raise", "backtest"))

    def remarks(self) -> Line:
        """What enter does with the row, or when its window begins anew."""
        row, palette = self.row, self.face.palette
        if row is None:
            return ()
        if row.is_fold:
            words = "enter folds them" if row.is_open else "enter lists them"
            return [(f"  {formats.grouped(row.folded)} entities: {words}", palette.muted)]
        parts: list[Piece] = [(f"  row {self.table.position + 1} of {len(self.table.rows)}", palette.muted)]
        if row.use is not None and row.use.ends_at is not None:
            until = formats.moment(row.use.ends_at, self.table.now, self.table.calendar)
            parts.append((f" {self.face.glyphs.between} begins anew {until}", palette.muted))
        return parts

    # The selected limit

    def on_list_table_moved(self) -> None:
        self.config_desk.written = None
        self._read_detail()
        self.tick()

    def _read_detail(self) -> None:
        """Ask how the selected row came about."""
        from spendtop.tui.limits.questions import LimitDetailQuestion

        row = self.row
        self.detail.told = None if row is None else row.told
        self.detail.is_unused = row is not None and row.use is None and row.told is None
        if row is None or row.use is None or row.told is not None or self.face.store is None:
            self._show_detail(None)
            return
        if not self.detail.display:
            return
        question = LimitDetailQuestion(use=row.use, now=self.table.now, calendar=self.table.calendar)
        self.ask(question, self._take_detail)

    def _take_detail(self, detail: LimitDetail) -> None:
        row = self.row
        if row is not None and row.use is not None and row.told is None:
            asked = detail.question.use
            if (asked.limit.name, asked.entity) == (row.limit.name, row.use.entity):
                self._show_detail(detail)

    def _show_detail(self, detail: LimitDetail | None) -> None:
        self.detail.detail, self.detail.calendar, self.detail.now = detail, self.table.calendar, self.table.now
        self.detail.redraw()

    # What is done with a row

    def on_list_table_opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """The requests that count for the row, or the entities of a fold."""
        from spendtop.tui.limits.questions import CountedQuestion

        row = self.row
        if row is None or row.told is not None:
            return
        if row.is_fold:
            self.table.turn_fold(row)
            self.tick()
        elif row.use is not None:
            self.ask(
                CountedQuestion(use=row.use, now=self.face.session.clock(), calendar=self.calendar), self._list_requests
            )

    def action_raise_limit(self) -> None:
        """Raise the selected limit for its entity; of a fold, or of nobody yet, for all."""
        row = self.row
        if row is not None and row.told is None:
            is_one = row.use is not None and not row.is_fold and row.use.entity.raw != ""
            self.raise_desk.ask(row.limit, row.use if is_one else None)

    def action_backtest(self) -> None:
        """Try the selected limit, as it is configured, on the past."""
        if self.row is not None and self.row.told is None:
            try_on_the_past(self, self.row.limit)

    def action_edit(self) -> None:
        """Open the file that configures the limits, at the selected one."""
        self.config_desk.edit(self._own_limit)

    def action_new_limit(self) -> None:
        """Ask for a limit that is written into the same file."""
        self.config_desk.new(self._own_limit)

    @property
    def _own_limit(self) -> Limit | None:
        """The limit of the row, unless it is a provider's."""
        return None if self.row is None or self.row.told is not None else self.row.limit

    def action_undo(self) -> None:
        self.raise_desk.undo()

    def _list_requests(self, text: str) -> None:
        if self.is_current:
            self.face.list_requests(text)

    def order_by(self, order: str, descending: bool) -> None:
        self.table.order, self.table.descending = order, descending
        self.table.relist()
        self.table.to_top()
        self.tick()
