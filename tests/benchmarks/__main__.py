"""Measures and prints: `.venv/bin/python -m tests.benchmarks [name...]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import (
    agent_files,
    backfilling,
    batching,
    breaking_down,
    calls,
    first_scans,
    half_load,
    judging,
    large,
    migration,
    moving,
    pruning,
    pushing,
    reading,
    recording,
    repricing,
    screens,
    sharing,
    sizes,
    starting,
    trying,
    watching,
)
from tests.benchmarks.machine import facts
from tests.benchmarks.measuring import Figure, say, take_said
from tests.benchmarks.report import Section, Told, merge
from tests.benchmarks.workshop import Workshop

BENCHMARKS: Mapping[str, Callable[[Workshop], list[Figure]]] = {
    "recording": recording.against_others,
    "latency": recording.latency_when_full,
    "half_load": half_load.half_load,
    "growth": recording.growth,
    "batches": batching.batches,
    "sharing": sharing.sharing,
    "pushes": pushing.pushes,
    "verdict": judging.verdict,
    "exports": moving.exports,
    "imports": moving.imports,
    "backfills": backfilling.backfills,
    "reprice": repricing.reprices,
    "reads": reading.reads,
    "tries": trying.tries,
    "year": reading.year,
    "agents": agent_files.agent_files,
    "first_scans": first_scans.first_scans,
    "breakdown": breaking_down.breakdown,
    "evaluation": reading.evaluation,
    "starts": starting.starts,
    "latency_on_screen": screens.latency,
    "traffic": screens.traffic,
    "calls": calls.calls,
    "migration": migration.migration,
    "pruning": pruning.pruning,
    "disk": sizes.disk,
    "memory": sizes.memory,
    "watching": watching.watching,
}
BY_HAND: Mapping[str, Callable[[Workshop], list[Figure]]] = {"large": large.large}
"""Those that are measured only where they are named."""
_ALL = {**BENCHMARKS, **BY_HAND}
_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / ".github" / "benchmarks.md"
_HERE = Path(__file__).parent
TOLD = Told(
    (_HERE / "notes.md").read_text(encoding="utf-8"),
    tomllib.loads((_HERE / "limits.toml").read_text(encoding="utf-8")),
)


def main() -> int:
    """1 when a figure misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"of {', '.join(_ALL)}; all but {', '.join(BY_HAND)} without any"
    )
    parser.add_argument("--requests", type=int, default=1_000_000, help="stored where a full store is measured")
    parser.add_argument("--postgres-requests", type=int, default=0, help="where PostgreSQL is measured too; 0: nowhere")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load on each server, per round")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: the temporary folder")
    parser.add_argument("--kept", type=Path, help="where the full store stays between runs")
    parser.add_argument(
        "--report", action="store_true", help=f"also write what was measured into {PAGE.relative_to(_ROOT)}"
    )
    asked = parser.parse_args()
    unknown = set(asked.names) - _ALL.keys()
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    sections: list[Section] = []
    with tempfile.TemporaryDirectory(prefix="spendtop-benchmarks-", dir=asked.folder) as folder:
        workshop = Workshop(
            Path(folder), asked.requests, asked.postgres_requests, asked.rounds, asked.seconds, asked.kept
        )
        machine = facts(workshop.folder)
        say(machine)
        for name in asked.names or BENCHMARKS:
            about = _ALL[name].__doc__ or ""
            say(f"\n{name}: {about}")
            take_said()
            figures = _ALL[name](workshop)
            sections.append(Section(name, " ".join(about.split()), f"{_run(asked)}; {machine}", take_said(), figures))
            for figure in figures:
                say(figure.row())
            if asked.report:
                merge(PAGE, sections, list(_ALL), TOLD)
    say("")
    figures = [figure for section in sections for figure in section.figures]
    for figure in figures:
        say(figure.row())
    return 0 if all(figure.is_reached for figure in figures) else 1


def _run(asked: argparse.Namespace) -> str:
    """Of which state of the program, when, and how large."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=_ROOT, capture_output=True, text=True)
    return (
        f"{commit.stdout.strip()}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {asked.requests:,} requests"
        f" stored, {asked.rounds} rounds of {asked.seconds:g} s"
    )


if __name__ == "__main__":
    sys.exit(main())
