"""What the machine is, how busy it is, and how much of its time the hypervisor took away."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

MOST_STEAL = 0.03
"""Share of time that may be taken from us before a measurement is thrown away."""
_QUIET = 0.25
_LOOK_SECONDS = 0.3


class Ticks(NamedTuple):
    """CPU time of the whole machine so far, in the kernel's ticks."""

    busy: int
    stolen: int
    all: int

    @classmethod
    def now(cls) -> Ticks:
        """As /proc/stat has it."""
        with Path("/proc/stat").open() as file:
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
        busy = user + nice + system + irq + softirq
        return cls(busy, steal, busy + idle + iowait + steal)


def share(since: Ticks, now: Ticks) -> tuple[float, float]:
    """Shares of the machine's time that were busy and stolen between two looks."""
    passed = max(1, now.all - since.all)
    return (now.busy - since.busy) / passed, (now.stolen - since.stolen) / passed


class Patience:
    """Waits until others leave the machine alone: half as long each time that it was in vain. What was written before,
    as a store that was copied, is on the disk then: whoever is measured would wait behind it."""

    def __init__(self, seconds: float = 20.0) -> None:
        self._most = self._seconds = seconds

    def wait(self) -> float:
        """The share that is busy nevertheless."""
        os.sync()
        deadline = time.monotonic() + self._seconds
        while True:
            before = Ticks.now()
            time.sleep(_LOOK_SECONDS)
            busy, _ = share(before, Ticks.now())
            if busy <= _QUIET or time.monotonic() > deadline:
                self._seconds = self._most if busy <= _QUIET else self._seconds / 2
                return busy


def fdatasync_micros(folder: Path) -> float:
    """Median time of an fdatasync after 4 KB, in µs."""
    taken = []
    descriptor = os.open(folder / "fdatasync", os.O_CREAT | os.O_WRONLY)
    for _ in range(51):
        os.write(descriptor, b"x" * 4096)
        start = time.perf_counter()
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - start)
    os.close(descriptor)
    return sorted(taken)[25] * 1e6


def facts(folder: Path) -> str:
    """One line about this machine."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, fdatasync {fdatasync_micros(folder):.0f} µs, "
        f"load {os.getloadavg()[0]:.1f}"
    )
