"""Waiting for what will soon be so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 120.0
"""Seconds that only a failing test waits, on the slowest and busiest machine: what is fast enough is no test."""
_LOOK = 0.01


def eventually(seen: Callable[[], T | None], seconds: float = DEADLINE) -> T:
    """What `seen` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s; last seen: {found!r}"
        time.sleep(_LOOK)
    return found


async def soon(seen: Callable[[], T | None], seconds: float = DEADLINE) -> T:
    """What `seen` returns once it is true, while the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s; last seen: {found!r}"
        await asyncio.sleep(_LOOK)
    return found
