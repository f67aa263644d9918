"""How long the writer waits for others before it commits: the larger the groups, the less a commit costs each."""

from __future__ import annotations

import threading
from collections.abc import Sized

_SHARE, _LONGEST = 0.5, 0.01
"""What may be waited: of the time that the last commit took, and in seconds."""
_PAUSES = 4


class Gathering:
    """Who was answered mostly asks again at once, so as many are waited for as were under way together lately.

    It takes a few pauses, and ends with the first in which nobody came. For one who is alone there is none.
    """

    def __init__(self, queue: Sized, news: threading.Condition) -> None:
        self._queue = queue
        self._news = news
        self._expected = 1
        self._pause = 0.0
        self.enough = 1
        """How many have to be queued before `news` is worth telling."""

    def answers(self, number: int, seconds: float) -> None:
        """So many are answered now, by a commit that took so many seconds."""
        self._expected = number + len(self._queue)
        self._pause = min(_LONGEST, seconds * _SHARE) / _PAUSES

    def wait(self) -> None:
        """Returns when enough are queued, or waited for. The lock of `news` is held, but while it waits."""
        self.enough = self._expected
        for _ in range(_PAUSES):
            queued = len(self._queue)
            if queued >= self.enough:
                break
            self._news.wait(self._pause)
            if len(self._queue) == queued:
                break
        self.enough = 1
