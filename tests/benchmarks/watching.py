"""What a viewer asks the store again and again while somebody watches."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from spendtop.domain.windows import Calendar
from spendtop.store.changes import Changes
from spendtop.store.engine import Store
from spendtop.tui.screens.questions import read_headline
from tests.benchmarks.measuring import Figure, Taken, in_millis, in_turn, say, taken_by
from tests.benchmarks.processes import collector, cpu_seconds, write_config
from tests.benchmarks.terminal import viewer
from tests.benchmarks.workshop import Workshop

_LOOKS = 20
"""For news, in a second."""
_TIMES = 10
_WATCHED_SECONDS = 10.0


def watching(workshop: Workshop) -> list[Figure]:
    """What every screen asks with each picture, the looks for news of a second, and all that a viewer takes while
    nothing happens."""
    folder = workshop.own("watching")
    path = workshop.copied(folder)
    with (
        collector(folder, path),
        viewer(folder, ["attach", "--config", str(write_config(folder, path))]) as terminal,
    ):
        terminal.wait(lambda: terminal.shows("user-"))
        terminal.watch(_WATCHED_SECONDS / 2)
        before = cpu_seconds(terminal.pid)
        terminal.watch(_WATCHED_SECONDS)
        idle = (cpu_seconds(terminal.pid) - before) / _WATCHED_SECONDS
    with closing(Store(f"sqlite:///{path}")) as store, closing(Changes(store)) as changes:
        taken = in_turn(
            {"headline": partial(_headline, store), "looks": partial(taken_by, partial(_look, changes))},
            _TIMES * workshop.rounds,
        )
    say(f"  a viewer of Overview while nothing happens: {1000 * idle:.0f} ms of CPU time a second")
    return [
        in_millis(f"status line of every screen at {workshop.requests:,}", taken["headline"], 5),
        in_millis(f"{_LOOKS} looks for news", taken["looks"], 5),
    ]


def _headline(store: Store) -> Taken:
    def read(connection: Connection) -> None:
        headline = read_headline(connection, time.time_ns() // 1000, Calendar())
        assert headline.applied is not None and headline.worst is not None, "no limits are in force"

    with store.reading() as connection:
        return taken_by(partial(read, connection))


def _look(changes: Changes) -> None:
    for _ in range(_LOOKS):
        changes.poll()
