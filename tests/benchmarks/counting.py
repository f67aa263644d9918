"""Counting calls into the program, in all threads."""

from __future__ import annotations

import inspect
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Calls = Mapping[str, float]
"""Function to how often it ran."""
_RESUMABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class Counting:
    """Counts calls into `spendtop` of this thread and of those that begin while it is installed.

    A coroutine that goes on is no new call, and neither is a comprehension.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._counts: Counter[str] = Counter()
        self._begun: set[FrameType] = set()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Until the block ends."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def per_time(self, times: int) -> Calls:
        """What was counted, shared out."""
        return {name: count / times for name, count in self._counts.most_common()}

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if not self.is_on or event != "call":
            return
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("spendtop.") or frame.f_code.co_name.startswith("<"):
            return
        if frame.f_code.co_flags & _RESUMABLE:
            if frame in self._begun:
                return
            self._begun.add(frame)
        self._counts[f"{module}.{frame.f_code.co_qualname}"] += 1
