"""What somebody who watches feels: how soon an event or a key changes the screen, and what a slow line has to carry."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, percentile, say
from tests.benchmarks.posting import Poster, full_load, named, stream
from tests.benchmarks.processes import Running, collector, write_config
from tests.benchmarks.terminal import Terminal, viewer
from tests.benchmarks.workshop import Workshop

_WATCHED_SECONDS = 10.0
_KEYS = 15
_LIST, _CHART, _CURSOR = "─ Requests", "─ Spend/", "▌"


def latency(workshop: Workshop) -> list[Figure]:
    """From the answer to a webhook, and from a key, to the changed screen."""
    figures = []
    with _watched(workshop) as (running, terminal):
        single = _events(running, terminal, 20, pause=1.2)
        with stream(running.port, 20):
            streamed = _events(running, terminal, 30, pause=0.7)
        idle, idle_screen = _cursor_keys(terminal), _screen_keys(terminal)
        with full_load(workshop.folder, running.port, seconds=40):
            loaded, loaded_screen = _cursor_keys(terminal), _screen_keys(terminal)
    for name, taken in {
        "event, single": single,
        "event, in a stream": streamed,
        "key, idle": idle,
        "key, full ingestion": loaded,
        "other screen, idle": idle_screen,
        "other screen, ingestion": loaded_screen,
    }.items():
        say(f"  {name:<24} p50 {percentile(taken, 0.5):6.0f} ms   p95 {percentile(taken, 0.95):6.0f} ms")
    figures.append(Figure("stored event to screen, single, p95", percentile(single, 0.95), 150, True, "ms"))
    figures.append(Figure("stored event to screen, in a stream, p95", percentile(streamed, 0.95), 400, True, "ms"))
    figures.append(Figure("key to screen at full ingestion, p95", percentile(loaded, 0.95), 50, True, "ms"))
    value = percentile(loaded, 0.95) / percentile(idle, 0.95)
    figures.append(Figure("the same against idle", value, 1.5, True))
    return figures


def traffic(workshop: Workshop) -> list[Figure]:
    """Bytes that the terminal gets per second: idle, following 50 requests a second, and with --slow."""
    with _watched(workshop) as (running, terminal):
        terminal.watch(3)
        idle = terminal.watch(_WATCHED_SECONDS)
        following = _followed(running, terminal)
    with _watched(workshop, "--slow") as (running, terminal):
        slow = _followed(running, terminal)
    per_second = {"idle": (idle, 0.1), "following 50 requests a second": (following, 5), "the same --slow": (slow, 4)}
    return [
        Figure(f"to the terminal, {name}", received / _WATCHED_SECONDS / 1000, goal, True, "KB/s")
        for name, (received, goal) in per_second.items()
    ]


@contextmanager
def _watched(workshop: Workshop, *options: str) -> Iterator[tuple[Running, Terminal]]:
    """A collector on a store of some size, and a viewer that shows it."""
    folder = workshop.own("screens")
    store = filled(folder / "watched.db", 100_000)
    with (
        collector(folder, store) as running,
        viewer(folder, ["attach", "--config", str(write_config(folder, store)), *options]) as terminal,
    ):
        terminal.wait(lambda: terminal.shows("user-"))
        yield running, terminal


def _events(running: Running, terminal: Terminal, times: int, pause: float) -> list[float]:
    """Milliseconds from the answer to a webhook until its user is on the screen."""
    poster, taken, draw = Poster(running.port), [], random.Random(7)
    for _ in range(times):
        terminal.watch(pause * draw.uniform(0.8, 1.2))
        user = "".join(draw.choices(string.ascii_lowercase, k=10))
        stored_at = poster.post(named(user))
        shown_at = terminal.wait(lambda user=user: terminal.shows(user))  # type: ignore[misc]
        taken.append((shown_at - stored_at) * 1000)
    return taken


def _cursor_keys(terminal: Terminal) -> list[float]:
    """Milliseconds from `j` or `k` until the cursor of the list stands elsewhere."""
    _switch(terminal, b"2", _LIST)
    taken = []
    for key in (b"j", b"k") * _KEYS:
        terminal.watch(0.1)
        row = terminal.row_of(_CURSOR)
        start = time.perf_counter()
        terminal.press(key)
        taken.append((terminal.wait(lambda row=row: terminal.row_of(_CURSOR) != row) - start) * 1000)  # type: ignore[misc]
    _switch(terminal, b"1", _CHART)
    return taken


def _screen_keys(terminal: Terminal) -> list[float]:
    """Milliseconds from a digit until the other screen is there."""
    return [_switch(terminal, key, text) for _ in range(_KEYS) for key, text in ((b"2", _LIST), (b"1", _CHART))]


def _switch(terminal: Terminal, key: bytes, text: str) -> float:
    terminal.watch(0.15)
    start = time.perf_counter()
    terminal.press(key)
    return (terminal.wait(lambda: terminal.shows(text)) - start) * 1000


def _followed(running: Running, terminal: Terminal) -> int:
    with stream(running.port, 50):
        terminal.watch(3)
        return terminal.watch(_WATCHED_SECONDS)
