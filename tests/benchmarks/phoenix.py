"""Beside Phoenix's collector, by hand: the same spans to both, on this machine, in turn.

In an environment of its own: `python3 -m venv /tmp/phoenix`, then `/tmp/phoenix/bin/pip install arize-phoenix`, and
`.venv/bin/python -m tests.benchmarks.phoenix /tmp/phoenix/bin/phoenix /tmp`, where /tmp is on the disk to measure.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from tests.benchmarks.exchanging import as_fast_as_answered, connected
from tests.benchmarks.machine import facts
from tests.benchmarks.measuring import in_turn, ratio, say
from tests.benchmarks.processes import Running, collector, cpu_seconds, environment
from tests.benchmarks.pushing import BATCH, POSTS

_BATCHES, _ROUNDS = 8, 3
_PATIENCE = 120.0
_LOOK_SECONDS = 0.02
_COUNT = {"ours": "SELECT count(*) FROM request", "phoenix": "SELECT count(*) FROM spans"}


class _Sent(msgspec.Struct, frozen=True):
    """Spans per second until the last answer, and until all are in the database; CPU time for a span in µs."""

    answered: float
    stored: float
    cpu: float


def main(phoenix: Path, disk: Path) -> None:
    """Print the rates of both, and the ratios."""
    with tempfile.TemporaryDirectory(prefix="spendtop-phoenix-", dir=disk) as made:
        folder = Path(made)
        say(facts(folder))
        with collector(folder, folder / "ours.db") as ours, _phoenix(phoenix, folder) as theirs:
            contenders: dict[str, Callable[[], _Sent]] = {
                "ours": partial(_send, "ours", ours, folder / "ours.db"),
                "phoenix": partial(_send, "phoenix", theirs, folder / "phoenix" / "phoenix.db"),
            }
            for send in contenders.values():
                send()
            found = in_turn(contenders, _ROUNDS)
    for name, sent in found.items():
        say(
            f"  {name:<8} answered {median(each.answered for each in sent):8.0f} spans/s"
            f"   stored {median(each.stored for each in sent):8.0f} spans/s"
            f"   {median(each.cpu for each in sent):6.0f} µs of CPU for each"
        )
    say(f"  stored: {ratio(*([each.stored for each in found[name]] for name in ('ours', 'phoenix'))):.1f} x")
    say(f"  CPU:    {ratio(*([each.cpu for each in found[name]] for name in ('phoenix', 'ours'))):.1f} x less")


def _send(name: str, running: Running, store: Path) -> _Sent:
    messages = [POSTS["/v1/traces"](BATCH) for _ in range(_BATCHES)]
    spans, before = BATCH * _BATCHES, _count(name, store)
    cpu = cpu_seconds(running.pid)
    with connected(running.port, 1) as opened:
        start = time.perf_counter()
        exchanged = as_fast_as_answered(opened, messages)
        answered = time.perf_counter() - start
    assert exchanged.failed == 0, f"{exchanged.failed} posts failed"
    while _count(name, store) < before + spans:
        assert time.perf_counter() - start < _PATIENCE, f"{name} does not store them"
        time.sleep(_LOOK_SECONDS)
    stored = time.perf_counter() - start
    return _Sent(spans / answered, spans / stored, (cpu_seconds(running.pid) - cpu) / spans * 1e6)


def _count(name: str, store: Path) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return int(connection.execute(_COUNT[name]).fetchone()[0])


@contextmanager
def _phoenix(program: Path, folder: Path) -> Iterator[Running]:
    home = folder / "phoenix"
    home.mkdir()
    ports = [_free_port() for _ in range(2)]
    with (folder / "phoenix.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve"],
            env=environment(
                folder,
                PHOENIX_WORKING_DIR=str(home),
                PHOENIX_PORT=str(ports[0]),
                PHOENIX_GRPC_PORT=str(ports[1]),
                PHOENIX_TELEMETRY_ENABLED="false",
                PYTHONPATH="",
            ),
            cwd=home,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _listens(ports[0]):
            assert time.monotonic() < deadline and process.poll() is None, (folder / "phoenix.log").read_text()[-2000:]
            time.sleep(_LOOK_SECONDS)
        yield Running(process.pid, ports[0])
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
