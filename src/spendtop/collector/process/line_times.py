"""Whether lines that go out of this process say when they were written."""

from __future__ import annotations

import os
import time

from spendtop.domain.clock import SECOND

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
"""In the machine's own zone, as its other logs are."""


def is_journal(descriptor: int) -> bool:
    """Whether systemd's journal reads what is written there: it notes the time of every line itself.

    The variable is inherited by what writes elsewhere, so that it counts for the descriptor that it names only:
    systemd.exec(5), "JOURNAL_STREAM".
    """
    try:
        there = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def line_time(instant: int) -> str:
    """An instant (UTC µs) as a line begins with it."""
    return time.strftime(TIME_FORMAT, time.localtime(instant // SECOND))
