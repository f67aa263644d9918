"""Screen 1: spend now, against limits, and what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import body_terms
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.actions import AMONG_PANES, LIVE, MOVE, OVERVIEW, Action, bindings
from spendtop.tui.listing import Listing
from spendtop.tui.overview.bars import bars_of_all, even_pace, plan_bars
from spendtop.tui.overview.bills import BalancesPanel, billed_days
from spendtop.tui.overview.chart_cursor import ChartCursor
from spendtop.tui.overview.door_panel import DoorPanel
from spendtop.tui.overview.doors import PanelDoors, without_time
from spendtop.tui.overview.first_run import KEYS, FirstRun
from spendtop.tui.overview.panels import LimitsPanel, SourcesPanel, TopPanel
from spendtop.tui.overview.trend import Trend
from spendtop.tui.overview.welcome import Welcome
from spendtop.tui.screens.arrangement import ask_time
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question, ReadFailed
from spendtop.tui.selection import BOUNDED, TODAY, Selection, TimeChoice, zoomed
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.chart import ChartMeasure, SpendChart
from spendtop.tui.widgets.day_chart import DayChart
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from spendtop.store.reads.overview import Overview
    from spendtop.tui.headline import Headline
    from spendtop.tui.overview.questions import OverviewFigures

_LEAST_BILL_DAYS = 30
_TOP = 12
_STEPS = {"left": "earlier", "right": "later"}
"""What the keys that move sideways do in the chart."""
_ZOOMS = {"zoom-in": -1, "zoom-out": 1}


class OverviewScreen(LiveScreen):
    """The bill at a glance."""

    NAME: ClassVar[str] = "overview"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *OVERVIEW, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, OVERVIEW, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.time = TODAY
        """The window that panels and chart share."""
        self._trend: Trend | None = None
        self._first_run = FirstRun(self)
        self._chart_cursor = ChartCursor(self, lambda: self._charted.filter)
        self._doors = PanelDoors(self, lambda: self._charted)

    def body(self) -> ComposeResult:
        with Vertical(id="figures"):
            with Horizontal(id="upper"):
                yield SpendChart()
                yield DayChart(id="days")
                yield LimitsPanel()
                yield BalancesPanel()
            with Horizontal(id="middle"):
                yield TopPanel("Users", "(no user)", id="users")
                yield TopPanel("Models", "(no model)", id="models")
                yield SourcesPanel()
            yield RequestList("Live", id="live", has_keys=lambda: isinstance(self.pane, RequestList))
        yield Welcome()

    def question(self) -> Question:
        from spendtop.tui.overview.questions import OverviewQuestion

        return OverviewQuestion(
            now=self.face.session.clock(),
            calendar=self.face.session.calendar,
            feed_size=max(self.query_one(RequestList).rows_high, 3),
            time=self.time,
            charts_all=not self._charted.text.strip(),
            top=_TOP,
            bill_days=self._bill_days,
            is_first_run=self._first_run.is_listed,
        )

    def show(self, answer: Any) -> Headline:
        figures: OverviewFigures = answer
        headline, overview = figures.headline, figures.overview
        self.set_class(headline.is_first_run, "-empty")
        self._bills(figures)
        self._first_run.is_channel_tested = figures.is_channel_tested
        self._first_run.agents = figures.agents
        self._first_run.follow(headline)
        self._first_run.tell(self.has_class("-billed"))
        self._chart_spend(figures)
        limits = self.query_one(LimitsPanel)
        limits.uses, limits.is_configured = overview.limits, headline.applied is not None
        limits.plans = figures.plans
        users, models = self.query_one("#users", TopPanel), self.query_one("#models", TopPanel)
        users.breakdown, models.breakdown = overview.users, overview.models
        users.window = models.window = figures.timeline.name
        users.plan, models.plan = (overview.plan.users, overview.plan.models) if overview.plan else ((), ())
        self.query_one(SourcesPanel).overview = overview
        self._feed(overview, headline)
        for panel in (limits, users, models, self.query_one(SourcesPanel)):
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
            self._first_run.tell(self.has_class("-billed"))

    @property
    def panes(self) -> Sequence[Widget]:
        """What is shown and leads somewhere, from the list of what arrives through the panels above it."""
        # Asked for dozens of times with each picture: each is looked up by itself, and not among all widgets.
        chart = self.query_one(SpendChart)
        if self.has_class("-chart"):
            return [chart]
        panels: list[Widget] = []
        if self.query_one("#upper").display:
            panels += [chart, self.query_one(BalancesPanel), self.query_one(LimitsPanel)]
        if self.query_one("#middle").display:
            panels += [self.query_one(f"#{which}", DoorPanel) for which in ("users", "models", "sources")]
        shown = (panel for panel in panels if panel.display and (not isinstance(panel, DoorPanel) or panel.keys))
        return [self.query_one(RequestList), *shown]

    @property
    def is_root(self) -> bool:
        return not (isinstance(self.pane, SpendChart) or self._lists_steps)

    @property
    def _lists_steps(self) -> bool:
        """Whether the steps of a first run are listed below the figures."""
        return self._first_run.is_listed and self.was_read and not self.has_class("-empty")

    def works_now(self, action: Action) -> bool:
        """An empty store has nothing to move in, and a chart that is not in view has no measure."""
        is_empty, is_billed = self.has_class("-empty"), self.has_class("-billed")
        if action.id == "chart-cursor":
            return not is_empty and not is_billed
        if action.id == "measure":
            return self.query_one(SpendChart) in self.panes and not is_empty
        if action.id in KEYS:
            return is_empty or self._lists_steps
        if action.id in _ZOOMS and self._zoomed(_ZOOMS[action.id]) is None:
            return False
        if action.id == "time" or action.id in _ZOOMS:
            return not is_empty or is_billed
        if action.id in _STEPS and isinstance(self.pane, SpendChart):
            return True
        if action.id in AMONG_PANES:
            return len(self.panes) > 1 and (not is_empty or is_billed)
        return not (is_empty and (action in MOVE or action.id == "open"))

    def offered(self) -> list[tuple[Action, str]]:
        """In the chart the keys that step through it; the key that shows it first where it is not in view."""
        offered = super().offered()
        if isinstance(self.pane, SpendChart):
            return [
                (replace(action, label=_STEPS[action.id], footer=4) if action.id in _STEPS else action, key)
                for action, key in offered
                if action.id != "chart-cursor"
            ]
        if self.query_one(SpendChart) in self.panes:
            return offered
        return [(replace(action, footer=4) if action.id == "chart-cursor" else action, key) for action, key in offered]

    def remarks(self) -> Line:
        """What is known of the step under the chart's cursor, for which the chart has little room."""
        if isinstance(self.pane, SpendChart):
            return self._chart_cursor.remarks()
        return self._first_run.steps() if self._lists_steps else super().remarks()

    def on_resize(self, event: events.Resize) -> None:
        """Another size needs other rows."""
        self.news()

    # Doors

    def action_open(self) -> None:
        """What is behind the row, or the step of the chart."""
        self._doors.open(self.pane, self.time)

    def on_list_table_opened(self) -> None:
        self._doors.open(self.query_one(RequestList), self.time)

    def on_door_panel_door_opened(self) -> None:
        self.action_open()

    def on_spend_chart_step_opened(self) -> None:
        self.action_open()

    def action_filter(self) -> None:
        self.face.open_filter()

    # Time and chart

    def action_time(self) -> None:
        ask_time(self, BOUNDED, self.time, self._show_time)

    def action_zoom(self, step: int) -> None:
        """The next longer or shorter window that ends now."""
        if (other := self._zoomed(step)) is not None:
            self._show_time(other)

    def _zoomed(self, step: int) -> TimeChoice | None:
        least = _LEAST_BILL_DAYS * DAY if self.has_class("-billed") else 0
        return zoomed(self.time, step, least, self.face.session.clock(), self.calendar)

    def _show_time(self, time: TimeChoice) -> None:
        if time != self.time:
            self.time = time
            self.news()

    @property
    def shift_length(self) -> int:
        """The window's own length; a calendar one's is that of a day, a week, a month."""
        now = self.face.session.clock()
        since, until = self.time.span(now, self.calendar)
        return (until or now) - (since or 0)

    @property
    def _bill_days(self) -> int:
        """How many days of bills are charted."""
        now = self.face.session.clock()
        since, _ = self.time.span(now, self.calendar)
        return max((now - (since or 0)) // DAY, _LEAST_BILL_DAYS)

    def go_back(self) -> bool:
        """From the chart's cursor to the list; then without the steps of a first run."""
        if isinstance(self.pane, SpendChart):
            self.remove_class("-chart")
            self._pane = self.query_one(RequestList)
            self.call_after_refresh(self.rest_focus)
        elif self._lists_steps:
            self._first_run.end()
            self.tick()
        else:
            return False
        return True

    def action_chart_cursor(self) -> None:
        """In a chart that has no room beside the rest, which it replaces until somebody goes back."""
        chart = self.query_one(SpendChart)
        if chart not in self.panes:
            self.add_class("-chart")
        self._pane = chart
        self.call_after_refresh(self.rest_focus)

    def action_measure(self) -> None:
        self.query_one(SpendChart).turn_measure()

    def action_sideways(self, step: int) -> None:
        """In the chart from step to step."""
        pane = self.pane
        if isinstance(pane, SpendChart):
            pane.move(step)
        else:
            super().action_sideways(step)

    def _chart_spend(self, figures: OverviewFigures) -> None:
        """Of all from the same view of the store; of what a filter selects, and of days, step by step."""
        chart, line, overview = self.query_one(SpendChart), figures.timeline, figures.overview
        self._trend = self._trend or Trend(self, chart)
        selection = self._charted
        text = selection.text.strip()
        chart.calendar, chart.window, chart.unit = figures.headline.calendar, line.name, line.unit
        chart.about = f", only {clean_line(text)}" if text else ""
        chart.even = None if text else even_pace(overview.limits, line)
        chart.plan = () if overview.plan is None or text else plan_bars(line, overview.plan.chart)
        chart.prefer(ChartMeasure.PLAN if chart.plan and not overview.total.requests else ChartMeasure.COST)
        if line.step is None or text:
            self._trend.follow(line, selection, overview.now, figures.headline.calendar)
        else:
            self._trend.end()
            chart.show(bars_of_all(line, overview))
        if chart.has_focus:
            self._chart_cursor.ask()

    @property
    def _charted(self) -> Selection:
        """What the screen of requests lists, of any time; all where that is a search in prompts and answers, which
        would take too long for every picture."""
        listed = self.face.listed
        return Selection() if body_terms(listed.filter) else without_time(listed)

    def on_read_failed(self, event: ReadFailed) -> None:
        """What was read for the chart is asked for again with the next picture."""
        if self._trend is not None:
            self._trend.end()

    def on_spend_chart_cursor_moved(self) -> None:
        self._chart_cursor.ask()

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

    def action_copy_address(self) -> None:
        self._first_run.copy_address()

    def action_new_token(self) -> None:
        self._first_run.new_token()

    def action_send_test(self) -> None:
        self._first_run.send_test()

    def action_edit(self) -> None:
        self._first_run.edit()

    def _feed(self, overview: Overview, headline: Headline) -> None:
        from spendtop.store.reads.requests.lists import RequestPage

        live = self.query_one(RequestList)
        live.calendar = headline.calendar
        hour = overview.last_hour.requests + (overview.plan.last_hour.requests if overview.plan else 0)
        live.note = [(f"{formats.grouped(hour)} in the last hour", self.face.palette.muted)]
        listing = Listing()
        listing.restart(RequestPage(overview.feed, None))
        live.following = live.position == live.start
        live.show(listing)
