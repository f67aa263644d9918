"""What is asked beside a poll, but more rarely than it."""

from __future__ import annotations

import time


class Spacing:
    """Lets something happen at most once within some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: float | None = None

    def is_due(self) -> bool:
        """Whether it is time; then it is not again before the seconds are over."""
        now = time.monotonic()
        if self._last is not None and now - self._last < self._seconds:
            return False
        self._last = now
        return True
