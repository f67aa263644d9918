"""Limits as gauges, who and what spends most, the sources, and the welcome of an empty store."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.cells import cell_len
from rich.style import Style

from spendtop.domain.clock import HOUR, age
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.limits import LimitState
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right, length
from spendtop.tui.widgets.gauge import SIGNS, gauge

if TYPE_CHECKING:
    from spendtop.store.reads.limits import LimitUse
    from spendtop.store.reads.overview import Overview
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.spending import Breakdown, KeySpend
    from spendtop.tui.session import AttachedCollector

_QUIET = HOUR
_AMOUNTS = 13
"""Cells of a limit's use and amount."""
_LEAST_NAME, _LEAST_MONEY = 10, 6
_WELCOME_WIDTH = 76


class LimitsPanel(Panel):
    """The fullest limits."""

    def __init__(self) -> None:
        super().__init__(id="limits")
        self.uses: Sequence[LimitUse] | None = None
        """None until they were read."""
        self.is_configured = False
        """Whether a collector has applied a configuration."""

    @property
    def title_line(self) -> Line:
        return [("Limits", self.palette.title), (" fullest first", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        if self.uses is None:
            return self.unread
        if not self.uses:
            words = "none set" if self.is_configured else "known once a collector ran"
            return [[(words, palette.muted)], [("[[limit]] in spendtop.toml", palette.faint)]]
        shown = self.uses if len(self.uses) <= height else self.uses[: height - 1]
        unpriced = max(len(_unpriced(use)) for use in shown)
        lines = [self._line(use, width, unpriced) for use in shown]
        hidden = len(self.uses) - len(shown)
        if hidden:
            lines.append([(f"  +{hidden} more", palette.muted)])
        return lines

    def _line(self, use: LimitUse, width: int, unpriced: int) -> Line:
        """`unpriced` is the width of the longest `+N?`, so that all bars begin at one cell."""
        palette = self.palette
        ok, warn, bad = palette.good, palette.warn, palette.bad
        style = {LimitState.OK: ok, LimitState.APPROACHING: warn, LimitState.EXCEEDED: bad}[use.state]
        fill = {LimitState.OK: palette.bar, LimitState.APPROACHING: warn, LimitState.EXCEEDED: warn}[use.state]
        name = f"{use.name}" if use.entity else use.limit.name
        window = f" {use.limit.window}" if use.entity else ""
        room = width - 2 - 6
        named = min(max(room * 2 // 5, 10), 20)
        bar_width = room - named - 1
        mark = unpriced + 1 if unpriced else 0
        with_amounts = bar_width >= max(20, _AMOUNTS + 1 + mark + 2)
        pieces: list[Piece] = [
            (f"{SIGNS[use.state]} ", style),
            (fit(name + window, named), palette.text),
            (" ", palette.text),
        ]
        if with_amounts:
            bar_width -= _AMOUNTS + 1
            amounts = formats.used_of(use.used, use.limit.amount, _AMOUNTS)
            pieces += [(fit_right(amounts, _AMOUNTS) + " ", palette.muted)]
        if unpriced:
            bar_width -= mark
            pieces += [(fit_right(_unpriced(use), unpriced) + " ", palette.unknown)]
        if bar_width > 1:
            pieces += gauge(use.fraction, bar_width, fill, bad, palette.rest, self.glyphs)
        pieces.append((fit_right(formats.used_percent(use), width - length(pieces)), style))
        return pieces


def _unpriced(use: LimitUse) -> str:
    return f"+{formats.count(use.unpriced)}?" if use.unpriced else ""


class TopPanel(Panel):
    """The largest keys of one dimension, and the rest in one line."""

    def __init__(self, title: str, nobody: str, *, id: str) -> None:
        super().__init__(id=id)
        self.title = title
        self.nobody = nobody
        """What requests that name no key are called."""
        self.breakdown: Breakdown | None = None

    @property
    def title_line(self) -> Line:
        return [(self.title, self.palette.title), (" today", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        breakdown, palette = self.breakdown, self.palette
        if breakdown is None:
            return self.unread
        if not breakdown.rows:
            return [[("nothing spent yet", palette.faint)]]
        everything = sum((row.spend for row in breakdown.rows), breakdown.others)
        keys = len(breakdown.rows) + breakdown.other_keys
        shown = self.shown(height)
        named = palette.who if self.id == "users" else palette.model
        lines = [(str(row.key) or self.nobody, row.spend, named) for row in shown]
        if keys > len(shown):
            others = sum((row.spend for row in breakdown.rows[len(shown) :]), breakdown.others)
            lines.append((f"+{keys - len(shown)} more", others, palette.muted))
        money = min(max(len(_cost(spent, 99)) for _, spent, _ in lines), max(width - 7 - _LEAST_NAME, _LEAST_MONEY)) + 1
        return [self._line(name, spent, everything, style, width, money) for name, spent, style in lines]

    def shown(self, height: int) -> Sequence[KeySpend]:
        """The keys that have a line of their own; the last line is that of the rest where there is one."""
        breakdown = self.breakdown
        if breakdown is None:
            return ()
        keys = len(breakdown.rows) + breakdown.other_keys
        return breakdown.rows if keys <= height else breakdown.rows[: height - 1]

    def _line(self, name: str, spent: Spend, everything: Spend, style: Style, width: int, money: int) -> list[Piece]:
        palette = self.palette
        bar = min(width - 36, 20) if width >= 42 else 0
        calls = 6 if width >= 44 else 0
        named = width - money - 6 - (bar + 1 if bar else 0) - calls
        is_unknown = spent.known_cost is None
        unpriced = f" +{formats.count(spent.unpriced)}?" if spent.unpriced and not is_unknown else ""
        shown = fit(formats.model(name, named - len(unpriced)), named - len(unpriced))
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


def _cost(spent: Spend, width: int) -> str:
    """The known cost alone, as the name says what is not in it; where none is known, how many requests."""
    return formats.cost(spent.known_cost, 0 if spent.known_cost is not None else spent.unpriced, width)


def _address(url: str) -> str:
    """Host and port by which programs on the machine reach a listener."""
    parts = urlsplit(url)
    return f"localhost:{parts.port}" if parts.hostname in ("0.0.0.0", "::") else parts.netloc


class SourcesPanel(Panel):
    """One line per source, the totals, and what needs attention."""

    def __init__(self) -> None:
        super().__init__(id="sources")
        self.overview: Overview | None = None
        self.recording = True
        """Whether a collector hears the sources."""

    @property
    def title_line(self) -> Line:
        return [("Sources", self.palette.title), (" & totals", self.palette.muted)]

    def content(self, width: int, height: int) -> list[Line]:
        """Sources, sums of today, and where there is room what waits (the notice counts that too)."""
        overview = self.overview
        if overview is None:
            return self.unread
        heard, totals = self._heard(width), self._totals(width)
        room = max(height - len(totals), 1)
        return [*heard[:room], *totals, *self._waiting()]

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
                    (fit(source.source, max(width - 3 - counted - 4, 6)), palette.text),
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
            line("errors", errors, palette.bad if today.errors else palette.text),
            *([line("failed", formats.grouped(today.failed), palette.text)] if today.failed else []),
        ]


class Welcome(Panel):
    """How the first request gets here."""

    def __init__(self) -> None:
        super().__init__(id="welcome")
        self.webhook: str | None = None
        """Where gateways reach us; None where nobody listens."""
        self.collector: AttachedCollector | None = None
        self.why_unrecorded = ""
        """That no collector runs and how to start one, or nothing."""
        self.is_billed = False
        """Whether bills are shown above: only who spends it is not known then."""

    @property
    def title_line(self) -> Line:
        return [("Welcome to spendtop", self.palette.title)]

    def content(self, width: int, height: int) -> list[Line]:
        lines = self._words(min(width, _WELCOME_WIDTH))
        if len(lines) > height:
            lines = [line for line in lines if line]
        block = max((length(line) for line in lines), default=0)
        margin: Piece = (" " * max((width - block) // 2, 0), self.palette.text)
        above = max((height - len(lines)) // 2, 0)
        return [*([()] * above), *([margin, *line] for line in lines)]

    def _words(self, width: int) -> list[Line]:
        palette = self.palette
        text, muted, key, strong = palette.text, palette.muted, palette.key, palette.strong

        def step(number: str, what: str, command: str) -> Line:
            return [(f" {number}  ", key), (f"{what:<28} ", text), (command, strong)]

        nothing = "No requests seen yet" if self.is_billed else "Nothing recorded yet"
        waits = "They show who spends, and on what." if self.is_billed else "The listener waits for its first request."
        first: Line = [(f"{nothing}. ", strong), (waits, text)]
        why: list[Line] = []
        if self.why_unrecorded:
            first = [(f"{nothing}.", strong)]
            why = [[(line, palette.bad)] for line in textwrap.wrap(self.why_unrecorded, width)]
        way_in: Line = [("known once a collector runs", muted)]
        tunnel = "once a collector runs"
        if self.webhook is not None:
            way_in = [(self.webhook, palette.good)]
        if self.collector is not None and self.collector.url is not None:
            tunnel = f"cloudflared tunnel --url {_address(self.collector.url)}"
        return [
            first,
            *why,
            *self._amiss(width),
            (),
            [("See it alive at once", palette.title)],
            step("-", "a month of made-up traffic", "spendtop demo"),
            (),
            [("Connect Helicone", palette.title)],
            step("1", "write spendtop.toml", "spendtop init"),
            step("2", "make an address reachable", tunnel),
            step("3", "add the webhook", "in Helicone: Settings, Webhooks"),
            step("4", "try the way in", "spendtop send-test"),
            (),
            [("   webhook  ", muted), *way_in],
            [("   its signing secret goes into webhook_secrets under [helicone]", muted)],
            (),
            [
                ("?", key),
                (" keys and help   ", muted),
                (":", key),
                (" commands   ", muted),
                ("Q", key),
                (" leave", muted),
            ],
        ]

    def _amiss(self, width: int) -> list[Line]:
        """The worst condition of the collector whole, and how many more there are."""
        if self.collector is None or not self.collector.conditions:
            return []
        palette, (worst, *others) = self.palette, self.collector.conditions
        style = palette.bad if worst.status is ConditionStatus.DOWN else palette.warn
        lines: list[Line] = [[(line, style)] for line in textwrap.wrap(f"! {clean_line(worst.sentence)}", width)]
        more = len(others)
        return [*lines, [(f"  and {more} more: 8 sources", palette.muted)]] if more else lines
