"""Taking a million requests out of a store over HTTP, and a file's requests into one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from statistics import median

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Request, Restored
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import FORMATS, pages
from spendtop.services.exchange.imports import Event, Tally, record
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.files.exported import read_csv
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.schema import upgrade
from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import Running, collector, environment, write_config
from tests.benchmarks.reading import limits, no_price
from tests.benchmarks.workshop import Workshop

_IMPORTED = 100_000
_LOOK_SECONDS = 0.05
_PIECE = 1 << 18
_WARM_UP = 20_000
"""Rows that are read first, so that only what a longer export takes is seen as growth."""


def exports(workshop: Workshop) -> list[Figure]:
    """All requests as CSV over HTTP: rows per second, and the collector's memory meanwhile."""
    folder = workshop.own("exports")
    store = Path(shutil.copy(workshop.filled, folder / "full.db"))
    with collector(folder, store) as running:
        _rows(running, _WARM_UP)
        before = _resident(running.pid)
        with _watching(running.pid) as seen:
            start = time.perf_counter()
            rows = _rows(running, workshop.requests)
            passed = time.perf_counter() - start
    assert rows == workshop.requests, f"{rows:,} of {workshop.requests:,} rows came"
    say(f"  {rows:,} rows, {rows / passed:.0f} rows/s; {before:.0f} MB before, {max(seen):.0f} MB at most")
    return [
        Figure(f"memory while {rows:,} rows stream, growth", max(seen) - before, 30, True, "MB"),
        Figure("the same, all of it", max(seen), 200, True, "MB"),
    ]


def imports(workshop: Workshop) -> list[Figure]:
    """`spendtop import` of 100,000 rows, started anew, against the writer with the same requests in its hands."""
    folder = workshop.own("imports")
    file = exported(folder, filled(folder / "filled.db", _IMPORTED))
    with file.open("rb") as lines:
        events = [each for each in read_csv(lines, _now()) if isinstance(each, Request | Restored)]
    assert len(events) == _IMPORTED
    numbers = count()
    seconds = in_turn(
        {
            "raw": lambda: recorded(folder / f"raw-{next(numbers)}.db", events),
            "import": lambda: _imported(folder, folder / f"import-{next(numbers)}.db", file),
        },
        workshop.rounds,
    )
    for name, found in seconds.items():
        say(f"  {name:<10} {_IMPORTED / median(found):8.0f} rows/s")
    value = ratio(seconds["raw"], seconds["import"])
    return [Figure(f"import of {_IMPORTED:,} against the raw group commit", value, 0.5, at_most=False)]


def _rows(running: Running, most: int) -> int:
    """Read the export until so many rows have come, or its end; how many came."""
    with closing(HTTPConnection("127.0.0.1", running.port)) as connection:
        connection.request("GET", "/export.csv")
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        lines = 0
        while lines <= most and (piece := answer.read(_PIECE)):
            lines += piece.count(b"\n")  # the filled store has none within a cell
    return lines - 1


@contextmanager
def _watching(pid: int) -> Iterator[list[float]]:
    """What is resident now and again, until the end of the block."""
    seen, ended = [_resident(pid)], threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            seen.append(_resident(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _resident(pid: int) -> float:
    """MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def exported(folder: Path, path: Path, form: str = "csv") -> Path:
    """All that a filled store holds."""
    file, store = folder / f"exported.{form}", Store(f"sqlite:///{path}")
    with store.writing() as connection:  # as a collector would have stored what nobody can price
        connection.exec_driver_sql("UPDATE request SET basis = 'unknown' WHERE cost_nano IS NULL")
    with file.open("wb") as out:
        for chunk in FORMATS[form](pages(store, RequestQuery(), FilterContext(_now(), Calendar()))):
            out.write(chunk)
    store.close()
    return file


def recorded(path: Path, events: Sequence[Event]) -> float:
    """Seconds for the events to be in a new store, group by group."""
    store, tally = Store(f"sqlite:///{path}"), Tally()
    upgrade(store)
    preparer = Preparer(Pricer({}, None, no_price), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook(limits(), Calendar(), {}))
    recorder.start()
    start = time.perf_counter()
    record(recorder, events, tally, lambda: None)
    passed = time.perf_counter() - start
    recorder.stop()
    store.close()
    assert tally.stored == len(events), tally
    return passed


def _imported(folder: Path, path: Path, file: Path) -> float:
    """Seconds for the command, from its start to its end, into a new store."""
    config = write_config(folder, path)
    command = [sys.executable, "-m", "spendtop", "import", str(file), "--config", str(config)]
    start = time.perf_counter()
    subprocess.run(command, env=environment(folder), cwd=folder, check=True, capture_output=True, timeout=600)
    return time.perf_counter() - start


def _now() -> int:
    return time.time_ns() // 1000
