"""Files of what people take out of the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spendtop.store.new_file import file_in_place_of, new_file


def create(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a new file; one that is there already stays as it is.

    Raises CannotCreate where nothing can be made or something is there, and CannotWrite where it cannot be finished.
    """
    with new_file(path) as part:
        _fill(part, chunks)


def replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file in place of the one that is there. A symlink, or what is no plain file, is refused.

    Raises what `create` raises.
    """
    with file_in_place_of(path) as part:
        _fill(part, chunks)


def _fill(part: Path, chunks: Iterable[bytes]) -> None:
    with part.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
