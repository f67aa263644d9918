"""Screen 6: what calls for somebody, what was said about it and to whom, and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from spendtop.domain.alerting.episode import AlertStage
from spendtop.tui import formats
from spendtop.tui.actions import ALERTS, LIVE, MOVE, ORDER, Action, bindings
from spendtop.tui.alerts.detail import AlertDetailPanel
from spendtop.tui.alerts.doings import AlertDoings
from spendtop.tui.alerts.exports import COLUMNS, record
from spendtop.tui.alerts.silencing import SilenceDesk, SilenceDraft, silence_of
from spendtop.tui.alerts.table import AlertList, stage_words
from spendtop.tui.limits.table import RowKey
from spendtop.tui.screens.arrangement import Arrangement, Layout
from spendtop.tui.screens.file_export import RecordExport
from spendtop.tui.screens.list_copy import ListCopy
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.selection import ALL_TIME
from spendtop.tui.widgets.canvas import Line, Piece
from spendtop.tui.widgets.table import Movable

if TYPE_CHECKING:
    from spendtop.store.reads.alerts.attention import AlertRow
    from spendtop.tui.alerts.questions import AlertDetail, AlertFigures
    from spendtop.tui.headline import Headline

_PAGE = 200
_ELSEWHERE = {"balance": "ledger", "source": "sources", "store": "sources"}
"""The screens that show what alerts are about that are about no requests."""


class AlertPart(StrEnum):
    """Which alerts are listed."""

    OPEN = "open"
    ALL = "all"


class AlertsScreen(LiveScreen):
    """A table of alerts, and everything about the one under the cursor beside or below it."""

    NAME: ClassVar[str] = "alerts"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *ALERTS, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, ALERTS, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.table = AlertList()
        self.detail = AlertDetailPanel()
        self.writer = StoreWriter(self)
        self.doings = AlertDoings(self, self.writer)
        self.silencing = SilenceDesk(self, self.writer)
        self.copier = ListCopy(self, self.table, "alert", COLUMNS, record)
        self.exporter = RecordExport(self, "alerts", ("alert", "alerts"))
        self.arrangement = Arrangement(self, lambda: self.table, lambda: ALL_TIME, lambda _: None, self.order_by)
        self.part = AlertPart.OPEN
        self.layout_shown = Layout.SPLIT
        self._newest: Sequence[AlertRow] = ()
        self._wanted = _PAGE

    def body(self) -> ComposeResult:
        with Container(id="alert-columns"):
            yield self.table
            yield self.detail

    def question(self) -> Question:
        from spendtop.tui.alerts.questions import AlertsQuestion

        return AlertsQuestion(
            now=self.face.session.clock(),
            calendar=self.calendar,
            is_open=self.part is AlertPart.OPEN,
            size=self._wanted,
            visible=self.table.ids_in_view,
            selected=self.table.selected,
        )

    def show(self, answer: AlertFigures) -> Headline:
        headline, table = answer.headline, self.table
        table.now, table.calendar = answer.question.now, headline.calendar
        limits = headline.applied.limits if headline.applied else ()
        table.limits = {f"limit/{limit.name}": limit for limit in limits}
        table.used |= {alert_id: use.used for alert_id, use in answer.uses.items()}
        channels = headline.applied.channels if headline.applied else ()
        if answer.question.is_open is (self.part is AlertPart.OPEN):
            self._newest = answer.rows
            told = "T tests the channels" if channels else "[[channel]] in spendtop.toml says whom to tell"
            nothing = "nothing calls for anybody" if self.part is AlertPart.OPEN else "nothing was ever amiss"
            table.nothing = f"{nothing}; {told}"
            table.show(table.in_order(answer.rows))
        self._title()
        self.detail.now, self.detail.calendar = answer.question.now, headline.calendar
        self.detail.channels, self.detail.tests = channels, answer.tests
        if answer.detail is None:
            self._read_detail()
        self._take_detail(answer.detail)
        return headline

    def _title(self) -> None:
        palette, glyphs, table = self.face.palette, self.face.glyphs, self.table
        arrow = glyphs.down_arrow if table.descending else glyphs.up
        counts = stage_words(self._newest, table.now, palette)
        between: Piece = (f" {glyphs.between} ", palette.text)
        more = "+" if len(self._newest) >= self._wanted else ""
        table.subtitle = [(f" {self.part}", palette.muted)]
        order: Piece = (f"{table.order} {arrow}", palette.muted)
        table.note = [*counts, (more, palette.muted), *([between] if counts else ()), order]
        table.redraw()

    def remarks(self) -> Line:
        """What waits in the outbox, and which alert the cursor is on."""
        palette, table, headline = self.face.palette, self.table, self.face.headline
        parts: list[Piece] = []
        if headline is not None and headline.attention.waiting_deliveries:
            waiting = formats.count(headline.attention.waiting_deliveries)
            parts.append((f"outbox {waiting} waiting   ", palette.warn))
        if table.rows:
            place = f"alert {formats.grouped(table.position + 1)} of {formats.grouped(len(table.rows))}"
            parts.append((place, palette.muted))
        return parts

    # The detail

    def _read_detail(self) -> None:
        from spendtop.tui.alerts.questions import AlertDetailQuestion

        if self.table.row is not None:
            self.ask(AlertDetailQuestion(self.table.row.id, self.face.session.clock()), self._take_detail)

    def _take_detail(self, detail: AlertDetail | None) -> None:
        row = self.table.row
        if row is None:
            self.detail.detail = None
        elif detail is not None and detail.row.id == row.id:
            self.detail.detail = detail
        self.detail.redraw()
        self.tick()

    # Layout

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.detail if self.layout_shown is Layout.DETAIL else self.table]

    @property
    def movable(self) -> Movable:
        """The list moves also while the detail hides it."""
        return self.table

    def action_layout(self) -> None:
        """Both, the list alone, the detail alone."""
        order = (Layout.SPLIT, Layout.LIST, Layout.DETAIL)
        self.layout_shown = order[(order.index(self.layout_shown) + 1) % len(order)]
        self.set_class(self.layout_shown is Layout.LIST, "-list")
        self.set_class(self.layout_shown is Layout.DETAIL, "-detail")
        self.rest_focus()
        self.tick()

    def go_back(self) -> bool:
        if self.layout_shown is not Layout.DETAIL:
            return False
        self.action_layout()
        return True

    # What is listed

    @property
    def is_awaited(self) -> bool:
        """The requests behind an alert are known from its detail."""
        row, detail = self.table.row, self.detail.detail
        return super().is_awaited or (row is not None and (detail is None or detail.row.id != row.id))

    def works_now(self, action: Action) -> bool:
        """Keys of a row need one, and one that is over takes neither ack nor snooze."""
        row, headline = self.table.row, self.face.headline
        if action.id in ("ack", "snooze"):
            return row is not None and row.stage(self.table.now) is not AlertStage.RESOLVED
        if action.id == "open":
            return bool(self._listed) or (row is not None and row.kind in _ELSEWHERE)
        if action.id == "raise":
            return row is not None and row.kind == "limit"
        if action.id == "retry":
            return headline is not None and headline.attention.dead_deliveries > 0
        if action.id == "test":
            return headline is not None and headline.applied is not None and bool(headline.applied.channels)
        return row is not None or not (action in ORDER or action.id in ("copy", "export"))

    @property
    def _listed(self) -> str:
        """The filter that lists the requests behind the alert under the cursor, once it is read."""
        detail, row = self.detail.detail, self.table.row
        return detail.filter if detail is not None and row is not None and detail.row.id == row.id else ""

    def on_list_table_moved(self) -> None:
        """Other details, other keys; near the end more rows."""
        if len(self._newest) >= self._wanted and self.table.position >= len(self.table.rows) - 10:
            self._wanted += _PAGE
            self.news()
        self._read_detail()
        self.tick()

    def on_list_table_opened(self) -> None:
        self.action_open()

    def action_part(self, step: int) -> None:
        """Those that are not resolved, or all."""
        order = tuple(AlertPart)
        self.part = order[(order.index(self.part) + step) % len(order)]
        self._wanted, self._newest = _PAGE, ()
        self.table.begin(())
        self._title()
        self.news()

    def order_by(self, order: str, descending: bool) -> None:
        self.table.order, self.table.descending = order, descending
        self.table.show(self.table.in_order(self._newest))
        self.table.to_top()
        self._title()
        self.tick()

    def action_open(self) -> None:
        """The requests behind it, or the screen that shows what it is about."""
        row = self.table.row
        if self._listed:
            self.face.list_requests(self._listed)
        elif row is not None and row.kind in _ELSEWHERE:
            self.face.open_row(_ELSEWHERE[row.kind], None)

    def action_raise_limit(self) -> None:
        """The limit that it is about, on its own screen."""
        if self.table.row is not None:
            self.face.raise_limit(RowKey(self.table.row.limit_name, self.table.row.entity.raw))

    # What is done

    def action_ack(self) -> None:
        if self.table.row is not None:
            self.doings.ack(self.table.row)

    def action_snooze(self) -> None:
        if self.table.row is not None:
            self.doings.snooze(self.table.row)

    def action_silence(self) -> None:
        row = self.table.row
        self.silencing.show(SilenceDraft("" if row is None else silence_of(row, self.table.limits.get(row.rule))))

    def action_undo(self) -> None:
        self.doings.undo()

    def action_retry(self) -> None:
        self.doings.send_again()

    def action_test(self) -> None:
        self.doings.test_channels()

    def action_copy(self) -> None:
        self.copier.ask()

    def action_export(self) -> None:
        """Those that are listed now, whatever is read until the format is chosen."""
        rows = self.table.rows
        self.exporter.ask(f"all {len(rows)} that are listed", lambda: (COLUMNS, map(record, rows)))
