"""What a face says of a figure, and whether that is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from spendtop.domain.money import Usd

UNSAID: Final = object()
"""A face says nothing about this side of a figure."""

_AMOUNT = re.compile(r"(?P<less><)?\$(?P<number>\d[\d,]*(?:\.\d+)?)(?P<size>[kMB]?)")
_MARK = re.compile(r"\+ ?(?P<count>[\d ,]+)(?:\?| unpriced)|(?<![\d.,$])(?P<alone>\d[\d ,]*)(?: unpriced|\?)")
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}


@dataclass(frozen=True, kw_only=True)
class Said:
    """`cost` is a text, US dollars or nano-USD as a number, or None where no cost is known. `percent` is a text."""

    cost: Any = UNSAID
    nano: Any = UNSAID
    requests: Any = UNSAID
    unpriced: Any = UNSAID
    failed: Any = UNSAID
    percent: Any = UNSAID
    ratio: Any = UNSAID
    state: Any = UNSAID


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The truth."""

    nano: int | None
    requests: int = 0
    unpriced: int = 0
    failed: int = 0
    limit: int | None = None
    """Nano-USD, of a limit's use."""
    single: bool = False
    """Of a limit on single requests."""
    state: str = ""


def text(words: str, **more: Any) -> Said:
    """A cost as people read it, with what is not in it: `$41.82 +3?`, `3 unpriced`."""
    mark = _MARK.search(words)
    count = 0 if mark is None else int(re.sub(r"[ ,]", "", mark["count"] or mark["alone"]))
    amount = _AMOUNT.search(words)
    return Said(**{"cost": None if amount is None else amount.group(), "unpriced": count, **more})


def _is_same(side: str) -> Callable[[Any, Figure], bool]:
    return lambda value, figure: bool(value == getattr(figure, side))


def wrong(said: Said, figure: Figure) -> list[str]:
    """The sides of what was said that are not so."""
    same = {side: _is_same(side) for side in ("nano", "requests", "unpriced", "failed", "state")}
    checks = {"cost": _is_cost, "percent": _is_percent, "ratio": _is_ratio, **same}
    sides = ((each.name, getattr(said, each.name)) for each in fields(said))
    return [f"{name} {value}" for name, value in sides if value is not UNSAID and not checks[name](value, figure)]


def _is_cost(value: Any, figure: Figure) -> bool:
    if value is None or figure.nano is None:
        return value is None and figure.nano is None
    if not isinstance(value, str):
        return abs(float(value) - figure.nano / 1e9) < 1e-12 + abs(float(value)) * 1e-12
    amount = _AMOUNT.fullmatch(value)
    assert amount is not None, value
    number = Decimal(amount["number"].replace(",", ""))
    places = len(amount["number"].partition(".")[2])
    step = Decimal(10) ** -places * _SIZES[amount["size"]]
    low = number * _SIZES[amount["size"]]
    truth = Usd(figure.nano).dollars
    if amount["less"]:
        return 0 < truth < low
    return low - step / 2 <= truth < low + step and (low > 0 or truth == 0)


def _is_ratio(value: float, figure: Figure) -> bool:
    assert figure.limit is not None and figure.nano is not None
    return abs(value - figure.nano / figure.limit) < 1e-9


def _is_percent(value: str, figure: Figure) -> bool:
    assert figure.limit is not None and figure.nano is not None
    exact = figure.nano * 100 / figure.limit
    digits = re.sub(r"[ %<>x]", "", value)
    if value.startswith("<"):
        return 0 < exact < float(digits)
    if value.startswith(">"):
        return figure.single and 100 < exact < 101
    if value.startswith("x"):
        return int(digits) == figure.nano // figure.limit
    if figure.single and 100 < exact < 101:
        return False
    return float(digits) == (int(exact) if exact >= 1 else int(exact * 10) / 10)
