"""Screen 1: spend now, against limits, and what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.tui import formats
from spendtop.tui.actions import LIVE, MOVE, OVERVIEW, Action, bindings
from spendtop.tui.listing import Listing
from spendtop.tui.overview.bills import BalancesPanel, billed_days
from spendtop.tui.overview.models_panel import ModelsPanel
from spendtop.tui.overview.models_screen import ModelsScreen, open_family
from spendtop.tui.overview.panels import LimitsPanel, SourcesPanel, TopPanel, Welcome
from spendtop.tui.overview.trend import Trend
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.widgets.canvas import Panel
from spendtop.tui.widgets.chart import SpendChart
from spendtop.tui.widgets.day_chart import DayChart
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from spendtop.store.reads.overview import Overview
    from spendtop.tui.headline import Headline
    from spendtop.tui.overview.questions import OverviewFigures

_SPANS = (30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY)
_DAYS = (30, 90, 365)
"""Longer ones, by day."""
_MOST_BUCKETS = 400
_TOP = 12


class OverviewScreen(LiveScreen):
    """The bill at a glance."""

    NAME: ClassVar[str] = "overview"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *OVERVIEW, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, OVERVIEW, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self._zoom = 1
        self._trend: Trend | None = None

    def body(self) -> ComposeResult:
        with Vertical(id="figures"):
            with Horizontal(id="upper"):
                yield SpendChart()
                yield DayChart(id="days")
                yield LimitsPanel()
                yield BalancesPanel()
            with Horizontal(id="middle"):
                yield TopPanel("Users", "(no user)", id="users")
                yield ModelsPanel()
                yield SourcesPanel()
            yield RequestList("Live", id="live", has_keys=lambda: not self.query_one(ModelsPanel).has_focus)
        yield Welcome()

    def question(self) -> Question:
        from spendtop.tui.overview.questions import OverviewQuestion

        span = self._span
        return OverviewQuestion(
            now=self.face.session.clock(),
            calendar=self.face.session.calendar,
            feed_size=max(self.query_one(RequestList).rows_high, 3),
            chart_span=span,
            chart_step=self._step(span),
            top=_TOP,
            bill_days=self._days or _DAYS[0],
        )

    def show(self, answer: Any) -> Headline:
        figures: OverviewFigures = answer
        headline, overview = figures.headline, figures.overview
        self.set_class(not headline.recorded, "-empty")
        self._bills(figures)
        self._by_day(headline)
        self._welcome()
        chart = self.query_one(SpendChart)
        chart.calendar = headline.calendar
        span = self._span
        chart.show(overview.chart, self._step(span), span, overview.now)
        limits = self.query_one(LimitsPanel)
        limits.uses, limits.is_configured = overview.limits, headline.applied is not None
        self.query_one("#users", TopPanel).breakdown = overview.users
        self.query_one(ModelsPanel).breakdown = overview.models
        self.query_one(SourcesPanel).overview = overview
        self._feed(overview, headline)
        for panel in (limits, self.query_one(SourcesPanel), *self.query(TopPanel)):
            panel.redraw()
        return headline

    def tick(self) -> None:
        """Also tells the welcome and the sources who records."""
        super().tick()
        if not self.is_built:
            return
        sources, recording = self.query_one(SourcesPanel), self.face.status_facts().records
        if sources.recording != recording:
            sources.recording = recording
            sources.redraw()
        if self.has_class("-empty"):
            self._welcome()

    @property
    def panes(self) -> Sequence[Widget]:
        live, models = self.query_one(RequestList), self.query_one(ModelsPanel)
        return [live, models] if self.query_one("#middle").display and models.lines_shown else [live]

    def works_now(self, action: Action) -> bool:
        """An empty store has nothing to move in, and where there is no room for the chart it cannot be zoomed."""
        is_zoom = action.id in ("zoom-in", "zoom-out")
        if is_zoom and not (self.query_one("#upper").display and self._chart.display):
            return False
        if action.id in ("next-pane", "previous-pane"):
            return len(self.panes) > 1
        needs_rows = is_zoom or action in MOVE or action.id == "open"
        return not (needs_rows and self.has_class("-empty")) or (is_zoom and self.has_class("-billed"))

    def on_resize(self, event: events.Resize) -> None:
        """Another size needs other rows."""
        self.news()

    def action_open(self) -> None:
        models = self.query_one(ModelsPanel)
        if self.pane is not models:
            self._open_request()
        elif models.family is None:
            self.app.push_screen(ModelsScreen())
        else:
            open_family(self, models.family)

    def _open_request(self) -> None:
        selected = self.query_one(RequestList).selected
        if selected is not None:
            self.face.open_request(selected)

    def action_filter(self) -> None:
        self.face.open_filter()

    def action_zoom(self, step: int) -> None:
        least = len(_SPANS) if self.has_class("-billed") else 0
        zoom = max(least, min(max(self._zoom, least) + step, len(_SPANS) + len(_DAYS) - 1))
        if zoom != self._zoom:
            self._zoom = zoom
            self.set_class(self._days is not None, "-days")
            self.news()

    @property
    def _days(self) -> int | None:
        """How many days the chart shows one by one; None where it shows a shorter time."""
        return _DAYS[self._zoom - len(_SPANS)] if self._zoom >= len(_SPANS) else None

    @property
    def _span(self) -> int:
        """What the other chart shows, µs."""
        return _SPANS[min(self._zoom, len(_SPANS) - 1)] if self._days is None else HOUR

    @property
    def _chart(self) -> Panel:
        """The one that is shown where there is room."""
        return self.query_one(DayChart if self._days or self.has_class("-billed") else SpendChart)

    def _by_day(self, headline: Headline) -> None:
        """The chart of days, of what the screen of requests lists."""
        trend = self._trend = self._trend or Trend(self, self.query_one(DayChart))
        if self._days is None or headline.bills is not None:
            trend.end()
        else:
            trend.follow(self._days, self.face.listed, headline.at, headline.calendar)

    def on_list_table_opened(self) -> None:
        self._open_request()

    def on_models_panel_family_opened(self) -> None:
        self.action_open()

    def _bills(self, figures: OverviewFigures) -> None:
        """In place of spend, where bills come and no requests."""
        headline = figures.headline
        self.set_class(headline.bills is not None, "-billed")
        if figures.history is None:
            return
        balances = self.query_one(BalancesPanel)
        balances.bills, balances.calendar, balances.now = headline.bills, headline.calendar, headline.at
        balances.redraw()
        line = "balance" if any(figures.history.left) else ""
        self.query_one(DayChart).show(billed_days(figures.history), "Billed/day", line_title=line)

    def _welcome(self) -> None:
        welcome = self.query_one(Welcome)
        is_billed = self.has_class("-billed")
        collector = self.face.collector
        why = "" if collector else self.face.status_facts().standing.sentence
        told = (self.face.webhook_url, collector, why, is_billed)
        if (welcome.webhook, welcome.collector, welcome.why_unrecorded, welcome.is_billed) != told:
            welcome.webhook, welcome.collector, welcome.why_unrecorded, welcome.is_billed = told
            welcome.redraw()

    def _feed(self, overview: Overview, headline: Headline) -> None:
        from spendtop.store.reads.requests import RequestPage

        live = self.query_one(RequestList)
        live.calendar = headline.calendar
        hour = overview.last_hour.requests
        live.note = [(f"{formats.grouped(hour)} in the last hour", self.face.palette.muted)]
        listing = Listing()
        listing.restart(RequestPage(overview.feed, None))
        live.following = live.position == live.start
        live.show(listing)

    @staticmethod
    def _step(span: int) -> int:
        """Whole minutes, so that the span has a few hundred buckets at most."""
        return max(MINUTE, -(-span // _MOST_BUCKETS // MINUTE) * MINUTE)
