"""The machine's own time zone."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo


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
