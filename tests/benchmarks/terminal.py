"""A viewer in a terminal of 140x40, and when what became visible."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

from tests.benchmarks.processes import environment

COLUMNS, ROWS = 140, 40


class Terminal:
    """The screen of one process."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.received = 0
        """Bytes that it was sent so far."""

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._descriptor, keys)

    def shows(self, text: str) -> bool:
        """Whether the text stands on the screen."""
        return any(text in line for line in self._screen.display)

    def row_of(self, text: str) -> int | None:
        """The first row that holds the text."""
        return next((row for row, line in enumerate(self._screen.display) if text in line), None)

    def wait(self, is_there: Callable[[], bool], patience: float = 20.0) -> float:
        """Read until it is there; the time of the bytes that brought it, as `time.perf_counter`.

        Raises TimeoutError.
        """
        deadline = time.perf_counter() + patience
        while (now := time.perf_counter()) < deadline:
            if self._read(deadline - now) and is_there():
                return self._read_at
        raise TimeoutError("\n".join(self._screen.display).rstrip())

    def watch(self, seconds: float) -> int:
        """Read for a while; the bytes that came."""
        before, deadline = self.received, time.perf_counter() + seconds
        while (now := time.perf_counter()) < deadline:
            self._read(deadline - now)
        return self.received - before

    def _read(self, patience: float) -> bool:
        if not select.select([self._descriptor], [], [], patience)[0]:
            return False
        data = os.read(self._descriptor, 65536)
        self._read_at = time.perf_counter()
        self.received += len(data)
        self._stream.feed(data)
        return True


@contextmanager
def viewer(folder: Path, arguments: Sequence[str]) -> Iterator[Terminal]:
    """`spendtop` with these arguments in a terminal, until the end of the block."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "spendtop", *arguments]
        os.execve(sys.executable, command, environment(folder, COLORTERM="truecolor"))
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        yield Terminal(pid, descriptor)
    finally:
        os.kill(pid, signal.SIGTERM)
        _drained(descriptor)
        os.close(descriptor)
        os.waitpid(pid, 0)


def _drained(descriptor: int) -> None:
    """Read until the process has ended: its last words must not block it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if select.select([descriptor], [], [], 0.1)[0] and not os.read(descriptor, 65536):
                return
        except OSError:
            return
