"""The face in a real pseudo-terminal, seen through a terminal emulator."""

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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pyte

from tests.waiting import DEADLINE

_ROOT = Path(__file__).parents[2]


class PtyProgram:
    """One run of a program. Use as a context; the process is ended at its end."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str], size: tuple[int, int]) -> None:
        self._command = list(command)
        self._folder = folder
        self._size = size
        self._env = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **env}
        self.sent = b""
        """All bytes that reached the terminal."""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._status: int | None = None

    def __enter__(self) -> Self:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self._size[1], self._size[0], 0, 0))
            os.chdir(self._folder)
            os.execve(sys.executable, self._command, self._env)
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)

    @property
    def shown(self) -> str:
        """The picture as text."""
        return "\n".join(self.screen.display)

    def until(self, text: str) -> None:
        """Read until the text is on the screen; fails after `DEADLINE`."""
        self._read_until(lambda: text in self.shown, f"{text!r} did not appear")

    def until_gone(self, text: str) -> None:
        """Read until the text is not on the screen; fails after `DEADLINE`."""
        self._read_until(lambda: text not in self.shown, f"{text!r} stayed")

    def _read_until(self, holds: Callable[[], bool], missed: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, f"{missed}:\n{self.shown}"
            assert self._read(), f"the program ended:\n{self.sent[-2000:]!r}"

    def press(self, keys: str) -> None:
        """Type."""
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        """What a terminal sends, whatever it is."""
        os.write(self._terminal, data)

    def end(self, number: int) -> int:
        """Send a signal, read what is left, and return the exit code (negative for a signal)."""
        os.kill(self._pid, number)
        return self.wait()

    def hang_up(self) -> int:
        """The terminal goes away; returns the exit code."""
        os.close(self._terminal)
        self._terminal = os.open(os.devnull, os.O_RDONLY)
        return self._reap()

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + DEADLINE
        while self._read():
            if time.monotonic() > deadline:
                raise AssertionError("the program does not end")
        return self._reap()

    def _reap(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
                return self._status
            select.select([], [], [], 0.02)
        raise AssertionError("the program does not end")

    def _read(self) -> bool:
        """Take what the program wrote; False when it ended."""
        ready, _, _ = select.select([self._terminal], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._terminal, 65_536)
        except OSError:
            return False
        self.sent += data
        self._stream.feed(data)
        return bool(data)


class PtyFace(PtyProgram):
    """One run of `tests/tui/show.py`."""

    def __init__(
        self,
        store: Path,
        now: int,
        *options: str,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
    ) -> None:
        ours = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "STY")}
        command = [sys.executable, "-m", "tests.tui.show", str(store), str(now), *options]
        super().__init__(command, _ROOT, {**ours, "PYTHONPATH": str(_ROOT), **(env or {})}, size)
