"""The scale of a chart: round amounts at the edges of rows, in as many cells as the longest of them needs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

_NICE = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
"""Tenths of a power of ten that a row may be worth."""
_LEAST_ROWS = 4
"""Rows from which on the middle is labelled, too."""
_SIZES = ((10**18, "G"), (10**15, "M"), (10**12, "k"), (10**9, ""))
"""Of nano-dollars."""


class Scale(Struct, frozen=True):
    """What the rows of a chart are worth."""

    rows: int
    per_row: int
    labels: dict[int, str]
    """By row from the top: what its upper edge is worth."""

    @property
    def top(self) -> int:
        return self.rows * self.per_row

    @property
    def width(self) -> int:
        """Cells of the longest label."""
        return max(map(len, self.labels.values()), default=0)

    def height(self, value: float) -> float:
        """In rows."""
        return value / self.per_row


def nice_ceiling(rate: float) -> int:
    """A round number of nano-USD not below `rate`: 1, 2 or 5 times a power of ten."""
    if rate <= 0:
        return 10_000_000
    power = 10 ** (len(str(int(rate))) - 1)
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= rate)


def scale_to(highest: float, rows: int, write: Callable[[int], str], headroom: int = 0) -> Scale:
    """The least scale by which `highest` leaves `headroom` rows free, as far as there are several."""
    used = max(rows - headroom, 1)
    per_row = _round_up(highest / used)
    labelled = (0, rows // 2) if rows >= _LEAST_ROWS else (0,)
    return Scale(rows, per_row, {row: write((rows - row) * per_row) for row in labelled})


def usd_label(nano: int) -> str:
    """An amount as short as its digits allow: `$50µ`, `$0.05`, `$2.50`, `$100k`."""
    if nano and abs(nano) < 1_000_000:
        return f"${_digits(nano, 1_000)}µ"
    size, letter = next(((size, letter) for size, letter in _SIZES if abs(nano) >= size), _SIZES[-1])
    digits = _digits(nano, size)
    cents = not letter and "." in digits and len(digits.partition(".")[2]) == 1
    return f"${digits}{'0' if cents else ''}{letter}"


def count_label(number: int) -> str:
    """A whole number in the same way: `800`, `1.5k`, `20M`."""
    size, letter = next(((s, each) for s, each in ((10**9, "G"), (10**6, "M"), (10**3, "k")) if number >= s), (1, ""))
    return f"{_digits(number, size)}{letter}"


def _digits(number: int, size: int) -> str:
    whole, part = divmod(number, size)
    rest = f"{part:0{len(str(size)) - 1}}".rstrip("0") if part else ""
    return f"{whole}.{rest}" if rest else str(whole)


def _round_up(value: float) -> int:
    """A round whole number not below `value`."""
    if value <= 1:
        return 1
    power = 1
    while power * 10 < value:
        power *= 10
    return next(-(-factor * power // 10) for factor in _NICE if factor * power >= value * 10)
