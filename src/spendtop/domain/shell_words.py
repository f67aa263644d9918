"""Words of the commands that are printed to be pasted into a shell."""

from __future__ import annotations

from pathlib import PurePath
from shlex import quote


def shell_word(value: str | PurePath) -> str:
    """One word, whatever it holds; a path that begins with a dash is no option."""
    text = str(value)
    return quote(f"./{text}" if isinstance(value, PurePath) and text.startswith("-") else text)
