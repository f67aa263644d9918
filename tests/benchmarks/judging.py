"""How soon an application that asks before each call learns whether it may go on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from random import Random
from statistics import median

from tests.benchmarks.exchanging import at_a_pace, connected
from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, in_turn, percentile, say
from tests.benchmarks.processes import INGEST_KEY, Running, collector, server
from tests.benchmarks.workshop import Workshop

_STORED = 150_000
_USERS = 2_000
_PER_SECOND = 1_000.0
_CONNECTIONS = 64
_FURTHER_LIMITS = """
[[limit]]
name = "each user, rolling"
each = "user"
window = "24h"
usd = 1000000
[[limit]]
name = "each user, hourly"
each = "user"
window = "1h"
usd = 1000000
[[limit]]
name = "each user, without the cheapest"
each = "user"
window = "7d"
usd = 1000000
where = "-model:gpt-5-0"
[[limit]]
name = "each model"
each = "model"
window = "month"
usd = 1000000
[[limit]]
name = "each session"
each = "session"
window = "24h"
usd = 1000000
[[limit]]
name = "weekly"
window = "week"
usd = 1000000
"""
"""With those of every collector here, ten."""


def verdict(workshop: Workshop) -> list[Figure]:
    """/verdict at 1,000 per second, due whether or not earlier ones are answered; ten limits, six of them `each`. The
    first second, in which the connections are accepted, stands apart."""
    folder = workshop.own("verdict")
    store = filled(folder / "verdict.db", _STORED, _USERS)
    random = Random(1)
    with ExitStack() as stack:
        ours = stack.enter_context(collector(folder, store, more=_FURTHER_LIMITS))
        bare = stack.enter_context(server(folder, "bare_server"))
        asked = [_question(random) for _ in range(int(_PER_SECOND * (1 + workshop.seconds)))]
        _asked(ours, asked)
        times = in_turn({"bare": partial(_asked, bare, asked), "ours": partial(_asked, ours, asked)}, workshop.rounds)
    for name, found in times.items():
        later, start = _later(found), median(percentile(taken[: int(_PER_SECOND)], 0.99) for taken in found)
        p50, p99 = _middle(later, 0.5), _middle(later, 0.99)
        say(f"  {name:<6} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   first second's p99 {start:6.2f} ms")
    floor = f"{_middle(_later(times['bare']), 0.99):.2f} ms of the bare server"
    return [Figure("verdict p99 at 1,000 per second", _middle(_later(times["ours"]), 0.99), 5, True, "ms", floor)]


def _asked(running: Running, asked: Sequence[bytes]) -> list[float]:
    """Milliseconds for each answer, in the order in which they fell due."""
    with connected(running.port, _CONNECTIONS) as connections:
        exchanged = at_a_pace(connections, asked, _PER_SECOND)
    assert exchanged.failed == 0, f"{exchanged.failed} of {len(asked)} verdicts failed"
    return [1000 * seconds for seconds in exchanged.taken]


def _later(rounds: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Without the first second."""
    return [taken[int(_PER_SECOND) :] for taken in rounds]


def _middle(rounds: Sequence[Sequence[float]], share_below: float) -> float:
    return median(percentile(taken, share_below) for taken in rounds)


def _question(random: Random) -> bytes:
    user, model, session = random.randrange(_USERS), random.randrange(9), random.randrange(_STORED // 100)
    query = f"user=user-{user}&model=gpt-5-{model}&session=session-{session}"
    return f"GET /verdict?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Ingest-Key: {INGEST_KEY}\r\n\r\n".encode()
