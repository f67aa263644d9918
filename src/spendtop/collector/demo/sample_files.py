"""Where the sample data lies."""

from __future__ import annotations

from pathlib import Path

import spendtop
from spendtop.domain.errors import CannotCreate

MONTH, STREAM, RUNAWAY = "month.db.zst", "stream.jsonl.gz", "runaway.jsonl.gz"
LIVE, WEBHOOKS, CONFIG, AGENTS = "live.jsonl", "webhooks.json", "demo.toml", "agents/home.json.gz"


def sample_file(name: str) -> Path:
    """In the package, or beside `src` in a checkout. Raises CannotCreate when it is in neither."""
    package = Path(spendtop.__file__).parent
    for folder in (package / "_sample_data", package.parent.parent / "sample_data"):
        if (folder / name).is_file():
            return folder / name
    raise CannotCreate("The sample data is missing from this installation; reinstall spendtop to get the demo.")
