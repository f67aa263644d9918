"""Users, models or tokens as a list of their own; enter lists the requests of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from spendtop.domain.breakdown.baseline import Baseline
from spendtop.domain.breakdown.dimensions import Dimension, selecting
from spendtop.domain.errors import UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Bounds
from spendtop.tui import formats
from spendtop.tui.actions import ENTITIES, LIVE, MOVE, ORDER, Action, bindings
from spendtop.tui.breakdown.entities_exports import all_entities
from spendtop.tui.breakdown.entities_table import EntityTable
from spendtop.tui.breakdown.view import compared
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.file_export import RecordExport
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion
from spendtop.tui.selection import TODAY, TimeChoice
from spendtop.tui.widgets.canvas import Line, Piece

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.breakdown import BreakdownReading
    from spendtop.tui.breakdown.entities_questions import EntitiesFigures, EntitiesQuestion
    from spendtop.tui.headline import Headline

TITLES = {"user": "Users", "model_family": "Models", "token": "Tokens"}
"""By the dimension's name."""
_ROWS = 500


class EntitiesScreen(LiveScreen):
    NAME: ClassVar[str] = "breakdown"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *ENTITIES, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, ENTITIES, LIVE)

    def __init__(self, of: Dimension, wanted: str | None = None, time: TimeChoice = TODAY) -> None:
        """`wanted` is the key of the row that the cursor begins on."""
        super().__init__()
        self.of = of
        self.time = time
        self.baseline = Baseline.BEFORE
        self.table = EntityTable(of, TITLES[of.name])
        self.figures: EntitiesFigures | None = None
        self.arrangement = Arrangement(self, lambda: self.table, lambda: self.time, self.limit_to, self.order_by)
        title = TITLES[of.name].lower()
        self.exporter = RecordExport(self, title, (title.removesuffix("s"), title))
        self._wanted = wanted
        self._readings: tuple[BreakdownReading, BreakdownReading] | None = None
        """Of what counts as spend, and of usage under a plan."""

    @property
    def is_root(self) -> bool:
        return False

    def go_back(self) -> bool:
        self.app.pop_screen()
        return True

    def body(self) -> ComposeResult:
        yield self.table

    def question(self) -> LongQuestion:
        if self._readings is None or self._readings[0].cut.calendar != self.calendar:
            self._readings = self._new_readings()
        return self._question(*self._readings)

    def _new_readings(self) -> tuple[BreakdownReading, BreakdownReading]:
        from spendtop.domain.breakdown.measures import COST, PLAN
        from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut

        cut = Cut(self.of, None, COST, self.calendar)
        return BreakdownReading(cut), BreakdownReading(replace(cut, measure=PLAN))

    def _question(self, reading: BreakdownReading, plans: BreakdownReading) -> EntitiesQuestion:
        from spendtop.tui.breakdown.entities_questions import EntitiesQuestion

        return EntitiesQuestion(
            now=self.face.session.clock(),
            calendar=self.calendar,
            of=self.of,
            time=self.time,
            baseline=self.baseline,
            most=_ROWS,
            order=self.table.order,
            descending=self.table.descending,
            reading=reading,
            plans=plans,
        )

    def show(self, answer: EntitiesFigures) -> Headline:
        table, palette = self.table, self.face.palette
        if (answer.time, answer.baseline) != (self.time, self.baseline):
            return answer.headline
        self.figures = answer
        table.now, table.calendar = answer.times.now, answer.headline.calendar
        table.nothing = "no requests in this time; t chooses another"
        against = "" if answer.times.earlier is None else f" vs {compared(self.time, self.baseline)}"
        table.subtitle = [(f" {self.time.name}{against}", palette.muted)]
        more = f" +{formats.grouped(answer.grid.other_keys)} more" if answer.grid.other_keys else ""
        table.note = [(f"{formats.grouped(len(answer.entities))}{more}", palette.muted)]
        table.take(answer.grid, answer.entities)
        self._to_wanted()
        return answer.headline

    def _to_wanted(self) -> None:
        """The cursor on the row that was asked for, once."""
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            return
        if self.table.position_of(wanted) is None:
            self.warn(f"{clean_line(wanted) or self.of.nobody} has no requests in this time. t chooses another.")
        else:
            self.table.select(wanted)

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    def works_now(self, action: Action) -> bool:
        """Keys of a row need one."""
        return self.table.row is not None or not (action in ORDER or action.id in ("open", "export"))

    def moved_in_time(self) -> None:
        self._readings = None
        super().moved_in_time()

    def remarks(self) -> Line:
        """Every limit of the row under the cursor."""
        row, palette = self.table.row, self.face.palette
        if row is None:
            return ()
        parts: list[Piece] = [(str(row.row.head.name), palette.who)]
        for use in row.limits:
            words = f"  {clean_line(use.limit.name)} {formats.used_percent(use)}"
            parts += [(words, palette.text), (f" of {formats.short_usd(use.limit.amount)}", palette.muted)]
        return parts if row.limits else [*parts, ("  no limit of its own", palette.muted)]

    def on_list_table_moved(self) -> None:
        self.tick()

    def on_list_table_opened(self) -> None:
        self.action_open()

    def limit_to(self, time: TimeChoice) -> None:
        self.time = time
        self.news()

    def order_by(self, order: str, descending: bool) -> None:
        self.table.order, self.table.descending = order, descending
        self.table.to_top()
        self.news()

    def action_compare(self) -> None:
        """Against the time before, or the same a week ago."""
        self.baseline = self.baseline.other
        self.news()

    def action_export(self) -> None:
        if self.face.store is not None:
            question = self._question(*self._new_readings())
            self.exporter.ask(
                f"all {self.table.title.lower()} {self.time.name}", partial(all_entities, self.face.store, question)
            )

    def action_open(self) -> None:
        row, figures = self.table.row, self.figures
        if row is None or figures is None:
            return
        key, span = row.row.head.key.raw, Bounds(figures.times.span.since, figures.times.end)
        try:
            text = selecting(self.of, key, [*figures.models.get(key, ())], span, self.calendar)
        except UsageError as refusal:
            self.warn(str(refusal))
        else:
            self.face.list_requests(f"{text} {self.time.filter}".strip())
