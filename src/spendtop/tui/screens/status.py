"""The lines around every screen: status, tabs, notice and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from rich.cells import cell_len
from rich.style import Style
from textual import events

from spendtop.domain.ledger.bills import NO_BILL
from spendtop.domain.limits.forecast import moment, reach_words
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.sight import StandingWord
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.actions import Action, key_name
from spendtop.tui.face import StatusFacts
from spendtop.tui.headline import Headline
from spendtop.tui.screens import SCREENS, ScreenEntry
from spendtop.tui.widgets.canvas import DIMMED, Canvas, Line, Piece, clip, fit_middle, length, spread

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.bills import Bills
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.store.reads.rows import Spend

_NARROW = 40
_ROOMY = 60
"""Cells from which on there is room for since when it stands so."""
_LEAST_MONEY = 10
"""Cells of an amount where there is room for little else."""


class _Figure(Struct, frozen=True):
    """One figure of the status line."""

    forms: list[Line]
    """The longest first."""
    opens: Callable[[], None]
    """What a click on it does."""


class StatusLine(Canvas):
    """Store, spend today, pace, the fullest limit, alerts and the time."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self.headline: Headline | None = None
        self.facts: StatusFacts | None = None
        self._doors: list[tuple[range, Callable[[], None]]] = []
        """The cells of each figure, and what is opened there."""

    def on_click(self, event: events.Click) -> None:
        """A figure leads to what it is about."""
        for cells, opens in self._doors:
            if event.x in cells:
                opens()
                return

    def draw(self, width: int, height: int) -> list[Line]:
        facts = self.facts
        palette = self.palette
        base = palette.header
        if facts is None:
            return [[(" " * width, base)]]
        state = self._state(facts)
        since = f" since {facts.since}" if facts.since and facts.standing.is_amiss and width >= _ROOMY else ""
        right: list[Piece] = [(f"{facts.clock} ", base), state, (since, state[1]), (" ", base)]
        if facts.past:
            right = [(f" AT {facts.past} ", palette.banner), (" ", base)]
        if width < _NARROW:
            right = [(state[0][:1], state[1]), (" ", base)]
        left: list[Piece] = [(" spendtop", base + palette.title), (f" {facts.store} ", base + palette.muted)]
        room = width - length(right) - 1
        parts = self._figures(wide=width >= 120)
        shade = DIMMED if facts.is_old else Style()
        if room - length(left) < sum(length(figure.forms[-1]) for figure in parts[:2]) + 4:
            left = [(" ", base)]
        self._doors = []
        for figure in parts:
            fitting = (part for part in figure.forms if length(left) + length(part) + 2 <= room)
            if part := next(fitting, None):
                left += [("  ", base), *((text, style + shade) for text, style in part)]
                self._doors.append((range(length(left) - length(part), length(left)), figure.opens))
        return [[(text, base + style) for text, style in spread(left, right, width, base)]]

    def _state(self, facts: StatusFacts) -> Piece:
        palette, glyphs = self.palette, self.glyphs
        word = facts.standing.word
        sign, style = {
            StandingWord.OPENING: (glyphs.wait, palette.muted),
            StandingWord.LIVE: (glyphs.live, palette.good),
            StandingWord.DEGRADED: ("!", palette.warn),
            StandingWord.PAUSED: (glyphs.paused, palette.warn),
            StandingWord.NOT_RECORDING: ("!", palette.bad),
        }[word]
        return f"{sign} {word}", style

    def _figures(self, wide: bool) -> list[_Figure]:
        """The most important first."""
        headline, palette, face = self.headline, self.palette, self.face
        if headline is None:
            return [_Figure([[("today ", palette.muted), (self.glyphs.wait, palette.faint)]], lambda: None)]
        bills, ledger = headline.bills, partial(face.open_screen, "ledger")
        if bills is None:
            figures = [_Figure(self._today(headline, wide), partial(face.list_requests, "t:today"))]
        else:
            figures = [_Figure(self._billed(bills, headline.at), ledger)]
        if alerts := headline.attention.unattended:
            style = palette.bad if headline.attention.critical else palette.warn
            count: Piece = (f"!{alerts}", style)
            figures.append(_Figure([[("alerts ", palette.muted), count], [count]], partial(face.open_screen, "alerts")))
        if under_plan := headline.under_plan:
            figures.append(_Figure(self._plan(under_plan), partial(face.list_requests, "~plan t:today")))
        if bills is not None:
            figures.append(_Figure(self._left(bills, headline), ledger))
        if headline.worst:
            figures.append(_Figure(self._limit(headline.worst, headline), partial(face.open_screen, "limits")))
        if bills is None:
            figures.append(_Figure(self._pace(headline), partial(face.list_requests, "t:-1h")))
        return [figure for figure in figures if figure.forms]

    def _today(self, headline: Headline, wide: bool) -> list[Line]:
        palette, today = self.palette, headline.today
        label: Piece = ("today ", palette.muted)
        short: Piece = (formats.spend(today), palette.money)
        forms: list[Line] = [[label, short], [short], [(formats.spend(today, _LEAST_MONEY), palette.money)]]
        return [[label, (formats.spend_long(today), palette.money)], *forms] if wide else forms

    def _plan(self, under_plan: Spend) -> list[Line]:
        """What agents used today under a plan, which is no spend."""
        palette = self.palette
        value: Piece = (formats.equivalent(under_plan), palette.plan)
        return [[("plan ", palette.muted), value], [value]] if under_plan.requests else []

    def _pace(self, headline: Headline) -> list[Line]:
        """Spend of the last hour, marked while everyone's is unusual."""
        palette = self.palette
        rate: Piece = (formats.rate(headline.last_hour), palette.text)
        unusual = headline.attention.unusual
        if unusual is None or unusual.entity.raw:
            return [[rate]]
        mark: Piece = (f" {self.glyphs.up}", palette.warn)
        return [[rate, mark, (" unusual", palette.warn)], [rate, mark]]

    def _billed(self, bills: Bills, now: int) -> list[Line]:
        """In place of spend, where bills come and no requests."""
        palette, day = self.palette, bills.day
        if day is None:
            return [[(NO_BILL, palette.unknown)]]
        label, _, cost = day.words(now).rpartition(" ")
        figure: Line = [(f"{label} ", palette.muted), (cost, palette.money)]
        return [[*figure, (f" {day.age(now)}", palette.muted)], figure, [(cost, palette.money)]]

    def _left(self, bills: Bills, headline: Headline) -> list[Line]:
        """The balance that lasts the shortest, and until when."""
        first, palette = bills.first_to_run_out, self.palette
        if first is None or first.balance is None:
            return []
        left: Line = [
            (f"{fit_middle(clean_line(first.account.name), 16).rstrip()} ", palette.muted),
            (first.balance.floored, palette.money),
        ]
        if first.run_out_at is None:
            return [left]
        runs_out = f"{headline.calendar.local(first.run_out_at):%Y-%m-%d}"
        return [[*left, (f" runs out ~{runs_out}", palette.muted)], left]

    def _limit(self, use: LimitUse, headline: Headline) -> list[Line]:
        """The fullest limit: by whom, how full and about when it will be, or how full alone."""
        palette = self.palette
        styles = {LimitState.OK: palette.good, LimitState.APPROACHING: palette.warn, LimitState.EXCEEDED: palette.bad}
        sign = {LimitState.OK: "", LimitState.APPROACHING: "!", LimitState.EXCEEDED: "!!"}[use.state]
        share: Piece = (f"{formats.used_percent(use)}{sign}", styles[use.state])
        name = fit_middle(str(use.name) or use.limit.name, 16).rstrip()
        unpriced: Line = [(f" +{formats.count(use.unpriced)}?", palette.unknown)] if use.unpriced else ()
        amount = f"{use.limit.measure.sign}{formats.short_usd(use.used)} of {formats.short_usd(use.limit.amount)} "
        whole: Line = [(f"{name} {use.limit.window} ", palette.muted), (amount, palette.text), share, *unpriced]
        short: Line = [(f"{name} ", palette.muted), share, *unpriced]
        forms: list[Line] = [whole, short, [share, *unpriced]]
        forecast = headline.forecast
        if forecast is None or forecast.reaches_at is None:
            return forms
        words = reach_words(forecast, headline.at, headline.calendar)
        about = f"  100% ~{moment(forecast.reaches_at, headline.at, headline.calendar)}"
        return [[*whole, (f"  100% {words}", palette.warn)], [*short, (about, palette.warn)], *forms]


class TabBar(Canvas):
    """The screens that exist, and who records."""

    def __init__(self, current: str) -> None:
        super().__init__(id="tabs")
        self._current = current
        self.facts: StatusFacts | None = None
        self._ends: list[tuple[int, str]] = []

    def draw(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        tabs: list[Piece] = [(" ", palette.text)]
        self._ends = []
        labels = self._labels(width)
        for name, label in labels.items():
            tabs.append((label, palette.tab if name == self._current else palette.muted))
            self._ends.append((length(tabs), name))
            tabs.append((" ", palette.text))
        return [spread(tabs, self._recorder(width), width, palette.text)]

    def _labels(self, width: int) -> dict[str, str]:
        """All of them, as wide as there is room for; in the end the digits that open them."""
        forms: tuple[Callable[[ScreenEntry], str], ...] = (
            lambda entry: f" {entry.key} {entry.title} ",
            lambda entry: f" {entry.short} ",
            lambda entry: entry.short,
        )
        for form in forms:
            labels = {name: form(entry) for name, entry in SCREENS.items()}
            if sum(len(label) + 1 for label in labels.values()) < width:
                return labels
        return {name: entry.short if name == self._current else entry.key for name, entry in SCREENS.items()}

    def _recorder(self, width: int) -> Line:
        facts, palette = self.facts, self.palette
        if facts is None or not facts.asked:
            return ()
        notes: list[Piece] = []
        if facts.read_only:
            notes.append(("read-only  ", palette.muted))
        if facts.differences:
            changed = ", ".join(facts.differences)
            notes.append((f"config differs: {changed}  ", palette.warn))
        collector = facts.collector
        if collector is None:
            notes.append((f"{facts.standing.sentence} ", palette.bad))
        else:
            how = "own collector" if collector.started_here else "attached"
            place = (collector.url or "").removeprefix("http://").removeprefix("https://").rstrip("/")
            notes.append((how, palette.muted))
            if place:
                notes.append((f" {place}", palette.faint))
            notes.append((" ", palette.text))
        while notes and length(notes) > width - self._ends[-1][0] - 2:
            notes.pop(0)
        return notes

    def on_click(self, event: events.Click) -> None:
        for end, name in self._ends:
            if event.x < end:
                self.face.open_screen(name)
                return


class Notice(Canvas):
    """One line that says what is going on; the newest word wins."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self.left: Line = ()
        self.right: Line = ()

    def say(self, left: Line, right: Line = ()) -> None:
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.redraw()

    def draw(self, width: int, height: int) -> list[Line]:
        blank = self.palette.text
        right = self.right if length(self.left) + length(self.right) + 3 <= width else ()
        return [spread([(" ", blank), *self.left], [*right, (" ", blank)], width, blank)]


class _FooterKey(NamedTuple):
    """A key that works now."""

    rank: int
    """The higher, the sooner it is left out."""
    name: str
    label: str
    key: str
    """As Textual calls it."""

    @property
    def width(self) -> int:
        return cell_len(self.name + self.label) + 1


class KeyBar(Canvas):
    """The keys that work now, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._shown: tuple[_FooterKey, ...] = ()
        self._hint: Line | None = None
        self._ends: list[tuple[int, str]] = []
        """Where each key that is drawn ends, for clicks."""

    def hint(self, line: Line | None) -> None:
        """Show this in place of the keys; None shows the keys again."""
        self._hint = line
        self.redraw()

    def offer(self, actions: Iterable[tuple[Action, str]]) -> None:
        """Show these actions with their keys."""
        shown = tuple(
            _FooterKey(action.footer, key_name(key), action.label, key) for action, key in actions if action.footer
        )
        if shown != self._shown:
            self._shown = shown
            self.redraw()

    def draw(self, width: int, height: int) -> list[Line]:
        """One line, in the order offered; what does not fit is left out, the least important first."""
        self._ends = []
        if self._hint is not None:
            return [clip(self._hint, width, self.glyphs.cut)]
        palette = self.palette
        gap = "  " if width < 120 else "   "
        fitting = list(self._shown)
        while fitting and sum(each.width + len(gap) for each in fitting) > width + len(gap) - 2:
            fitting.remove(max(fitting))
        line: list[Piece] = [(" ", palette.text)]
        for each in fitting:
            line += [(each.name, palette.key), (f" {each.label}{gap}", palette.muted)]
            self._ends.append((length(line), each.key))
        return [line]

    def on_click(self, event: events.Click) -> None:
        """As if the key was pressed."""
        key = next((key for end, key in self._ends if event.x < end), None)
        if key is not None:
            self.app.simulate_key(key)
