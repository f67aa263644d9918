"""How many of something, in words."""

from __future__ import annotations

from collections.abc import Callable


def counted(count: int, one: str, more: str = "", write: Callable[[int], str] = "{:,}".format) -> str:
    """`1 file`, `2 files`; `more` where the plural is no `s` at the end. `write` is how a face writes numbers."""
    return f"{write(count)} {one if count == 1 else more or f'{one}s'}"
