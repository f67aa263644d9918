"""Limits as gauges, who and what spends most, and the sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.style import Style

from spendtop.domain.clock import HOUR, age
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import NANO_PER_USD, Usd
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.overview.door_panel import DoorPanel
from spendtop.tui.widgets.canvas import Line, Piece, fit, fit_middle, fit_right, length
from spendtop.tui.widgets.gauge import SIGNS, gauge

if TYPE_CHECKING:
    from spendtop.domain.untrusted import Untrusted
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.store.reads.overview import Overview
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.spending.sums import Breakdown, KeySpend
    from spendtop.tui.widgets.plan_lines import PlanStanding

_QUIET = HOUR
_FRAMED = 4
"""Cells of the frame."""
_AMOUNTS = 13
"""Cells of a limit's use and amount, at most."""
_LEAST_NAME, _LEAST_MONEY, _LEAST_BAR = 10, 6, 6
_DOLLAR = Usd(NANO_PER_USD)


class _Widest(NamedTuple):
    """Cells of the longest of each in all lines, so that all bars begin at one cell."""

    name: int
    amounts: int
    unpriced: int


class LimitsPanel(DoorPanel):
    """The fullest limits."""

    def __init__(self) -> None:
        super().__init__(id="limits")
        self.uses: Sequence[LimitUse] | None = None
        """None until they were read."""
        self.is_configured = False
        """Whether a collector has applied a configuration."""
        self.plans: PlanStanding | None = None
        """How plans of coding agents stand."""

    @property
    def title_line(self) -> Line:
        return [("Limits", self.palette.title), (" fullest first", self.palette.muted)]

    @property
    def keys(self) -> list[tuple[str, str] | None]:
        """Limit and entity of each line; None for the line of all others."""
        shown = self._shown(self.rows_high - len(self._plan_lines(self.size.width - _FRAMED, self.rows_high)))
        lines: list[tuple[str, str] | None] = [(use.limit.name, use.entity.raw) for use in shown]
        return lines if len(shown) == len(self.uses or ()) else [*lines, None]

    @property
    def use(self) -> LimitUse | None:
        """The limit under the cursor."""
        keys = self.keys
        key = keys[self.position] if keys else None
        return next((use for use in self.uses or () if (use.limit.name, use.entity.raw) == key), None)

    def _plan_lines(self, width: int, height: int) -> list[Line]:
        """At most half of the panel where there are limits."""
        room = height // 2 if self.uses else height - 1
        return [] if self.plans is None else self.plans.lines(width, room, self.palette, self.glyphs)

    def _shown(self, height: int) -> Sequence[LimitUse]:
        uses = self.uses or ()
        return uses if len(uses) <= height else uses[: height - 1]

    def lines(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        if self.uses is None:
            return self.unread
        plans = self._plan_lines(width, height)
        if not self.uses:
            words = "none set: 5, then n" if self.is_configured else "known once a collector ran"
            return [[(words, palette.muted)], *plans]
        shown = self._shown(height - len(plans))
        widest = _Widest(
            name=max(cell_len(_name_of(use)) for use in shown),
            amounts=max(len(_amounts(use)) for use in shown),
            unpriced=max(len(_unpriced(use)) for use in shown),
        )
        lines = [self._line(use, width, widest) for use in shown]
        hidden = len(self.uses) - len(shown)
        if hidden:
            lines.append([(f"  +{hidden} more", palette.muted)])
        return [*lines, *plans]

    def _line(self, use: LimitUse, width: int, widest: _Widest) -> Line:
        palette = self.palette
        ok, warn, bad = palette.good, palette.warn, palette.bad
        style = {LimitState.OK: ok, LimitState.APPROACHING: warn, LimitState.EXCEEDED: bad}[use.state]
        fill = {LimitState.OK: palette.bar, LimitState.APPROACHING: warn, LimitState.EXCEEDED: warn}[use.state]
        room = width - 2 - 6
        named = min(max(room * 2 // 5, _LEAST_NAME), 20)
        mark = widest.unpriced + 1 if widest.unpriced else 0
        with_amounts = room - named - 1 >= max(20, _AMOUNTS + 1 + mark + 2)
        beside = mark + (widest.amounts + 1 if with_amounts else 0)
        named = max(named, min(widest.name, room - 1 - beside - _LEAST_BAR))
        bar_width = room - named - 1
        pieces: list[Piece] = [
            (f"{self._sign(use)} ", style),
            (fit_middle(_name_of(use), named, self.glyphs.cut), palette.text),
            (" ", palette.text),
        ]
        if with_amounts:
            bar_width -= widest.amounts + 1
            of_spend = use.limit.measure is LimitedValue.SPEND
            style_of_amounts = palette.muted if of_spend else palette.plan
            pieces += [(fit_right(_amounts(use), widest.amounts) + " ", style_of_amounts)]
        if mark:
            bar_width -= mark
            pieces += [(fit_right(_unpriced(use), widest.unpriced) + " ", palette.unknown)]
        if bar_width > 1:
            pieces += gauge(use.fraction, bar_width, fill, bad, palette.rest, self.glyphs)
        pieces.append((fit_right(formats.used_percent(use), width - length(pieces)), style))
        return pieces

    def _sign(self, use: LimitUse) -> str:
        """How it stands; of one that is well, that it is raised for a while."""
        return self.glyphs.up if use.raises and use.state is LimitState.OK else SIGNS[use.state]


def _name_of(use: LimitUse) -> str:
    """The entity with the window, or the limit's own name."""
    return f"{use.name} {use.limit.window}" if use.entity else clean_line(use.limit.name)


def _amounts(use: LimitUse) -> str:
    return formats.used_of(use.used, use.limit, _AMOUNTS)


def _unpriced(use: LimitUse) -> str:
    return f"+{formats.count(use.unpriced)}?" if use.unpriced else ""


class TopPanel(DoorPanel):
    """The largest keys of one dimension, and the rest in one line."""

    def __init__(self, title: str, nobody: str, *, id: str) -> None:
        super().__init__(id=id)
        self.title = title
        self.nobody = nobody
        """What requests that name no key are called."""
        self.window = ""
        """Of which time."""
        self.breakdown: Breakdown | None = None
        self.plan: Sequence[KeySpend] = ()
        """Usage under a plan, the largest first."""

    @property
    def title_line(self) -> Line:
        return [(self.title, self.palette.title), (f" {self.window}", self.palette.muted)]

    @property
    def keys(self) -> list[str | None]:
        """The key of each line; None for the line of all others."""
        shown = self.shown(self.rows_high)
        lines: list[str | None] = [row.key.raw for row in shown]
        return lines if self._count == len(shown) else [*lines, None]

    @property
    def chosen(self) -> Untrusted | None:
        """The key under the cursor, empty for requests that name none; None on the line of all others."""
        shown = self.shown(self.rows_high)
        return shown[self.position].key if self.position < len(shown) else None

    @property
    def _rows(self) -> Sequence[KeySpend]:
        """Those who spend, and behind them those who only used a plan."""
        if self.breakdown is None:
            return ()
        from spendtop.store.reads.rows import Spend
        from spendtop.store.reads.spending.sums import KeySpend

        spending = self.breakdown.rows
        known = {row.key.raw for row in spending}
        others = (KeySpend(row.key, Spend.nothing()) for row in self.plan if row.key.raw not in known)
        return (*spending, *others)

    @property
    def _count(self) -> int:
        return len(self._rows) + (0 if self.breakdown is None else self.breakdown.other_keys)

    def lines(self, width: int, height: int) -> list[Line]:
        breakdown, palette = self.breakdown, self.palette
        if breakdown is None:
            return self.unread
        rows = self._rows
        if not rows:
            return [[("nothing spent yet", palette.faint)]]
        everything = sum((row.spend for row in breakdown.rows), breakdown.others)
        under_plan = {row.key.raw: row.spend for row in self.plan}
        shown = self.shown(height)
        named = palette.who if self.id == "users" else palette.model
        names = [str(row.key) or self.nobody for row in shown]
        shorter = names if self.id == "users" else formats.told_apart(names)
        lines = [
            ([name, short], row.spend, under_plan.pop(row.key.raw, None), named)
            for row, name, short in zip(shown, names, shorter, strict=True)
        ]
        if self._count > len(shown):
            others = sum((row.spend for row in rows[len(shown) :]), breakdown.others)
            plan = reduce(add, under_plan.values()) if under_plan else None
            more = f"+{self._count - len(shown)}"
            lines.append(([f"{more} more", more], others, plan, palette.muted))
        values = [_plan(plan) for _, _, plan, _ in lines]
        planned = max(map(len, values)) + 1 if any(values) else 0
        widest = max(len(_cost(spent, 99)) for _, spent, _, _ in lines)
        if everything.requests and width - planned - widest - 7 < _LEAST_NAME:
            planned = 0  # who it is comes first
        known = (spent.known_cost for _, spent, _, _ in lines)
        tiny = max((len(str(cost)) for cost in known if cost is not None and cost < _DOLLAR), default=0)
        most = max(width - 7 - _LEAST_NAME - planned, _LEAST_MONEY, tiny)  # below a dollar no digit can go
        money = min(widest, most) + 1
        if not everything.requests:
            money = 0
        return [
            self._line(names, spent, everything, style, width - planned, money) + self._equivalent(value, planned)
            for (names, spent, _, style), value in zip(lines, values, strict=True)
        ]

    def shown(self, height: int) -> Sequence[KeySpend]:
        """The keys that have a line of their own; the last line is that of the rest where there is one."""
        rows = self._rows
        return rows if self._count <= height else rows[: height - 1]

    def _equivalent(self, value: str, width: int) -> list[Piece]:
        return [(fit_right(value, width), self.palette.plan)] if width else []

    def _line(
        self, names: Sequence[str], spent: Spend, everything: Spend, style: Style, width: int, money: int
    ) -> list[Piece]:
        """By the first of the names that fits; without a column of money where nobody spent anything."""
        palette = self.palette
        if not money:
            return [(self._called(names, width), style)]
        bar = min(width - 36, 20) if width >= 42 else 0
        calls = 6 if width >= 44 else 0
        named = width - money - 6 - (bar + 1 if bar else 0) - calls
        is_unknown = spent.known_cost is None
        unpriced = f" +{formats.count(spent.unpriced)}?" if spent.unpriced and not is_unknown else ""
        shown = self._called(names, named - len(unpriced))
        if unpriced:
            shown = shown.rstrip()
        share = spent.share_of(everything) or 0.0
        pieces: list[Piece] = [
            (shown, style),
            (fit(unpriced, named - cell_len(shown)), palette.unknown),
            (fit_right(_cost(spent, money - 1), money), palette.unknown if is_unknown else palette.money),
            (fit_right(formats.share(spent, everything), 6), palette.muted),
        ]
        if bar:
            pieces.append((" ", palette.text))
            pieces += gauge(share, bar, palette.bar, palette.bad, palette.rest, self.glyphs)
        if calls:
            pieces.append((fit_right(formats.count(spent.requests), calls), palette.faint))
        return pieces

    def _called(self, names: Sequence[str], width: int) -> str:
        """Cut in its middle where it has to be."""
        forms = [formats.model(name, width) for name in names]
        return fit_middle(next((name for name in forms if cell_len(name) <= width), forms[-1]), width, self.glyphs.cut)


def _plan(under_plan: Spend | None) -> str:
    """What usage under a plan would have cost, or nothing."""
    return "" if under_plan is None else formats.equivalent(under_plan)


def _cost(spent: Spend, width: int) -> str:
    """The known cost alone, as the name says what is not in it; where none is known, how many requests."""
    return formats.cost(spent.known_cost, 0 if spent.known_cost is not None else spent.unpriced, width)


class SourcesPanel(DoorPanel):
    """One line per source, the totals, and what needs attention."""

    def __init__(self) -> None:
        super().__init__(id="sources")
        self.overview: Overview | None = None
        self.recording = True
        """Whether a collector hears the sources."""

    @property
    def title_line(self) -> Line:
        return [("Sources", self.palette.title), (" & totals", self.palette.muted)]

    @property
    def keys(self) -> list[str]:
        """The name of each source in view."""
        overview = self.overview
        if overview is None:
            return []
        room = max(self.rows_high - len(self._totals(self.size.width)), 1)
        return [source.source for source in overview.sources[:room]]

    @property
    def source(self) -> str | None:
        """The source under the cursor."""
        keys = self.keys
        return keys[self.position] if keys else None

    def lines(self, width: int, height: int) -> list[Line]:
        """Sources, sums of today, and where there is room what waits (the notice counts that too)."""
        overview = self.overview
        if overview is None:
            return self.unread
        heard, totals = self._heard(width), self._totals(width)
        room = max(height - len(totals), 1)
        return [*heard[:room], *totals, *self._waiting()]

    def _plan_line(self, line: Callable[[str, str, Style], Line]) -> list[Line]:
        """Calls of today under a plan."""
        plan = self.overview and self.overview.plan
        return [line("plan", f"{formats.grouped(plan.today.requests)} calls", self.palette.plan)] if plan else []

    def _waiting(self) -> list[Line]:
        assert self.overview is not None
        attention, palette = self.overview.attention, self.palette
        lines: list[Line] = []
        for number, word, sign, style in (
            (attention.unrecognized, "not understood", "!! ", palette.bad),
            (attention.dead_deliveries, "undelivered", "!! ", palette.bad),
            (attention.waiting_deliveries, "to be delivered", ".. ", palette.warn),
            (attention.tests, "tests, not counted", "T  ", palette.test),
        ):
            if number:
                lines.append([(sign, style), (f"{formats.count(number)} {word}", palette.text)])
        return lines

    def _heard(self, width: int) -> list[Line]:
        assert self.overview is not None
        palette, now = self.palette, self.overview.now
        lines: list[Line] = []
        for source in self.overview.sources:
            since = max(now - source.last_at, 0)
            live = self.recording and since < _QUIET
            sign, style = ("OK ", palette.good) if live else ("-- ", palette.muted)
            today = f"{formats.count(source.requests_today)} today"
            ago = age(since)
            counted = 12 if width >= 32 else 0
            lines.append(
                [
                    (sign, style),
                    (fit_middle(source.source, max(width - 3 - counted - 4, 6)), palette.text),
                    (fit_right(today, counted), palette.muted),
                    (fit_right(ago, 4), palette.text if live else palette.muted),
                ]
            )
        return lines or [[("-- ", palette.muted), ("nothing heard yet", palette.faint)]]

    def _totals(self, width: int) -> list[Line]:
        assert self.overview is not None
        palette = self.palette
        today = self.overview.today
        average = today.average
        errors = formats.percent(today.errors, today.requests) if today.requests else formats.UNKNOWN
        room = min(14, width - 6)

        def line(name: str, value: str, style: Style) -> Line:
            return [(fit(name, max(width - 14, 6)), palette.muted), (fit_right(value, room), style)]

        return [
            line("requests", formats.grouped(today.requests), palette.text),
            line("average", formats.UNKNOWN if average is None else formats.cost(average, 0, room), palette.text),
            *self._plan_line(line),
            line("errors", errors, palette.bad if today.errors else palette.text),
            *([line("failed", formats.grouped(today.failed), palette.text)] if today.failed else []),
        ]
