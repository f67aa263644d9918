"""Waiting for what will soon be so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 120.0
"""Seconds that only a failing test waits, on the slowest and busiest machine: what is fast enough is no test."""
_LOOK = 0.01


def put_forward(seconds: float) -> None:
    """Let the clock of the running event loop be so much later: what waits for a time there is not waited for."""
    loop = asyncio.get_running_loop()
    earlier = loop.time
    loop.time = lambda: earlier() + seconds  # type: ignore[method-assign]


def eventually(seen: Callable[[], T | None]) -> T:
    """What `seen` returns once it is true."""
    deadline = time.monotonic() + DEADLINE
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s; last seen: {found!r}"
        time.sleep(_LOOK)
    return found


async def soon(seen: Callable[[], T | None]) -> T:
    """What `seen` returns once it is true, while the event loop goes on."""

    async def asked() -> T | None:
        return seen()

    return await soon_answered(asked)


async def soon_answered(ask: Callable[[], Awaitable[T | None]]) -> T:
    """The same for what has to be awaited."""
    deadline = time.monotonic() + DEADLINE
    while not (found := await ask()):
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s; last seen: {found!r}"
        await asyncio.sleep(_LOOK)
    return found
