"""What is asked beside a poll, but more rarely than it."""

from __future__ import annotations

import time

from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import Rejected


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

    def failed(self, failure: PollFailed) -> None:
        """It is time again, unless the same question would be refused again."""
        if not isinstance(failure, KeyRefused | Rejected):
            self._last = None
