"""Measuring contenders in turn, and what is said about the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, TypeVar

from tests.benchmarks.machine import MOST_STEAL, Patience, Ticks, share

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is promised."""

    name: str
    value: float
    goal: float
    at_most: bool
    """Whether the goal is the largest good value; else it is the smallest."""
    unit: str = "x"
    detail: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the goal is met."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def row(self) -> str:
        """A line of the table."""
        sign = "≤" if self.at_most else "≥"
        mark = "ok  " if self.is_reached else "MISS"
        value, goal = f"{self.value:.3g} {self.unit}", f"{sign} {self.goal:g} {self.unit}"
        return f"{mark} {self.name:<58} {value:>12}  {goal:<12} {self.detail}"


_said: list[str] = []
_patience = Patience()


def say(text: str) -> None:
    """One line, at once."""
    _said.append(text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def take_said() -> list[str]:
    """The lines since the last time."""
    taken = [*_said]
    _said.clear()
    return taken


class Taken(NamedTuple):
    """Milliseconds that something took: of the processor, in all threads, and by the clock."""

    cpu: float
    clock: float


def taken_by(work: Callable[[], object]) -> Taken:
    """Do it once."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return Taken((time.process_time() - cpu) * 1000, (time.perf_counter() - clock) * 1000)


def in_millis(name: str, taken: Sequence[Taken], goal: float) -> Figure:
    """CPU time, which others on the machine leave alone, with the time by the clock beside it."""
    cpu, clock = median(each.cpu for each in taken), median(each.clock for each in taken)
    return Figure(name, cpu, goal, at_most=True, unit="ms", detail=f"CPU; {clock:.3g} ms by the clock")


def in_turn(contenders: Mapping[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Every contender once per round. Rounds from which the hypervisor took too much are repeated, up to as many
    again; what is still disturbed then counts, and is said."""
    results: dict[str, list[Measured]] = {name: [] for name in contenders}
    spare = rounds
    while any(len(found) < rounds for found in results.values()):
        quiet = _patience.wait()
        before = Ticks.now()
        found = {name: measure() for name, measure in contenders.items()}
        _, stolen = share(before, Ticks.now())
        disturbed = stolen > MOST_STEAL
        if disturbed or quiet > 0.5:
            say(f"  (steal {stolen:.1%}, others busy {quiet:.0%} before this round)")
        if disturbed and spare:
            spare -= 1
            continue
        for name, value in found.items():
            results[name].append(value)
    return results


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Median of the rounds' own ratios: what disturbs a whole round cancels out."""
    return median(a / b for a, b in zip(over, under, strict=True))


def percentile(values: Sequence[float], share_below: float) -> float:
    """The value below which this share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share_below))]
