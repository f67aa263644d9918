"""A collector as `spendtop --no-ui` runs it: prints a line per request, says on a pipe when it is ready."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from spendtop.collector.collector import run
from spendtop.collector.setup import Setup
from spendtop.config.load import Loaded, load
from spendtop.sources.settings import SECTIONS


def main(config: Path, ready: int) -> int:
    """Collect until a signal."""

    def loaded() -> Loaded:
        return load(config, sections=SECTIONS)

    logging.basicConfig(level=logging.WARNING)
    return run(
        Setup(
            loaded=loaded(),
            reload=loaded,
            clock=lambda: time.time_ns() // 1000,
            prints=True,
            ready_descriptor=ready,
        )
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
