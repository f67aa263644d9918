"""The section [time]: the zone of calendar windows, and where days and weeks begin."""

from __future__ import annotations

import os
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from spendtop.config.types import Section
from spendtop.domain.windows import Calendar


def machine_zone(localtime: Path = Path("/etc/localtime")) -> str:
    """The IANA name of the machine's zone: `$TZ`, else where /etc/localtime points, else UTC."""
    linked = str(localtime.resolve()).partition("zoneinfo/")[2]
    candidates = (os.environ.get("TZ", "").removeprefix(":"), linked.removeprefix("posix/"))
    return next((name for name in candidates if name and _is_zone(name)), "UTC")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _zone(text: str) -> str:
    return Calendar(zone=text).zone


def _clock_time(value: object) -> object:
    return value.strftime("%H:%M") if isinstance(value, time) else value


def _day_starts(text: str) -> str:
    return Calendar(day_starts=text).day_starts


class TimeSettings(Section):
    """What days and weeks are to you."""

    zone: Annotated[str, AfterValidator(_zone)] = Field(default_factory=machine_zone)
    """IANA name of the time zone that calendar windows follow; the machine's by default."""
    day_starts: Annotated[str, BeforeValidator(_clock_time), AfterValidator(_day_starts)] = "00:00"
    """Local time at which a day begins."""
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    """Weekday on which a week begins."""

    @property
    def calendar(self) -> Calendar:
        """Where local days, weeks and months begin."""
        return Calendar(zone=self.zone, day_starts=self.day_starts, week_starts=self.week_starts)
