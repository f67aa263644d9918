"""A month of so many requests that it is made and measured by hand; see `large`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.benchmarks.breaking_down import breakdown
from tests.benchmarks.measuring import Figure, say
from tests.benchmarks.pruning import on_sqlite
from tests.benchmarks.reading import reads
from tests.benchmarks.recording import growth
from tests.benchmarks.sizes import memory
from tests.benchmarks.watching import watching
from tests.benchmarks.workshop import Workshop

_PARTS: tuple[Callable[[Workshop], list[Figure]], ...] = (reads, breakdown, watching, growth, memory, on_sqlite)


def large(workshop: Workshop) -> list[Figure]:
    """By hand, with 30 GB of disk: `python -m tests.benchmarks --report --requests 10000000 --rounds 3 large`. Ten
    million requests of a month with small bodies: every kind of read, the rate of webhooks, memory, and forgetting all
    of it."""
    size = workshop.filled.stat().st_size
    say(f"  the store: {size / 1e9:.1f} GB, {size / workshop.requests:.0f} bytes for each request")
    figures = []
    for part in _PARTS:
        say(f"{part.__name__}:")
        figures += part(replace(workshop, folder=workshop.own("part"), kept=workshop.filled))
    return figures
