"""Time in these tests: backoffs are written down in place of being waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

_sleep = asyncio.sleep


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited, in their order."""
    waited: list[float] = []

    async def sleep(seconds: float, result: Any = None) -> Any:
        if seconds:
            waited.append(seconds)
        return await _sleep(0, result)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited
