"""What a request takes on disk, and what the processes take in memory."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from msgspec import structs

from tests.benchmarks.load import Load
from tests.benchmarks.measuring import Figure, say
from tests.benchmarks.processes import collector, put_load, write_config
from tests.benchmarks.terminal import viewer
from tests.benchmarks.workshop import Workshop

_TAUGHT, _RECORDED = 3_000, 20_000
_LONGEST = 120.0


def disk(workshop: Workshop) -> list[Figure]:
    """Bytes by which the store grows per webhook of 4 KB, with everything that is kept of it, once a dictionary was
    trained on the first ones."""
    folder = workshop.own("disk")
    store = folder / "grown.db"
    load = Load(port=0, connections=64, seconds=_LONGEST, prepared=_TAUGHT, seed=10, warm_up=0)
    with collector(folder, store) as running, closing(sqlite3.connect(store)) as connection:
        put_load(folder, structs.replace(load, port=running.port))
        deadline = time.monotonic() + _LONGEST
        while connection.execute("SELECT count(*) FROM dictionary").fetchone() == (0,):
            assert time.monotonic() < deadline, "no dictionary is trained"
            time.sleep(0.5)
        before, (last,) = _emptied(connection, store), connection.execute("SELECT max(id) FROM request").fetchone()
        answered = put_load(folder, structs.replace(load, port=running.port, prepared=_RECORDED, seed=11))
        grown = _emptied(connection, store) - before
        (bodies,) = connection.execute("SELECT avg(length(data)) FROM body WHERE request_id > ?", (last,)).fetchone()
        (first,) = connection.execute("SELECT avg(length(data)) FROM body WHERE request_id <= ?", (last,)).fetchone()
    say(f"  {answered.requests:,} requests, of which the compressed bodies {bodies:.0f} bytes each; before {first:.0f}")
    return [Figure("stored per 4 KB request", grown / answered.requests / 1000, 1.2, True, "KB")]


def _emptied(connection: sqlite3.Connection, store: Path) -> int:
    """The size of the store once nothing is left in its write-ahead log."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return _size(store)


def memory(workshop: Workshop) -> list[Figure]:
    """Resident memory of the collector after load and of the viewer, both on the full store."""
    folder = workshop.own("memory")
    store = workshop.copied(folder)
    order = {"connections": 64, "seconds": 5.0, "prepared": 30_000, "seed": int(time.time())}
    with (
        collector(folder, store) as running,
        viewer(folder, ["attach", "--config", str(write_config(folder, store))]) as terminal,
    ):
        terminal.wait(lambda: terminal.shows("user-"))
        put_load(folder, Load(port=running.port, **order))  # type: ignore[arg-type]
        for key in (b"2", b"G", b"g", b"1"):
            terminal.press(key)
            terminal.watch(1.5)
        taken = {"collector": _resident(running.pid), "viewer": _resident(terminal.pid)}
    goals = {"collector": 160, "viewer": 120}
    return [
        Figure(f"memory of the {name} at {workshop.requests:,}", taken[name], goal, True, "MB")
        for name, goal in goals.items()
    ]


def _size(store: Path) -> int:
    return sum(file.stat().st_size for file in store.parent.glob(f"{store.name}*") if file.suffix != ".db-shm")


def _resident(pid: int) -> float:
    """VmRSS in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)
