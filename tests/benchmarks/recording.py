"""How fast signed webhooks of 4 KB are recorded: against the bare stack, the naive server, and a full store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks import naive_server
from tests.benchmarks.load import Answered, Load
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import Running, collector, put_load, server, slow_disk
from tests.benchmarks.workshop import Workshop

_CONNECTIONS = 64
_FASTEST = 6_000
"""Answers per second for which webhooks are prepared."""
_SEEDS = count(1)


def against_others(workshop: Workshop) -> list[Figure]:
    """Rates with 64 connections: the bare server, ours and the naive one, on this disk and on a slow one."""
    folder = workshop.own("recording")
    slow = slow_disk(folder)
    naive, naive_slow = folder / "naive.db", folder / "naive_slow.db"
    for path in (naive, naive_slow):
        naive_server.fill(path, 0)
    with ExitStack() as stack:
        bare = stack.enter_context(server(folder, "bare_server"))
        servers = {
            "ours": stack.enter_context(collector(folder, folder / "ours.db")),
            "naive": stack.enter_context(server(folder, "naive_server", [str(naive)])),
            "ours, slow fsync": stack.enter_context(collector(folder, folder / "slow.db", slow)),
            "naive, slow fsync": stack.enter_context(server(folder, "naive_server", [str(naive_slow)], slow)),
        }
        contenders = {"bare": _repeating(workshop, folder, bare)} | {
            name: _recording(workshop, folder, running) for name, running in servers.items()
        }
        answers = in_turn(contenders, workshop.rounds)
    for name, found in answers.items():
        _tell(name, found)
    rates = {name: [each.rate for each in found] for name, found in answers.items()}
    return [
        Figure("webhook c=64 against the bare server", ratio(rates["ours"], rates["bare"]), 0.15, at_most=False),
        Figure("webhook c=64 against the naive server", ratio(rates["ours"], rates["naive"]), 12, at_most=False),
        Figure(
            "the same with slow fsync",
            ratio(rates["ours, slow fsync"], rates["naive, slow fsync"]),
            50,
            at_most=False,
        ),
    ]


def latency_when_full(workshop: Workshop) -> list[Figure]:
    """One connection, a million requests stored: the naive server's time for one request against ours."""
    folder = workshop.own("latency")
    naive = folder / "naive.db"
    naive_server.fill(naive, workshop.requests)
    ours = workshop.copied(folder)
    with ExitStack() as stack:
        servers = {
            "ours": stack.enter_context(collector(folder, ours)),
            "naive": stack.enter_context(server(folder, "naive_server", [str(naive)])),
        }
        answers = in_turn(
            {name: _recording(workshop, folder, running, connections=1) for name, running in servers.items()},
            workshop.rounds,
        )
    for name, found in answers.items():
        _tell(f"{name}, {workshop.requests:,} stored, c=1", found)
    value = ratio([each.p50_ms for each in answers["naive"]], [each.p50_ms for each in answers["ours"]])
    return [Figure(f"latency c=1 at {workshop.requests:,} against naive", value, 300, at_most=False)]


def growth(workshop: Workshop) -> list[Figure]:
    """Our own rate with many stored requests against an empty store."""
    folder = workshop.own("growth")
    ours = workshop.copied(folder)
    with ExitStack() as stack:
        servers = {
            "empty": stack.enter_context(collector(folder, folder / "empty.db")),
            "full": stack.enter_context(collector(folder, ours)),
        }
        answers = in_turn(
            {name: _recording(workshop, folder, running) for name, running in servers.items()}, workshop.rounds
        )
    for name, found in answers.items():
        _tell(name, found)
    value = ratio([each.rate for each in answers["full"]], [each.rate for each in answers["empty"]])
    return [Figure(f"rate at {workshop.requests:,} stored against empty", value, 0.9, at_most=False)]


def _repeating(workshop: Workshop, folder: Path, running: Running) -> Callable[[], Answered]:
    order = Load(
        port=running.port,
        connections=_CONNECTIONS,
        seconds=workshop.seconds,
        prepared=2_000,
        seed=0,
        is_repeated=True,
    )
    return lambda: put_load(folder, order)


def _recording(
    workshop: Workshop, folder: Path, running: Running, connections: int = _CONNECTIONS
) -> Callable[[], Answered]:
    """Every webhook is new: a repeated one would be a duplicate."""

    def measure() -> Answered:
        return put_load(
            folder,
            Load(
                port=running.port,
                connections=connections,
                seconds=workshop.seconds,
                prepared=int(_FASTEST * workshop.seconds),
                seed=next(_SEEDS),
            ),
        )

    return measure


def _tell(name: str, found: Sequence[Answered]) -> None:
    say(
        f"  {name:<34} {median(each.rate for each in found):8.0f} /s"
        f"   p50 {median(each.p50_ms for each in found):7.2f} ms"
        f"   p99 {median(each.p99_ms for each in found):7.2f} ms"
        f"   generator's CPU {median(each.cpu for each in found):.0%}"
    )
