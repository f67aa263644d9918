"""Whether what a collector is there for goes on: what systemd's watchdog is to be told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

STUCK_AFTER = 60.0
"""Seconds without a step. No transaction takes nearly as long."""
_log = logging.getLogger(__name__)


class Mover(Protocol):
    """Something that works step by step."""

    @property
    def still_for(self) -> float:
        """Seconds without a step in what it has to do; 0 where that is nothing."""


class MovingWriter(Mover, Protocol):
    @property
    def alive(self) -> bool: ...

    @property
    def held_up_for(self) -> float:
        """Seconds for which nothing could be written."""


def progress(writer: MovingWriter, evaluator: Mover) -> Callable[[], bool]:
    """Whether both move. Who waits for a locked store is not stuck, nor is who waits for a writer that does."""
    was_stuck = False

    def is_moving() -> bool:
        nonlocal was_stuck
        stuck = _stuck(writer, evaluator)
        if stuck and not was_stuck:
            _log.error("%s: systemd hears no sign of life until that changes", stuck)
        was_stuck = bool(stuck)
        return not stuck

    return is_moving


def _stuck(writer: MovingWriter, evaluator: Mover) -> str:
    """What does not move; empty where all does."""
    if not writer.alive:
        return "the writer has ended"
    if writer.still_for > STUCK_AFTER:
        return f"the writer has taken no step for {writer.still_for:.0f} s"
    waited = max(evaluator.still_for - writer.held_up_for, 0.0)
    return f"the evaluator has taken no step for {evaluator.still_for:.0f} s" if waited > STUCK_AFTER else ""
