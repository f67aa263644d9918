"""Screen 4: any dimension by any other, by any measure, against an earlier time; and why the cost changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from spendtop.domain.breakdown.dimensions import DIMENSIONS, Dimension, dimension
from spendtop.domain.breakdown.measures import LATENCY, MEASURES, PLAN
from spendtop.domain.errors import UsageError
from spendtop.tui import formats
from spendtop.tui.actions import BREAKDOWN, LIVE, MOVE, ORDER, Action, bindings
from spendtop.tui.breakdown.cell_filter import cell_filter
from spendtop.tui.breakdown.cell_panel import CellPanel
from spendtop.tui.breakdown.change_line import ChangeLine
from spendtop.tui.breakdown.exports import GridCopy, whole_grid
from spendtop.tui.breakdown.row_changes import RowChanges
from spendtop.tui.breakdown.table import GridTable
from spendtop.tui.breakdown.view import View, spoken
from spendtop.tui.modals.choose import MOVING, ChooseScreen
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.file_export import RecordExport
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion
from spendtop.tui.selection import ALL_TIME, TimeChoice
from spendtop.tui.widgets.canvas import Line, Piece, length

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.breakdown import BreakdownReading
    from spendtop.store.reads.breakdown.spend_changes import ChangeReading
    from spendtop.tui.breakdown.questions import BreakdownFigures
    from spendtop.tui.headline import Headline

_ROWS = 200
_LATENCIES = "latencies to two figures"
_PAUSE = 4
"""As a multiple of what reading took: what takes long is read less often."""
_PANEL_FROM = 140
_KEYS = [key for key in "123456789abcdefhilmnoprstuvwxyz" if key not in MOVING]
_NO_COLUMNS = "-"


class BreakdownScreen(LiveScreen):
    NAME: ClassVar[str] = "breakdown"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *BREAKDOWN, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, BREAKDOWN, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.table = GridTable()
        self.cell_panel = CellPanel(self.table)
        self.change_line = ChangeLine()
        self.view = View()
        self._is_fresh = True
        """Whether nothing was shown yet."""
        self.figures: BreakdownFigures | None = None
        self.copier = GridCopy(self, self.table)
        self.exporter = RecordExport(self, "breakdown", ("row", "rows"))
        self.arrangement = Arrangement(self, lambda: self.table, lambda: self.view.time, self.limit_to, self.order_by)
        self._reading: BreakdownReading | None = None
        self._changes: ChangeReading | None = None
        self.row_changes = RowChanges(self, self.table, self.change_line, self.cell_panel)

    def body(self) -> ComposeResult:
        with Horizontal(id="cells"):
            yield self.table
            yield self.cell_panel
        yield self.change_line

    def on_mount(self) -> None:
        self._title()

    def question(self) -> LongQuestion:
        from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut
        from spendtop.store.reads.breakdown.dimension_sql import ModelUseGrouping
        from spendtop.store.reads.breakdown.grid import GridOrder, GridSize
        from spendtop.store.reads.breakdown.spend_changes import ChangeReading
        from spendtop.tui.breakdown.questions import BreakdownQuestion

        view = self.view
        cut = Cut(view.rows, view.columns, view.measure, self.calendar)
        if self._reading is None or self._reading.cut != cut:
            self._reading = BreakdownReading(cut)
        self._changes = self._changes or ChangeReading(ModelUseGrouping())
        return BreakdownQuestion(
            now=self.face.session.clock(),
            calendar=self.calendar,
            view=view,
            size=GridSize(
                rows=_ROWS,
                columns=self.table.room_for_columns,
                order=GridOrder(view.order),
                descending=view.descending,
            ),
            reading=self._reading,
            changes=self._changes,
            goes_on=partial(self._goes_on, view),
        )

    def _goes_on(self, view: View, figures: BreakdownFigures | None) -> bool:
        """Runs in a thread: show what is read so far, unless something else is wanted by now."""
        is_wanted = self.view == view and self.is_built
        if is_wanted and figures is not None:
            self.app.call_from_thread(self._show_some, figures)
        return is_wanted

    def _show_some(self, figures: BreakdownFigures) -> None:
        if figures.view == self.view:
            self._show(figures)
            self.tick()

    def show(self, answer: BreakdownFigures) -> Headline:
        if answer.view == self.view and answer.grid is not None:
            self._show(answer)
            self.row_changes.ask(answer)
        self.set_pace(max(self.face.pace_seconds, answer.took * _PAUSE))
        if self._is_fresh and not answer.headline.recorded and answer.headline.under_plan is not None:
            self.choose(replace(self.view, measure=PLAN))
        self._is_fresh = False
        return answer.headline

    def _show(self, figures: BreakdownFigures) -> None:
        assert figures.grid is not None
        self.figures = figures
        table = self.table
        table.now, table.calendar = figures.times.now, figures.headline.calendar
        is_whole = figures.share >= 1
        table.nothing = "no requests in this time; t chooses another" if is_whole else "nothing found yet"
        table.take(figures.grid, figures.view, is_whole=is_whole)
        self.change_line.take(figures)
        self.row_changes.show(figures)
        self._title()

    def _title(self) -> None:
        palette, glyphs, view, table = self.face.palette, self.face.glyphs, self.view, self.table
        table.subtitle = [(view.words, palette.key)]
        note: list[Piece] = []
        if self.figures is not None and self.figures.share < 1:
            note.append((f"{int(self.figures.share * 100)}% read {glyphs.between} ", palette.warn))
        compared = view.time.name if self.figures is None else self.figures.compared
        shorter = f"{view.time.name} vs {view.compared}"
        for title, words in (("Breakdown ", compared), ("", compared), ("", shorter), ("", view.time.name)):
            table.title, table.note = title, [*note, (words, palette.muted)]
            if length(table.note) <= table.room_for_note:
                break
        table.redraw()

    def moved_in_time(self) -> None:
        """Nothing that was read of another time is of use."""
        self._reading = self._changes = None
        self.row_changes.forget()
        super().moved_in_time()

    @property
    def shift_length(self) -> int:
        """A whole window."""
        if self.figures is None or self.view.time == ALL_TIME:
            return super().shift_length
        times = self.figures.times
        return times.end - (times.span.since or 0)

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    def works_now(self, action: Action) -> bool:
        """Keys of a cell need one."""
        if action.id in ("right", "left"):
            return self.table.last_column > 0
        if action.id == "why" and (self.figures is None or self.figures.change is None):
            return False
        return self.table.row is not None or not (action in ORDER or action.id in ("open", "why", "copy", "export"))

    def remarks(self) -> Line:
        """Where the cursor is."""
        palette, table = self.face.palette, self.table
        row, grid = table.row, table.grid
        if row is None or grid is None:
            return ()
        parts: list[Piece] = [(str(row.head.name), palette.who)]
        if table.column:
            heads = [str(head.name) for head in grid.columns] + ["all others"]
            parts += [(" by ", palette.muted), (heads[table.column - 1], palette.model)]
        of = grid.other_keys + len(table.rows)
        parts.append((f"   row {formats.grouped(table.position + 1)} of {formats.grouped(of)}", palette.muted))
        if self.view.measure is LATENCY:
            parts.append((f"   {_LATENCIES}", palette.muted))
        if self.figures is not None and self.figures.unstored:
            missing = formats.requests(self.figures.unstored)
            parts.append((f"   {missing} are stored no more: not in it", palette.warn))
        return parts

    def on_list_table_moved(self) -> None:
        self.row_changes.follow(self.figures)
        self.tick()

    def on_list_table_opened(self) -> None:
        self.action_open()

    def on_resize(self, event: events.Resize) -> None:
        """Another width has room for other columns."""
        self.set_class(event.size.width >= _PANEL_FROM, "-beside")
        self.news()

    # The view

    def choose(self, view: View) -> None:
        """Break down otherwise."""
        if view == self.view:
            return
        keeps_cells = (view.rows, view.columns, view.measure) == (self.view.rows, self.view.columns, self.view.measure)
        self.view = view
        if not keeps_cells:
            self.figures = None
            self.row_changes.forget()
            self.table.forget()
            self.table.view = view
            self.change_line.forget()
        if self.is_built:
            self._title()
            self.news()

    def break_down(self, rows: Dimension, columns: Dimension | None) -> None:
        """Times of day and days in their own order, all else the largest first."""
        order = self.view.order
        if rows != self.view.rows:
            order = "name" if rows.name in ("hour", "day") else "total"
        self.choose(replace(self.view, rows=rows, columns=None if columns == rows else columns, order=order))

    def limit_to(self, time: TimeChoice) -> None:
        self.choose(replace(self.view, time=time))

    def order_by(self, order: str, descending: bool) -> None:
        self.table.order, self.table.descending = order, descending
        self.choose(replace(self.view, order=order, descending=descending))
        self.table.to_top()

    def action_rows(self) -> None:
        self._ask("Rows", self._dimensions(), self.view.rows.name, self._take_rows)

    def action_columns(self) -> None:
        present = _NO_COLUMNS if self.view.columns is None else self.view.columns.name
        self._ask("Columns", [(_NO_COLUMNS, "no columns"), *self._dimensions()], present, self._take_columns)

    def _dimensions(self) -> list[tuple[str, str]]:
        properties = () if self.figures is None else self.figures.properties
        names = [*DIMENSIONS, *(f"prop.{name}" for name in properties)]
        return [(name, spoken(dimension(name))) for name in names]

    def _ask(self, title: str, choices: list[tuple[str, str]], present: str, take: Callable[[str], None]) -> None:
        """`choices` are names and what people read."""
        named = dict(zip(_KEYS, choices, strict=False))
        at = next((key for key, (name, _) in named.items() if name == present), None)

        def chosen(key: str | None) -> None:
            if key is not None:
                take(named[key][0])

        options = [(key, words) for key, (_, words) in named.items()]
        self.app.push_screen(ChooseScreen(title, options, at), chosen)

    def _take_rows(self, name: str) -> None:
        rows, columns = dimension(name), self.view.columns
        self.break_down(rows, self.view.rows if columns == rows else columns)

    def _take_columns(self, name: str) -> None:
        columns = None if name == _NO_COLUMNS else dimension(name)
        self.break_down(self.view.columns or self.view.rows if columns == self.view.rows else self.view.rows, columns)

    def action_measure(self) -> None:
        notes = {LATENCY: f", {_LATENCIES}"}
        options = [(each.key, each.name + notes.get(each, "")) for each in MEASURES.values()]
        by_key = {each.key: each for each in MEASURES.values()}

        def chosen(key: str | None) -> None:
            if key is not None:
                self.choose(replace(self.view, measure=by_key[key]))

        self.app.push_screen(ChooseScreen("Measure", options, self.view.measure.key), chosen)

    def action_compare(self) -> None:
        """Against the time before, or the same a week ago."""
        self.choose(replace(self.view, baseline=self.view.baseline.other))

    # The cell

    def action_sideways(self, step: int) -> None:
        self.table.move_column(step)

    def action_open(self) -> None:
        """The requests of the cell, or of the whole row."""
        text = self.selecting
        if text is not None:
            self.face.list_requests(text)

    @property
    def selecting(self) -> str | None:
        """A filter for the requests behind the cursor; None where there are none, or no filter can."""
        row, figures = self.table.row, self.figures
        if row is None or figures is None:
            return None
        try:
            return cell_filter(figures, row, self.table.column)
        except UsageError as refusal:
            self.warn(str(refusal))
            return None

    def action_why(self) -> None:
        from spendtop.tui.breakdown.change_dialog import ChangeScreen

        if self.figures is not None and self.figures.change is not None:
            changes = [("all", self.figures.change)]
            if self.cell_panel.row_change is not None and self.table.row is not None:
                changes.insert(0, (str(self.table.row.head.name), self.cell_panel.row_change))
            self.app.push_screen(ChangeScreen(changes, self.figures.compared))

    def action_copy(self) -> None:
        self.copier.ask(self.selecting)

    def action_export(self) -> None:
        if self.figures is not None and self.face.store is not None:
            self.exporter.ask("all rows and columns", partial(whole_grid, self.face.store, self.figures))
