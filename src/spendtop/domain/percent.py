"""Shares in percent, by the one rule of every face: towards zero, so that 100 % means reached."""

from __future__ import annotations

from decimal import Decimal

_SINGLE = "request"
"""The window of a limit on single requests, which is exceeded above 100 % only."""


def percent_of(part: int, whole: int) -> str:
    """`84%`, `0.4%`, `-12%`; what is something and less than a tenth is `<0.1%`. `whole` is not 0."""
    sign = "-" if (part < 0) != (whole < 0) and part else ""
    tenths = abs(part) * 1000 // abs(whole)
    if tenths >= 10 or not part:
        return f"{sign}{tenths // 10}%"
    return f"{sign}0.{tenths}%" if tenths else f"{sign}<0.1%"


def times_of(part: int, whole: int) -> str:
    """`3.2 times`, `27 times`, `over 999 times`, towards zero like the percents."""
    tenths = part * 10 // max(whole, 1)
    if tenths >= 10_000:
        return "over 999 times"
    return f"{tenths // 10} times" if tenths >= 100 else f"{tenths // 10}.{tenths % 10} times"


def used_percent(used: int, limit: int, window: str) -> str:
    """Use of a limit over a window. Where 100 % would not say that a single request is above it, it is `>100%`."""
    if window == _SINGLE and limit < used and used * 100 // limit == 100:
        return ">100%"
    return percent_of(used, limit)


def exact_percent(fraction: float) -> str:
    """A fraction as somebody wrote it: 0.8 is `80%`, 0.995 is `99.5%`."""
    return f"{(Decimal(str(fraction)) * 100).normalize():f}%"
