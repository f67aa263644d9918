"""Several that record into one PostgreSQL, beside the one that records into a SQLite file."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import psycopg

from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from spendtop.store.verification import verify
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.one_writer import Done, Order
from tests.benchmarks.postgres import postgres
from tests.benchmarks.processes import environment
from tests.benchmarks.workshop import Workshop

_GROUPS = (50, 512)
_WRITERS = (1, 2, 4)
_FASTEST = 6_000
"""Requests per second and writer for which webhooks are prepared."""
_LOOK_SECONDS = 0.01
_WAITING = """
SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'), count(*) FROM pg_stat_activity
WHERE application_name LIKE 'spendtop-%' AND state <> 'idle'
"""


class _Together(msgspec.Struct, frozen=True):
    """What several came to that recorded at the same time."""

    done: Sequence[Done]
    waited: float
    """Share of the time of their statements that they waited for locks of each other."""

    @property
    def rate(self) -> float:
        """Requests per second of all of them."""
        return sum(each.requests / each.seconds for each in self.done)

    @property
    def cpu(self) -> float:
        """Their own CPU time for a request, µs."""
        return sum(each.cpu for each in self.done) / sum(each.requests for each in self.done) * 1e6


def sharing(workshop: Workshop) -> list[Figure]:
    """Recording by 1, 2 and 4 collectors into one PostgreSQL, and by one into a SQLite file: prepared webhooks of 4 KB,
    in groups of 50 and of 512."""
    folder = workshop.own("sharing")
    with postgres(folder / "pg") as url, ExitStack() as stack:
        shared = stack.enter_context(closing(Store(url)))
        alone = stack.enter_context(closing(Store(f"sqlite:///{folder / 'alone.db'}")))
        for store in (shared, alone):
            upgrade(store)
        contenders: dict[str, Callable[[], _Together]] = {}
        for group in _GROUPS:
            contenders[f"SQLite, groups of {group}"] = partial(_record, workshop, folder, alone, 1, group)
            for writers in _WRITERS:
                name = f"PostgreSQL, {writers} x groups of {group}"
                contenders[name] = partial(_record, workshop, folder, shared, writers, group)
        found = in_turn(contenders, workshop.rounds)
        for store in (shared, alone):
            seen = verify(store, lambda share: None)
            assert not (seen.damage or seen.flaws), (seen.damage, seen.flaws)
    for name, rounds in found.items():
        say(
            f"  {name:<32} {median(each.rate for each in rounds):8.0f} /s"
            f"   CPU of each {median(each.cpu for each in rounds):5.0f} µs"
            f"   longest {1000 * max(one.longest for each in rounds for one in each.done):6.0f} ms"
            f"   waiting for locks {median(each.waited for each in rounds):4.0%}"
            f"   refused {sum(one.refused for each in rounds for one in each.done)}"
        )
    return [figure for group in _GROUPS for figure in _figures(found, group)]


def _figures(found: dict[str, list[_Together]], group: int) -> list[Figure]:
    rates = {
        writers: [each.rate for each in found[f"PostgreSQL, {writers} x groups of {group}"]] for writers in _WRITERS
    }
    crowd = found[f"PostgreSQL, {_WRITERS[-1]} x groups of {group}"]
    refused = sum(one.refused for each in crowd for one in each.done)
    return [
        *(
            Figure(
                f"{writers} collectors against 1, groups of {group}",
                ratio(rates[writers], rates[1]),
                1,
                at_most=False,
            )
            for writers in _WRITERS[1:]
        ),
        Figure(f"deadlocks of 4 collectors, groups of {group}", refused, 0, at_most=True, unit=""),
        Figure(
            f"4 collectors wait for each other, groups of {group}",
            median(each.waited for each in crowd) * 100,
            5,
            at_most=True,
            unit="%",
        ),
    ]


def _record(workshop: Workshop, folder: Path, store: Store, writers: int, group: int) -> _Together:
    orders = [
        Order(
            url=store.url.render_as_string(hide_password=False),
            slot=slot,
            group=group,
            most=int(_FASTEST * workshop.seconds / writers),
            seconds=workshop.seconds,
        )
        for slot in range(writers)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.one_writer", msgspec.json.encode(order).decode()],
            env=environment(folder),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for order in orders
    ]
    for process in processes:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
    with _Looking(None if store.is_sqlite else orders[0].url) as looking:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        said = [process.communicate(timeout=workshop.seconds + 120)[0] for process in processes]
    return _Together([msgspec.json.decode(each, type=Done) for each in said], looking.waited)


class _Looking:
    """Looks again and again how many of the collectors' statements wait for a lock, until the end of the block."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._waiting = self._all = 0

    def __enter__(self) -> _Looking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def waited(self) -> float:
        """Share of what was seen."""
        return self._waiting / max(1, self._all)

    def _look(self) -> None:
        if self._url is None:
            return
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.wait(_LOOK_SECONDS):
                waiting, every = connection.execute(_WAITING).fetchone() or (0, 0)
                self._waiting += waiting
                self._all += every
