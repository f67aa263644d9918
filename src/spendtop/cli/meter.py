"""How far something is, in one line on stderr, for whoever watches what takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0
"""Seconds."""


def show(words: str) -> None:
    """Progress in the line that it always has, where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()


@contextmanager
def metered(what: str) -> Iterator[Callable[[float], None]]:
    """What is to be told the share that is done, from 0 to 1; nothing is left on the line afterwards."""
    began, shown = time.monotonic(), -1

    def tell(share: float) -> None:
        nonlocal shown
        percent = int(share * 100)
        if percent != shown and time.monotonic() - began > _PATIENCE:
            shown = percent
            show(f"{what}: {percent} %. Ctrl+C stops it.")

    try:
        yield tell
    finally:
        if shown >= 0:
            show("")
