"""A limit tried on the past: how far that is, and what it would have said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.percent import exact_percent
from spendtop.domain.untrusted import clean_name
from spendtop.domain.windows import Calendar
from spendtop.tui.modals.dialog import ReadingDialog

if TYPE_CHECKING:
    from spendtop.domain.alerting.backtest import Backtest
    from spendtop.domain.limits.limit import Limit
    from spendtop.store.engine import Store
    from spendtop.tui.screens.live_screen import LiveScreen

_DAYS = 30
_DATES, _ENTITIES = 40, 8
_READ = "j k scroll · esc closes"


class BacktestQuestion(Struct, frozen=True):
    """What a limit would have said over the last days."""

    limit: Limit
    calendar: Calendar
    now: int
    goes_on: Callable[[float], bool]
    """Told how much is read, from 0 to 1; False ends the reading."""

    def ask_in(self, store: Store) -> Backtest | None:
        """None where the reading was ended."""
        from spendtop.services.limits.backtests import backtest

        return backtest(store, self.limit, self.calendar, _DAYS, self.now, self.goes_on)


class BacktestScreen(ReadingDialog):
    """Progress until the answer is there; leaving it ends the reading."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,enter", "cancel", "close")]
    HINT = "esc stops it"

    def __init__(self, limit: Limit, calendar: Calendar) -> None:
        super().__init__(f"{clean_name(limit.name, 24)}, {limit.amount} per {limit.window}: last {_DAYS} days")
        self._calendar = calendar
        self._percent = 0
        self.is_left = False

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static("reading what is stored: 0 %", id="outcome", markup=False)

    def goes_on(self, done: float) -> bool:
        """Called in the reading thread."""
        percent = int(done * 100)
        if percent != self._percent and not self.is_left:
            self._percent = percent
            self.app.call_from_thread(self._say, f"reading what is stored: {percent} %")
        return not self.is_left

    def show(self, tried: Backtest | None) -> None:
        if tried is not None and not self.is_left:
            self._say("\n".join(_lines(tried, self._calendar)))
            self.query_one(".dialog").border_subtitle = _READ

    def on_unmount(self) -> None:
        self.is_left = True

    def action_cancel(self) -> None:
        self.is_left = True
        super().action_cancel()

    def _say(self, words: str) -> None:
        if self.is_mounted and not self.is_left:
            self.query_one("#outcome", Static).update(words)


def try_on_the_past(screen: LiveScreen, limit: Limit) -> None:
    """Show what the limit would have said."""
    if screen.face.store is None:
        return
    dialog = BacktestScreen(limit, screen.calendar)
    question = BacktestQuestion(limit, screen.calendar, screen.face.session.clock(), dialog.goes_on)
    screen.app.push_screen(dialog, callback=None)
    screen.app.call_after_refresh(partial(screen.ask, question, dialog.show))


def _lines(tried: Backtest, calendar: Calendar) -> Iterator[str]:
    yield tried.sentence(calendar)
    yield from tried.remarks(calendar)
    form = "%m-%d %H:%M" if tried.unit == "hour" else "%m-%d"
    for each in tried.thresholds(calendar):
        if len(each.periods) > 5:
            dates = "  ".join(calendar.local(at).strftime(form) for at in each.periods[-_DATES:])
            last = f", the last {_DATES}" if len(each.periods) > _DATES else ""
            yield f"\n{exact_percent(each.fraction)}{last}: {dates}"
    if tried.limit.each is not None and tried.firings:
        most = Counter(firing.entity for firing in tried.firings).most_common()
        yield "\nmost often:"
        yield from (f"{times:>5,}  {clean_name(entity, 48)}" for entity, times in most[:_ENTITIES])
        if len(most) > _ENTITIES:
            yield f"       and {len(most) - _ENTITIES:,} more"
