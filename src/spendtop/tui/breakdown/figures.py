"""Figures of a breakdown in few cells: amounts of any measure, changes, and how hot a cell is."""

from __future__ import annotations

from spendtop.domain.breakdown.measures import PLAN, Measure, Measured, Unit
from spendtop.domain.cost_words import known_cost, within
from spendtop.domain.money import Usd
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Piece

_HOT, _WARM = 2, 8
"""A cell is hot from that part of the largest one on, and warm."""


def figure(measured: Measured, measure: Measure, palette: Palette, width: int = 99) -> Piece:
    """A cell's figure; `-` where there is none, `3?` where none is known."""
    if not any(measured):
        return formats.UNKNOWN, palette.faint
    match measure.unit:
        case Unit.MONEY:
            sign = "~" if measure is PLAN else ""
            known, room = _known(measured), width - len(sign)
            words = formats.cost(known, measured.missing, room)
            is_lost = len(words) > room or (measured.missing and words.startswith("<"))
            if known is not None and is_lost:  # not all is in it; how much is not has no room
                words = f"{within(known, room - 1)}?"
            style = palette.plan if measure is PLAN else palette.money
            return f"{sign}{words}", palette.unknown if known is None else style
        case Unit.FAILURES:
            cost = formats.cost(_known(measured), measured.missing, width - len(formats.count(measured.of)) - 1)
            words = f"{formats.count(measured.of)} {cost}"
            return words if len(words) <= width else formats.count(measured.of), palette.bad
        case Unit.SHARE:
            return formats.percent(measured.amount, measured.of) if measured.of else formats.UNKNOWN, palette.text
        case Unit.TIME:
            is_known = measured.of > measured.missing
            return formats.latency(measured.amount if is_known else None), palette.text
    return formats.count(measured.amount), palette.text


def _known(measured: Measured) -> Usd | None:
    return known_cost(Usd(measured.amount), measured.of, measured.missing)


def change(row: Measured, before: Measured | None, measure: Measure, glyphs: Glyphs, palette: Palette) -> Piece:
    """How a row's figure differs from before, in at most six cells; `?` behind it where what is not known of one of the
    two could turn it round."""
    if before is None or not (any(row) or any(before)):
        return "", palette.faint
    if not any(before):
        return "new", palette.warn
    if not any(row):
        return "gone", palette.muted
    now, was = measure.size(row), measure.size(before)
    if measure.unit is Unit.SHARE:
        return _signed(now - was, 10_000, "pt", glyphs, palette)
    if not was or not (_is_known(row, measure) and _is_known(before, measure)):
        return formats.UNKNOWN, palette.faint
    is_doubtful = measure.unit is Unit.MONEY and bool(before.missing if now > was else row.missing)
    doubt = "?" if is_doubtful else ""
    if now >= 10 * was:
        times = now // was
        return f"{glyphs.up}x{times if times < 1_000 else '>999'}"[: 6 - is_doubtful] + doubt, palette.warn
    return _signed((now - was) * 100, was, f"%{doubt}", glyphs, palette)


def share(part: Measured, whole: Measured, measure: Measure) -> str:
    """How much of the whole it is; `-` where that is not known."""
    size, of = measure.size(part), measure.size(whole)
    return formats.percent(size, of) if of and _is_known(part, measure) else formats.UNKNOWN


def _is_known(measured: Measured, measure: Measure) -> bool:
    """Whether anything of a cost is known."""
    return measure.unit is not Unit.MONEY or _known(measured) is not None


def _signed(difference: int, unit: int, sign: str, glyphs: Glyphs, palette: Palette) -> Piece:
    rounded = (abs(difference) + unit // 2) // unit
    if not rounded:
        return "=", palette.faint
    arrow, style = (glyphs.up, palette.warn) if difference > 0 else (glyphs.down_arrow, palette.good)
    return f"{arrow}{rounded:>3}{sign}", style


def heat(measured: Measured, largest: int, measure: Measure, glyphs: Glyphs, palette: Palette) -> Piece:
    """One mark, higher the hotter: it says by its shape what it says by its colour."""
    size = measure.size(measured)
    if size <= 0:
        return " ", palette.text
    rises = glyphs.rises
    if size * _HOT >= largest:
        return rises[-1], palette.peak
    if size * _WARM >= largest:
        return rises[len(rises) // 2 - 1 if len(rises) > 3 else 1], palette.warn
    return rises[0], palette.chart
