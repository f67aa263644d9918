"""Copying over SSH: tmux, GNU screen, OSC 52 or a file, and a report of what happened."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.screens.live_screen import LiveScreen

_LONGEST = 74_994
"""Encoded bytes that terminals accept in one OSC 52 sequence."""
_SCREEN_CHUNK = 76
_TMUX_SECONDS = 3.0


class Clipboard:
    """The user's clipboard, as far as a screen can reach it."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen

    def copy(self, text: str) -> None:
        """In a thread, because tmux may take its time."""
        self._screen.run_worker(partial(self._put, text), thread=True, exit_on_error=False, group="copy")

    def _put(self, text: str) -> None:
        from platformdirs import user_state_path

        def send(sequence: str) -> None:
            self._screen.app.call_from_thread(self._screen.face.send_to_terminal, sequence)

        try:
            self._screen.report(copy(text, os.environ, send, user_state_path("spendtop")))
        except OSError as failure:
            self._screen.report(f"Copying failed: {failure.strerror}.", "error")


def tab_separated(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as text, cleaned, for a spreadsheet's or a chat's paste; what is not known is empty."""
    lines = [columns, *(map(_cell, row) for row in rows)]
    return "".join("\t".join(map(clean_line, line)) + "\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def copy(text: str, environment: Mapping[str, str], write: Callable[[str], None], folder: Path) -> str:
    """Put `text` on the user's clipboard by the first way that works here; returns a sentence that says which.

    `write` sends to the terminal. `folder` takes the text when it is too long for a terminal. Raises OSError.
    """
    data = text.encode("utf-8", "replace")
    much = formats.size(len(data))
    if "TMUX" in environment and _tmux(data):
        return f"copied {much} via tmux (also in its buffer: prefix ])"
    encoded = base64.b64encode(data).decode()
    if len(encoded) > _LONGEST:
        return f"{much} is too long for the terminal; saved to {save(data, folder)}"
    sequence = f"\x1b]52;c;{encoded}\x07"
    if environment.get("STY"):
        write(_through_screen(sequence))
        return f"sent {much} through screen (OSC 52); saved to {save(data, folder)} too"
    write(sequence)
    return f"sent {much} by OSC 52, terminal may refuse; also saved to {save(data, folder)}"


def save(data: bytes, folder: Path) -> Path:
    """The text in a file that only the user can read; the last copy replaces the one before."""
    path = folder / "copied.txt"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path


def _tmux(data: bytes) -> bool:
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"], input=data, capture_output=True, timeout=_TMUX_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _through_screen(sequence: str) -> str:
    """In pieces, because screen passes on only short device control strings."""
    pieces = (sequence[at : at + _SCREEN_CHUNK] for at in range(0, len(sequence), _SCREEN_CHUNK))
    return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
