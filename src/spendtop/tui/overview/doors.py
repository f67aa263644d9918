"""Where the rows of the Overview lead: to other screens, and to filters that list what is behind a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from spendtop.domain.breakdown.dimensions import dimension
from spendtop.domain.filters.filters import FilterError, fields_of, parse_filter
from spendtop.domain.filters.instants import of_span
from spendtop.domain.untrusted import Untrusted
from spendtop.tui.limits.table import RowKey
from spendtop.tui.overview.bills import BalancesPanel
from spendtop.tui.overview.models_screen import ModelsScreen, open_family
from spendtop.tui.overview.panels import LimitsPanel, SourcesPanel, TopPanel
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.selection import Selection, TimeChoice
from spendtop.tui.widgets.chart import ChartMeasure, SpendChart
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from textual.widget import Widget

_TIMES = re.compile(r"(?:^|(?<=\s))(?:~t(?:ime)?\s+|t(?:ime)?:)\S+\s*")


def without_time(selection: Selection) -> Selection:
    """What is listed at any time: a chart has a window of its own. As it is where its times are parts of something."""
    text = _TIMES.sub("", selection.text).strip()
    try:
        kept = parse_filter(text)
    except FilterError:
        return selection
    is_all = fields_of(kept) == fields_of(selection.filter) - {"time"}
    return Selection(text=text, filter=kept) if is_all else selection


def joined(*filters: str) -> str:
    """What all of them select."""
    parts = [f"({each})" if "|" in each else each for each in filters if each.strip()]
    return " ".join(parts)


class PanelDoors:
    def __init__(self, screen: LiveScreen, charted: Callable[[], Selection]) -> None:
        """`charted` is what the chart is of."""
        self._screen = screen
        self._charted = charted

    def open(self, pane: Widget, time: TimeChoice) -> None:
        """What is behind the pane's row, in a window of time, or behind the step of the chart."""
        face = self._screen.face
        match pane:
            case SpendChart():
                face.list_requests(self._of_chart(pane))
            case BalancesPanel():
                face.open_row("ledger", None)
            case LimitsPanel():
                use = pane.use
                face.open_row("limits", use and RowKey(use.limit.name, use.entity.raw, False))
            case SourcesPanel():
                face.open_row("sources", ("source", pane.source))
            case TopPanel(id="users"):
                user = pane.chosen
                face.open_entities(dimension("user"), None if user is None else user.raw, time)
            case TopPanel():
                self._open_model(pane.chosen, time)
            case RequestList(selected=int(selected)):
                face.open_request(selected)

    def _open_model(self, family: Untrusted | None, time: TimeChoice) -> None:
        if family is None:
            self._screen.app.push_screen(ModelsScreen(time))
        else:
            open_family(self._screen, time, family)

    def _of_chart(self, chart: SpendChart) -> str:
        """What the filter selects in the step under the cursor."""
        group = chart.group
        step = "" if group is None else of_span(group.since, group.until, self._screen.calendar)
        of_plan = "~plan" if chart.measure is ChartMeasure.PLAN else ""
        return joined(joined(self._charted().text, of_plan), step)
