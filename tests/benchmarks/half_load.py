"""How long an acknowledgement takes while there is room for as many again, and somebody watches."""

from __future__ import annotations

import time
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from threading import Thread

from tests.benchmarks.filling import filled
from tests.benchmarks.load import Answered, Load
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import Running, collector, put_load, write_config
from tests.benchmarks.terminal import viewer
from tests.benchmarks.workshop import Workshop

_STORED = 100_000
_MOST = 6_000
"""Answers per second for which webhooks are prepared."""
_SEEDS = count(time.time_ns() % 2**31)


def half_load(workshop: Workshop) -> list[Figure]:
    """The slowest of a hundred acknowledgements at half the rate of full load, with 64 connections: while a viewer
    follows, and while nobody watches. The first second, in which the connections are accepted, stands apart."""
    folder = workshop.own("half_load")
    store = filled(folder / "watched.db", _STORED)
    with collector(folder, store) as running:
        full = _loaded(folder, running, workshop.seconds)
        half = partial(_loaded, folder, running, 1 + workshop.seconds, full.rate / 2)
        answers = in_turn({"alone": half, "watched": partial(_watched, folder, store, half)}, workshop.rounds)
    for name, found in answers.items():
        p50, p99, start = (
            median(getattr(each, field) for each in found) for field in ("p50_ms", "p99_ms", "start_p99_ms")
        )
        rate = median(each.rate for each in found)
        say(f"  {name:<8} {rate:6.0f} /s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   first second's p99 {start:6.2f} ms")
    alone, watched = ([each.p99_ms for each in answers[name]] for name in ("alone", "watched"))
    return [
        Figure("acknowledgement p99 at half load, watched", median(watched), 10, at_most=True, unit="ms"),
        Figure("the same against nobody watching", ratio(watched, alone), 5, at_most=True),
    ]


def _loaded(folder: Path, running: Running, seconds: float, pace: float | None = None) -> Answered:
    """With new webhooks, as fast as they are answered or at a pace per second."""
    prepared = int((pace or _MOST) * seconds)
    order = Load(
        port=running.port, connections=64, seconds=seconds, prepared=prepared, seed=next(_SEEDS), pace=pace, warm_up=0
    )
    return put_load(folder, order)


def _watched(folder: Path, store: Path, half: partial[Answered]) -> Answered:
    """The same while a viewer follows on Overview."""
    answers: list[Answered] = []
    load = Thread(target=lambda: answers.append(half()))
    with viewer(folder, ["attach", "--config", str(write_config(folder, store))]) as terminal:
        terminal.wait(lambda: terminal.shows("user-"))
        load.start()
        while load.is_alive():
            terminal.watch(0.2)
    return answers[0]
