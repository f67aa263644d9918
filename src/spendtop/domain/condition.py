"""What keeps a collector from working as it should."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ConditionStatus(StrEnum):
    NOTICE = "notice"
    """All works here; somebody should know it none the less."""
    DEGRADED = "degraded"
    """Requests are recorded; something else does not work."""
    DOWN = "down"
    """Nothing can be recorded."""


class Condition(NamedTuple):
    """One thing that is amiss."""

    name: str
    """What it is about: writer, store, disk, configuration, `channel ops`, `loop pollers` and so on."""
    status: ConditionStatus
    sentence: str
    """For a person: what is amiss, and the next step."""
    since: int
    """UTC µs."""
