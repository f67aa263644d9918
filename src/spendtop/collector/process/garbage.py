"""How often a process that runs for long looks for garbage in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_GARBAGE_THRESHOLD = (10_000, 20, 20)


@contextmanager
def seldom_collected_garbage() -> Iterator[None]:
    """To be entered when all is loaded: what comes then leaves few cycles behind, and looking for some among what is
    loaded and stays took a twentieth of the time of each request."""
    usual = gc.get_threshold()
    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(*_GARBAGE_THRESHOLD)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
