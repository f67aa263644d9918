"""Ctrl+C while a command waits for the network: it ends within a second, whatever is in the way.

The look-up of a name cannot be interrupted: in the main thread no handler runs before it returns, and other threads are
joined at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread, current_thread, main_thread

from spendtop.cli.meter import show

INTERRUPTED = 130
"""The exit code."""
_GRACE = 0.5
"""Seconds in which the command may end by itself."""


@contextmanager
def interruptible(what: str, rest: str) -> Iterator[None]:
    """Nothing is left on the line of progress; Ctrl+C is answered with `what` was done, and with what stays of it."""
    if current_thread() is not main_thread():  # no signal comes here
        yield
        return
    sentence = f"spendtop: {what}: stopped. {rest}\n"
    watch = _Watch(sentence)
    try:
        yield
    except KeyboardInterrupt:
        show("")
        sys.stderr.write(sentence)
        raise
    finally:
        show("")
        watch.end()


class _Watch:
    """A thread that hears of signals as they come, and ends the process where the main thread does not go on."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        self._is_over = Event()
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)
        self._before = signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        self._thread = Thread(target=self._run, name="interruption", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        signal.set_wakeup_fd(self._before)
        os.close(self._told)
        self._thread.join()
        os.close(self._heard)

    def _run(self) -> None:
        while numbers := os.read(self._heard, 64):
            if signal.SIGINT in numbers and not self._is_over.wait(_GRACE):
                with suppress(OSError, ValueError):
                    sys.stdout.flush()
                    show("")
                    sys.stderr.write(self._sentence)
                    sys.stderr.flush()
                os._exit(INTERRUPTED)
