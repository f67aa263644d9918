"""Words by which providers say at which service level and where a call was served."""

from __future__ import annotations

import re
from collections.abc import Mapping

from spendtop.domain.requests.request import ServiceLevel

_LEVELS: Mapping[str, ServiceLevel | None] = {
    **dict.fromkeys(("standard", "default", "on_demand", "standard_only", "regular"), ServiceLevel.STANDARD),
    "batch": ServiceLevel.BATCH,
    **dict.fromkeys(("flex", "on_demand_flex"), ServiceLevel.FLEX),
    **dict.fromkeys(("priority", "on_demand_priority", "performance"), ServiceLevel.PRIORITY),
    "fast": ServiceLevel.FAST,
    # What is paid for whether it is used or not has no price per call.
    **dict.fromkeys(("scale", "reserved", "provisioned_throughput")),
}
_SPEEDS: Mapping[str, ServiceLevel | None] = {
    "fast": ServiceLevel.FAST,
    "optimized": ServiceLevel.FAST,
    "standard": None,
}
_PLACE = re.compile("global|apac|[a-z]{2}")
_PREFIX = "service_tier_"


def level_word(value: object) -> str | None:
    """A tier's name in its one form, or None for what names none: `auto` is a wish, not a tier."""
    if not isinstance(value, str):
        return None
    word = value.lower().removeprefix(_PREFIX)
    return word if word in _LEVELS else None


def speed_word(value: object) -> str | None:
    return value if isinstance(value, str) and value in _SPEEDS else None


def place_word(value: object) -> str | None:
    return value if isinstance(value, str) and _PLACE.fullmatch(value) else None


def service_level(tier: object, speed: object) -> ServiceLevel | None:
    """The level that a tier's and a speed's word mean together."""
    if isinstance(speed, str) and (faster := _SPEEDS.get(speed)) is not None:
        return faster
    return _LEVELS.get(tier) if isinstance(tier, str) else None
