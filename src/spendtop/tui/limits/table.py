"""Limits as rows: whose, in which window, how much of it is used; and those that are far from full as one row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from spendtop.domain.limits.forecast import moment
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import WindowKind
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle
from spendtop.tui.widgets.columns import Column, Columns, Ink, SpanningCell
from spendtop.tui.widgets.gauge import SIGNS
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from rich.style import Style

    from spendtop.domain.limits.forecast import Forecast
    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.limits.provider_limits import ProviderLimitUse
    from spendtop.store.reads.limits.entities import LimitEntities
    from spendtop.store.reads.limits.uses import LimitUse

FOLDED_BELOW = 0.5
"""Entities that have used less than this share of their limit are one row, until it is opened; those that it is
raised for are always listed."""


Forecasts = Mapping[tuple[str, str], "Forecast | None"]
"""How use may go on, by limit and entity."""


class RowKey(NamedTuple):
    """What stays the same of a row while its figures change."""

    limit: str
    entity: str
    is_fold: bool = False


class LimitRow(Struct, frozen=True):
    """A limit as it stands for everyone or for one entity; or the entities of one that are folded."""

    limit: Limit
    """As it is configured."""
    use: LimitUse | None
    """Of a fold that of the fullest entity in it; None where nobody spent."""
    folded: int = 0
    """How many entities a fold stands for."""
    is_open: bool = False
    """Whether the entities of a fold are listed, as far as they are read."""
    forecast: Forecast | None = None
    """How its use may go on, where that is looked ahead."""
    told: ProviderLimitUse | None = None
    """Of a provider's own limit: it can only be read here."""

    @property
    def key(self) -> RowKey:
        if self.told is not None:
            return RowKey(*self.told.key)
        return RowKey(self.limit.name, "" if self.use is None or self.is_fold else self.use.entity.raw, self.is_fold)

    @property
    def is_fold(self) -> bool:
        return self.folded > 0

    @property
    def fraction(self) -> float:
        return self.use.fraction if self.use else 0.0

    @property
    def state(self) -> LimitState:
        return self.use.state if self.use else LimitState.OK


def limit_rows(limits: Sequence[LimitEntities], opened: Collection[str], forecasts: Forecasts) -> Iterator[LimitRow]:
    """What is listed, limit by limit; `opened` are the names of the limits that are listed whole."""

    def row(each: LimitEntities, use: LimitUse) -> LimitRow:
        return LimitRow(each.limit, use, forecast=forecasts.get((each.limit.name, use.entity.raw)))

    for each in limits:
        if each.limit.each is None:
            yield from (row(each, use) for use in each.uses)
            continue
        if not each.uses:
            yield LimitRow(each.limit, None)
            continue
        below = [use for use in each.uses if _is_foldable(use)]
        is_open = each.limit.name in opened or len(below) + each.others == 1
        yield from (row(each, use) for use in each.uses if is_open or not _is_foldable(use))
        if len(below) + each.others > 1:
            largest = below[0] if below else each.uses[-1]
            yield LimitRow(each.limit, largest, len(below) + each.others, is_open)


def _is_foldable(use: LimitUse) -> bool:
    return use.fraction < FOLDED_BELOW and all(one.entity is None for one in use.raises)


ORDERS: Mapping[str, Callable[[LimitRow], Any]] = {
    "use": lambda row: row.fraction,
    "name": lambda row: row.limit.name,
    "amount": lambda row: row.limit.amount.nano,
    "reset": lambda row: (row.use.ends_at or 0) if row.use else 0,
}
"""What limits can be ordered by."""


class LimitTable(ListTable[LimitRow, RowKey]):
    """The fullest first, unless another order was chosen; a fold stands with the fullest of what it folds."""

    def __init__(self) -> None:
        super().__init__("Limits", id="limit-table")
        self.rows: Sequence[LimitRow] = ()
        self.order = "use"
        self.opened: set[str] = set()
        """Names of the limits whose entities are all listed."""
        self._limits: Sequence[LimitEntities] = ()
        self._forecasts: Forecasts = {}
        self._told: Sequence[LimitRow] = ()

    def layouts(self) -> Sequence[Columns[LimitRow]]:
        return _LAYOUTS

    def key(self, row: LimitRow) -> RowKey:
        return row.key

    def mark(self, row: LimitRow, ink: Ink) -> Piece:
        if row.is_fold:
            return (ink.glyphs.down_arrow if row.is_open else ink.glyphs.folded), ink.palette.muted
        return SIGNS[row.state], _state_style(row.state, ink)

    def renew(self, limits: Sequence[LimitEntities], forecasts: Forecasts, told: Sequence[LimitRow]) -> None:
        """Newer figures; `told` are providers' own limits."""
        self._limits, self._forecasts, self._told = limits, forecasts, told
        self.relist()

    def relist(self) -> None:
        """List what is known anew, as it is folded and ordered now."""
        rows = [*limit_rows(self._limits, self.opened, self._forecasts), *self._told]
        rows.sort(key=lambda row: (not row.is_fold, row.key))
        rows.sort(key=ORDERS[self.order], reverse=self.descending)
        self.show(rows)

    def turn_fold(self, row: LimitRow) -> None:
        """List the entities of a fold, or fold them again."""
        self.opened ^= {row.limit.name}
        self.relist()


def _state_style(state: LimitState, ink: Ink) -> Style:
    palette = ink.palette
    return {LimitState.OK: palette.good, LimitState.APPROACHING: palette.warn, LimitState.EXCEEDED: palette.bad}[state]


def _name(row: LimitRow, ink: Ink, width: int) -> Piece:
    name = fit_middle(clean_line(row.limit.name), width, ink.glyphs.cut)
    return name, ink.palette.muted if row.is_fold or row.told is not None else ink.palette.text


def _who(row: LimitRow, ink: Ink, width: int) -> Piece | SpanningCell:
    palette, cut = ink.palette, ink.glyphs.cut
    if row.told is not None:
        return fit_middle(clean_line(row.told.holder), width, cut), palette.who
    if row.use is None:
        return "nobody yet", palette.faint
    if row.is_fold:
        folded: Line = [(_folded(row), palette.muted), (f", most {row.use.percent}", palette.faint)]
        return SpanningCell(folded)
    return (fit_middle(str(row.use.name), width, cut), palette.who) if row.limit.each else ("everyone", palette.muted)


def _folded(row: LimitRow) -> str:
    more = f"{'' if row.is_open else '+'}{formats.grouped(row.folded)}"
    return f"{more} more" if row.fraction >= FOLDED_BELOW else f"{more} below 50%"


def _window(row: LimitRow, ink: Ink, width: int) -> Piece:
    return row.limit.window.text, ink.palette.muted


def _used(row: LimitRow, ink: Ink, width: int) -> Piece:
    nothing = "-" if row.told is None else "?"
    used = formats.used_of(row.use.used, row.use.limit, width) if row.use else f"{nothing}/{row.limit.amount}"
    return used, ink.palette.text if row.limit.measure is LimitedValue.SPEND else ink.palette.plan


def _unpriced(row: LimitRow, ink: Ink, width: int) -> Piece:
    unpriced = row.use.unpriced if row.use else 0
    return (f"+{formats.count(unpriced)}?" if unpriced else ""), ink.palette.unknown


def _raised(row: LimitRow, ink: Ink, width: int) -> Piece:
    return (ink.glyphs.up if row.use and row.use.raises else ""), ink.palette.key


def _percent(row: LimitRow, ink: Ink, width: int) -> Piece:
    if row.use is None:
        return "", ink.palette.faint
    return formats.used_percent(row.use), _state_style(row.state, ink)


def _bar(row: LimitRow, ink: Ink, width: int) -> Piece:
    if row.use is None:
        return "", ink.palette.rest
    fraction, glyphs = row.fraction, ink.glyphs
    scale = max(fraction, 1.0)
    filled = max(round(fraction / scale * width), 1 if fraction > 0 else 0)
    cells = [glyphs.grows[-1]] * filled + [glyphs.rest] * (width - filled)
    marks = [] if row.limit.window.kind is WindowKind.REQUEST else [*row.limit.warn]
    for threshold in [*marks, *([1.0] if fraction > 1 else [])]:
        cells[min(round(threshold / scale * width), width - 1)] = glyphs.mark_100
    return "".join(cells), _state_style(row.state, ink)


def _reaches(row: LimitRow, ink: Ink, width: int) -> Piece:
    """About when 100 % is reached: a time, `no`, or `?` where there is too little past to say."""
    forecast, palette = row.forecast, ink.palette
    if forecast is None or row.state is LimitState.EXCEEDED:
        return "-", palette.faint
    if not forecast.has_enough:
        return "?", palette.unknown
    if forecast.reaches_at is None:
        return "no", palette.good
    return moment(forecast.reaches_at, ink.now, ink.calendar), palette.warn


def _reset(row: LimitRow, ink: Ink, width: int) -> Piece:
    return resets(row, ink.now), ink.palette.muted


def resets(row: LimitRow, now: int) -> str:
    """When its window begins anew, in six cells: in so long, or in which other way."""
    if row.use is not None and row.use.ends_at is not None:
        return formats.span(max(row.use.ends_at - now, 0))
    return {WindowKind.ROLLING: "rolls", WindowKind.REQUEST: "each"}.get(row.limit.window.kind, "never")


_COLUMNS: Columns[LimitRow] = (
    Column("NAME", 12, _name, wished=26, order="name"),
    Column("WHO", 11, _who, wished=34),
    Column("WINDOW", 7, _window, rank=1, wished=8),
    Column("USED/LIMIT", 13, _used, wished=17, right=True, order="amount"),
    Column("", 1, _raised),
    Column("", 6, _unpriced),
    Column("USE", 5, _percent, right=True, order="use"),
    Column("", 6, _bar, wished=16, rank=5),
    Column("REACHES", 9, _reaches, right=True, rank=3),
    Column("RESET", 6, _reset, right=True, rank=4, order="reset"),
)
_LAYOUTS = (_COLUMNS,)
