"""When the alert of a limit speaks again, by the rules of `domain.alerting.episode`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.domain.alerting.episode import MOST_FALLS, hysteresis, thresholds
from spendtop.domain.limits.limit import Limit
from spendtop.domain.windows import WindowKind


class Occasion(StrEnum):
    """What an alert waits for before it speaks again."""

    THRESHOLD = "threshold"
    """Its use reaches `fraction`."""
    WINDOW = "window"
    """The next window, which begins at `at`."""
    FALL = "fall"
    """Its use has stayed under `fraction` for a while."""
    CALM = "calm"
    """It is over, and has been for as long as its window is."""
    NEVER = "never"


class SpeaksAgain(Struct, frozen=True, kw_only=True):
    occasion: Occasion
    fraction: float | None = None
    """A share of the limit."""
    at: int | None = None
    """UTC µs."""


def speaks_again(limit: Limit, announced: float, window_end: int | None, falls: int = 0) -> SpeaksAgain:
    """What comes next for an episode that stands at the threshold `announced`, and fell back so often."""
    if limit.window.kind is WindowKind.REQUEST:
        return SpeaksAgain(occasion=Occasion.NEVER)
    higher = [each for each in thresholds(limit) if each > announced]
    if higher and falls <= MOST_FALLS:
        return SpeaksAgain(occasion=Occasion.THRESHOLD, fraction=higher[0])
    if window_end is not None:
        return SpeaksAgain(occasion=Occasion.WINDOW, at=window_end)
    if limit.window.kind is not WindowKind.ROLLING:
        return SpeaksAgain(occasion=Occasion.NEVER)
    if falls > MOST_FALLS:
        return SpeaksAgain(occasion=Occasion.CALM)
    return SpeaksAgain(occasion=Occasion.FALL, fraction=hysteresis(limit))
