"""What one run of the benchmarks works with: a folder on the disk, sizes, and stores that several of them share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.benchmarks.filling import filled

_BODY = b'{"messages": [{"role": "user", "content": "Why is that so?"}]}'


@dataclass(frozen=True)
class Workshop:
    """Sizes and places."""

    folder: Path
    requests: int = 1_000_000
    postgres_requests: int = 0
    """How many where PostgreSQL is measured too; 0 leaves it out."""
    rounds: int = 5
    seconds: float = 3.0
    """How long load is put on a server, per round."""
    kept: Path | None = None
    """Where the full store stays between runs; it is made there if it is not there yet."""

    def own(self, name: str) -> Path:
        """An empty folder."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @cached_property
    def filled(self) -> Path:
        """The store with `requests` requests, all with a small body. Copy it before writing to it."""
        if self.kept is not None and self.kept.exists():
            return self.kept
        return filled(self.kept or self.own("filled") / "filled.db", self.requests, body=_BODY)

    def copied(self, folder: Path) -> Path:
        """A copy of the full store, to write to."""
        return Path(shutil.copy(self.filled, folder / "full.db"))
