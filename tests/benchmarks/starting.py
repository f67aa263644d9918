"""How long starting takes, against the imports that it cannot do without."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import collector, cpu_seconds, environment, write_config
from tests.benchmarks.terminal import viewer
from tests.benchmarks.workshop import Workshop

_LABEL = "Over"
"""Part of every first picture."""
_INSTALLED = "import sys; from spendtop.__main__ import main; sys.exit(main())"
"""What the command does that pip puts into `bin`."""


def starts(workshop: Workshop) -> list[Figure]:
    """First picture of the TUI, `spendtop status --line`, and the collector's readiness."""
    folder = workshop.own("starts")
    store, numbers = filled(folder / "watched.db", 1_000), count()
    config, kept = write_config(folder, store), folder / "kept.db"
    with collector(folder, kept):
        pass  # it makes its store
    with collector(folder, store):
        measured = in_turn(
            {
                "python -c pass": lambda: _taken(folder, ["-c", "pass"]),
                "status --line": lambda: _taken(
                    folder, ["-c", _INSTALLED, "status", "--line", "{today}", "--config", str(config)]
                ),
                "import textual": lambda: _taken(folder, ["-c", "import textual.app"]),
                "first picture (attach)": lambda: _first_picture(folder, ["attach", "--config", str(config)]),
                "import sqlmodel": lambda: _taken(folder, ["-c", "import sqlmodel"]),
                "collector ready": lambda: _ready(folder, kept),
                "collector's first start": lambda: _ready(folder, folder / f"fresh-{next(numbers)}.db"),
            },
            workshop.rounds,
        )
    for name, taken in measured.items():
        cpu, wall = median(each.cpu for each in taken), median(each.wall for each in taken)
        say(f"  {name:<24} {cpu * 1000:6.0f} ms of CPU time in {wall * 1000:6.0f} ms")
    return [
        _by_clock("first picture", measured["first picture (attach)"], "import textual", measured["import textual"], 2),
        _by_cpu("status --line", measured["status --line"], "python -c pass", measured["python -c pass"], 4),
        *(
            _by_cpu(name, measured[name], "import sqlmodel", measured["import sqlmodel"], 1.7)
            for name in ("collector ready", "collector's first start")
        ),
    ]


class _Taken(NamedTuple):
    """Seconds. Those of the CPU tell the same on a machine that others use too; but what was taken for a first picture
    can only be read once the picture is seen."""

    wall: float
    cpu: float


def _by_clock(name: str, ours: Sequence[_Taken], other: str, theirs: Sequence[_Taken], goal: float) -> Figure:
    value = ratio([each.wall for each in ours], [each.wall for each in theirs])
    return Figure(f"{name} against {other}", value, goal, at_most=True, detail="by the clock")


def _by_cpu(name: str, ours: Sequence[_Taken], other: str, theirs: Sequence[_Taken], goal: float) -> Figure:
    value = ratio([each.cpu for each in ours], [each.cpu for each in theirs])
    wall = ratio([each.wall for each in ours], [each.wall for each in theirs])
    return Figure(f"{name} against {other}", value, goal, at_most=True, detail=f"CPU; {wall:.2f} x by the clock")


def _taken(folder: Path, arguments: Sequence[str]) -> _Taken:
    start, before = time.perf_counter(), _children()
    subprocess.run([sys.executable, *arguments], env=environment(folder), cwd=folder, check=True, capture_output=True)
    return _Taken(time.perf_counter() - start, _children() - before)


def _first_picture(folder: Path, arguments: Sequence[str]) -> _Taken:
    start = time.perf_counter()
    with viewer(folder, arguments) as terminal:
        shown_at = terminal.wait(lambda: terminal.shows(_LABEL))
        return _Taken(shown_at - start, cpu_seconds(terminal.pid))


def _ready(folder: Path, store: Path) -> _Taken:
    """Where there is no store, it makes one: the first start is the slowest."""
    start = time.perf_counter()
    with collector(folder, store) as running:
        return _Taken(time.perf_counter() - start, cpu_seconds(running.pid))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
