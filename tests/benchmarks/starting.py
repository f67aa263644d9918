"""How long starting takes, against the imports that it cannot do without."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import collector, environment, write_config
from tests.benchmarks.terminal import viewer
from tests.benchmarks.workshop import Workshop

_LABEL = "Over"
"""Part of every first picture."""


def starts(workshop: Workshop) -> list[Figure]:
    """First picture of the TUI, `spendtop status --line`, and the collector's readiness."""
    folder = workshop.own("starts")
    store, numbers = filled(folder / "watched.db", 1_000), count()
    config = write_config(folder, store)
    with collector(folder, store):
        measured = in_turn(
            {
                "python -c pass": lambda: _taken(folder, ["-c", "pass"]),
                "status --line": lambda: _taken(
                    folder, ["-m", "spendtop", "status", "--line", "{today}", "--config", str(config)]
                ),
                "import textual": lambda: _taken(folder, ["-c", "import textual.app"]),
                "first picture (attach)": lambda: _first_picture(folder, ["attach", "--config", str(config)]),
                "import sqlmodel": lambda: _taken(folder, ["-c", "import sqlmodel"]),
                "collector ready": lambda: _ready(folder, folder / f"fresh-{next(numbers)}.db"),
            },
            workshop.rounds,
        )
    for name, times in measured.items():
        say(f"  {name:<24} {median(times) * 1000:6.0f} ms")
    return [
        Figure(
            "first picture against import textual",
            ratio(measured["first picture (attach)"], measured["import textual"]),
            2,
            at_most=True,
        ),
        Figure(
            "status --line against python -c pass",
            ratio(measured["status --line"], measured["python -c pass"]),
            4,
            at_most=True,
        ),
        Figure(
            "collector ready against import sqlmodel",
            ratio(measured["collector ready"], measured["import sqlmodel"]),
            1.7,
            at_most=True,
        ),
    ]


def _taken(folder: Path, arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment(folder), cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def _first_picture(folder: Path, arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    with viewer(folder, arguments) as terminal:
        return terminal.wait(lambda: terminal.shows(_LABEL)) - start


def _ready(folder: Path, store: Path) -> float:
    """Also makes the empty store: the first start is the slowest."""
    start = time.perf_counter()
    with collector(folder, store):
        return time.perf_counter() - start
