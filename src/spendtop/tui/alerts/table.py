"""Alerts as rows: what became of each, how severe it is, since when, about what, who takes care, when it speaks
again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.alerting.episode import AlertStage
from spendtop.tui import formats
from spendtop.tui.alerts import words
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.money import Usd
    from spendtop.store.reads.alerts.attention import AlertRow

_STAGES = tuple(AlertStage)
_DATED = 11
"""Cells of a day and a time."""
_SEVERITIES = ("critical", "warning", "info")
ORDERS: Mapping[str, Callable[[AlertRow, int], tuple[int, ...]]] = {
    "state": lambda row, now: (-_STAGES.index(row.stage(now)), -_SEVERITIES.index(row.severity), row.crossed_at),
    "severity": lambda row, now: (-_SEVERITIES.index(row.severity), row.crossed_at),
    "since": lambda row, now: (row.crossed_at,),
}
"""What alerts can be ordered by; what comes first is larger."""


class AlertList(ListTable["AlertRow", int]):
    """The cursor stays on its alert, whatever is sorted above it."""

    def __init__(self) -> None:
        super().__init__("Alerts", id="alert-table")
        self.rows: Sequence[AlertRow] = ()
        self.order = "state"
        self.limits: Mapping[str, Limit | None] = {}
        """By rule, the limit that alerts are about."""
        self.used: dict[int, Usd] = {}
        """What counts now, by alert, as far as it was read."""

    def layouts(self) -> Sequence[Columns[AlertRow]]:
        state, severity = Column("STATE", 8, self._state, order="state"), Column("SEV", 4, _severity, order="severity")
        return tuple(
            (
                *(state, severity, Column("SINCE", since, _since, order="since")),
                Column("WHAT", 23, self._what, grows=True),
                Column("WHO", who, self._who),
                Column("SPEAKS AGAIN", again, self._again, rank=rank),
            )
            for since, who, again, rank in ((_DATED, 12, 16, 0), (5, 8, 16, 0), (5, 8, 12, 1))
        )

    def key(self, row: AlertRow) -> int:
        return row.id

    def mark(self, row: AlertRow, ink: Ink) -> Piece:
        sign, style = SIGNS.get(row.stage(ink.now), (" ", "text"))
        return sign, getattr(ink.palette, style)

    def in_order(self, rows: Sequence[AlertRow]) -> list[AlertRow]:
        rank = ORDERS[self.order]
        return sorted(rows, key=lambda row: (rank(row, self.now), row.id), reverse=self.descending)

    @property
    def ids_in_view(self) -> tuple[int, ...]:
        """Ids of the alerts on screen."""
        first, last = self.in_view
        return tuple(row.id for row in self.rows[first : last + 1])

    def _state(self, row: AlertRow, ink: Ink, width: int) -> Piece:
        stage = row.stage(ink.now)
        return stage, _stage_style(stage, row, ink.palette)

    def _what(self, row: AlertRow, ink: Ink, width: int) -> Piece:
        calls = row.stage(ink.now) is AlertStage.OPEN
        return words.what(row, self.used.get(row.id), width), ink.palette.strong if calls else ink.palette.muted

    def _who(self, row: AlertRow, ink: Ink, width: int) -> Piece:
        taken = words.who(row, row.stage(ink.now))
        return (fit_middle(taken, width, ink.glyphs.cut), ink.palette.who) if taken else ("-", ink.palette.faint)

    def _again(self, row: AlertRow, ink: Ink, width: int) -> Piece:
        coming = words.again(row, row.stage(ink.now), self.limits.get(row.rule), ink.now, ink.calendar)
        if len(coming) > width and coming.startswith("from "):
            coming = "next window"
        return coming, ink.palette.text if coming != formats.UNKNOWN else ink.palette.faint


SIGNS: Mapping[AlertStage, tuple[str, str]] = {
    AlertStage.OPEN: ("!", "bad"),
    AlertStage.ACKED: ("+", "good"),
    AlertStage.SNOOZED: ("z", "muted"),
    AlertStage.SILENCED: ("z", "muted"),
}
"""A sign before the row and its role in the palette, for the state to be seen without its word or colour."""


def stage_words(rows: Sequence[AlertRow], now: int, palette: Palette) -> Line:
    """How many there are of each state: `6 open · 1 acked`."""
    counts = {stage: sum(row.stage(now) is stage for row in rows) for stage in _STAGES}
    parts = [f"{formats.grouped(count)} {stage}" for stage, count in counts.items() if count]
    return [(" · ".join(parts), palette.muted)] if parts else ()


def _stage_style(stage: AlertStage, row: AlertRow, palette: Palette) -> Style:
    match stage:
        case AlertStage.OPEN:
            return palette.bad if row.severity == "critical" else palette.warn
        case AlertStage.ACKED:
            return palette.good
    return palette.muted


def _severity(row: AlertRow, ink: Ink, width: int) -> Piece:
    styles = {"critical": ink.palette.bad, "warning": ink.palette.warn}
    stands = row.stage(ink.now) is AlertStage.OPEN
    return words.SEVERITIES.get(row.severity, row.severity), styles.get(
        row.severity, ink.palette.text
    ) if stands else ink.palette.muted


def _since(row: AlertRow, ink: Ink, width: int) -> Piece:
    moment = formats.moment(row.crossed_at, ink.now, ink.calendar)
    return (moment if len(moment) <= width else moment[:5]), ink.palette.muted
