"""How often somebody may come."""

from __future__ import annotations

from spendtop.api.guards import Buckets


class Seconds:
    """A monotonic clock to set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    seconds = Seconds()
    buckets = Buckets(seconds)
    assert [buckets.take("a", 60, 3) for _ in range(5)] == [0, 0, 0, 1, 1]
    seconds.now = 1.0
    assert [buckets.take("a", 60, 3) for _ in range(2)] == [0, 1]


def test_waiting_longer_fills_no_more_than_the_burst() -> None:
    seconds = Seconds()
    buckets = Buckets(seconds)
    buckets.take("a", 6000, 2)
    seconds.now = 1_000.0
    assert [buckets.take("a", 60, 2) for _ in range(3)] == [0, 0, 1]


def test_the_wait_is_until_the_next_one() -> None:
    buckets = Buckets(Seconds())
    buckets.take("a", 2, 1)
    assert buckets.take("a", 2, 1) == 30


def test_keys_do_not_share() -> None:
    buckets = Buckets(Seconds())
    assert [buckets.take(key, 1, 1) for key in ("a", "b", "a")] == [0, 0, 60]


def test_memory_is_bounded() -> None:
    buckets = Buckets(Seconds(), most_keys=10)
    for number in range(1_000):
        buckets.take(number, 60, 1)
    assert len(buckets) == 10
