"""Screen 1: spend now, against limits, and what arrives."""

from __future__ import annotations

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
from spendtop.tui.overview.limit_gauges import LimitsPanel
from spendtop.tui.overview.source_counts import SourcesPanel
from spendtop.tui.overview.tops import TopPanel
from spendtop.tui.overview.welcome import Welcome
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.widgets.chart import SpendChart
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from spendtop.store.reads.overview import Overview
    from spendtop.tui.headline import Headline

_SPANS = (30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY)
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
        self._moved = False
        """Whether the cursor was moved away from the newest request."""

    def body(self) -> ComposeResult:
        """Panels, or the welcome of an empty store."""
        yield Welcome()
        with Vertical(id="figures"):
            with Horizontal(id="upper"):
                yield SpendChart()
                yield LimitsPanel()
            with Horizontal(id="middle"):
                yield TopPanel("Users", "(no user)", id="users")
                yield TopPanel("Models", "(no model)", id="models")
                yield SourcesPanel()
            yield RequestList("Live", id="live")

    def question(self) -> Question:
        """What this size needs."""
        from spendtop.tui.reading import OverviewQuestion

        span = _SPANS[self._zoom]
        return OverviewQuestion(
            now=self.face.session.clock(),
            calendar=self.face.session.calendar,
            feed_size=max(self.query_one(RequestList).rows_high, 3),
            chart_span=span,
            chart_step=self._step(span),
            top=_TOP,
        )

    def show(self, answer: Any) -> Headline:
        """All panels from one view of the store."""
        headline: Headline
        found: Overview
        headline, found = answer
        self.set_class(not headline.recorded, "-empty")
        self._welcome()
        chart = self.query_one(SpendChart)
        chart.calendar = headline.calendar
        span = _SPANS[self._zoom]
        chart.show(found.chart, self._step(span), span, found.now)
        limits = self.query_one(LimitsPanel)
        limits.uses, limits.known = found.limits, headline.applied is not None
        self.query_one("#users", TopPanel).breakdown = found.users
        self.query_one("#models", TopPanel).breakdown = found.models
        self.query_one(SourcesPanel).overview = found
        self._feed(found, headline)
        for panel in (limits, self.query_one(SourcesPanel), *self.query(TopPanel)):
            panel.redraw()
        return headline

    def tick(self) -> None:
        """Also tells the welcome and the sources who records."""
        super().tick()
        if not self.is_mounted:
            return
        sources, recording = self.query_one(SourcesPanel), not self.face.standing().nobody_records
        if sources.recording != recording:
            sources.recording = recording
            sources.redraw()
        if self.has_class("-empty"):
            self._welcome()

    def focus_target(self) -> Widget | None:
        """The list of what arrives."""
        return self.query_one(RequestList)

    def works_now(self, action: Action) -> bool:
        """An empty store has nothing to move in."""
        needs_rows = action in MOVE or action.id in ("open", "zoom-in", "zoom-out", "time")
        return not (needs_rows and self.has_class("-empty"))

    def on_resize(self, event: events.Resize) -> None:
        """Another size needs other rows."""
        self.news()

    def action_move(self, step: int) -> None:
        """Along the list of what arrives."""
        live = self.query_one(RequestList)
        live.to(live.position + step)
        self._moved = live.position > 0

    def action_move_page(self, halves: int) -> None:
        """By half pages."""
        self.action_move(halves * max(self.query_one(RequestList).rows_high // 2, 1))

    def action_move_top(self) -> None:
        """To the newest."""
        self.action_move(-len(self.query_one(RequestList).listing))

    def action_move_end(self) -> None:
        """To the oldest that is shown."""
        self.action_move(len(self.query_one(RequestList).listing))

    def action_open(self) -> None:
        """The selected request, on the screen of requests."""
        selected = self.query_one(RequestList).selected
        if selected is not None:
            self.face.open_request(selected)

    def action_filter(self) -> None:
        """The screen of requests, asking for a filter."""
        self.face.open_filter()

    def action_time(self) -> None:
        """The next longer span of the chart, round and round."""
        self.action_zoom(1 if self._zoom < len(_SPANS) - 1 else -len(_SPANS))

    def action_zoom(self, step: int) -> None:
        """A longer or shorter span of the chart."""
        zoom = max(0, min(self._zoom + step, len(_SPANS) - 1))
        if zoom != self._zoom:
            self._zoom = zoom
            self.news()

    def on_request_list_opened(self) -> None:
        """A click on the selected request."""
        self.action_open()

    def _welcome(self) -> None:
        welcome = self.query_one(Welcome)
        collector = self.face.collector
        webhook, recording = self.face.webhook_url, collector is not None
        if (welcome.webhook, welcome.recording) != (webhook, recording):
            welcome.webhook, welcome.recording = webhook, recording
            welcome.redraw()

    def _feed(self, found: Overview, headline: Headline) -> None:
        from spendtop.store.reads.requests import RequestPage

        live = self.query_one(RequestList)
        live.calendar = headline.calendar
        hour = found.last_hour.requests
        live.note = [(f"{formats.grouped(hour)} in the last hour", self.face.palette.muted)]
        live.listing = Listing()
        live.listing.restart(RequestPage(found.feed, None))
        live.show(keep_selected=self._moved)

    @staticmethod
    def _step(span: int) -> int:
        """Whole minutes, so that the span has a few hundred buckets at most."""
        return max(MINUTE, -(-span // _MOST_BUCKETS // MINUTE) * MINUTE)
