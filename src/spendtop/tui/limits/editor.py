"""The user's own editor, at a line of a file."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

NO_EDITOR = "Say which editor you use: set EDITOR, for example `export EDITOR=nano`, and start spendtop again."
_WITH_COLON = ("hx", "helix", "subl", "zed", "micro")
"""Editors that take the line behind the file's name."""
_WITH_GOTO = ("code", "codium", "cursor")


def editor_command(environ: Mapping[str, str], path: Path, line: int | None) -> list[str] | None:
    """The command line that opens the file at a line; None where no editor is named."""
    try:
        words = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "")
    except ValueError:
        return None
    if not words:
        return None
    name, place = os.path.basename(words[0]), str(path)
    if line is None:
        return [*words, place]
    if name in _WITH_COLON:
        return [*words, f"{place}:{line}"]
    if name in _WITH_GOTO:
        return [*words, "--wait", "--goto", f"{place}:{line}"]
    return [*words, f"+{line}", place]


def edited(command: list[str]) -> str:
    """Run the editor until it ends; what went wrong as a sentence, or nothing."""
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as failure:
        return f"{command[0]} cannot be started: {failure.strerror}. {NO_EDITOR}"
    if code < 0:
        return f"{command[0]} was ended by {signal.Signals(-code).name}."
    return f"{command[0]} ended with code {code}." if code else ""
