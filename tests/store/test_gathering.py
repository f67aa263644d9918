"""Whom the writer waits for before it commits, and how long."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from spendtop.store.gathering import Gathering


class _News(threading.Condition):
    """While it is waited for, so many come: one number for each pause."""

    def __init__(self, queue: list[str], coming: Iterable[int] = ()) -> None:
        super().__init__()
        self._queue = queue
        self._coming = iter(coming)
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        came = next(self._coming, 0)
        self._queue += ["another"] * came
        return came > 0


@pytest.mark.parametrize(
    ("coming", "pauses", "queued"),
    [
        ([7], 1, 8),
        ([2, 2, 3], 3, 8),
        ([2, 0, 5], 2, 3),
        ([1, 1, 1, 1, 1, 1], 4, 5),
        ([], 1, 1),
    ],
    ids=["all at once", "all in turn", "until nobody comes", "not for ever", "nobody"],
)
def test_as_many_are_waited_for_as_were_under_way_together(coming: list[int], pauses: int, queued: int) -> None:
    queue = ["first", "second", "third"]
    news = _News(queue, coming)
    gathering = Gathering(queue, news)
    gathering.answers(5, seconds=0.008)
    del queue[1:]
    gathering.wait()
    assert len(news.pauses) == pauses
    assert len(queue) == queued
    assert sum(news.pauses) <= 0.004


def test_one_who_is_alone_waits_for_nobody() -> None:
    queue: list[str] = []
    news = _News(queue)
    gathering = Gathering(queue, news)
    for seconds in (0.0, 0.002, 1.0):
        queue[:] = ["alone"]
        gathering.wait()
        queue.clear()
        gathering.answers(1, seconds)
    assert news.pauses == []


def test_after_a_very_slow_commit_nobody_waits_as_long() -> None:
    queue: list[str] = []
    news = _News(queue, [1, 1, 1, 1])
    gathering = Gathering(queue, news)
    gathering.answers(64, seconds=30.0)
    gathering.wait()
    assert sum(news.pauses) == pytest.approx(0.01)


def test_news_are_worth_telling_once_enough_have_come() -> None:
    queue = ["first"]
    worth_telling_at: list[int] = []

    class Asked(_News):
        def wait(self, timeout: float | None = None) -> bool:
            worth_telling_at.append(gathering.enough)
            return super().wait(timeout)

    gathering = Gathering(queue, Asked(queue))
    gathering.answers(3, seconds=0.01)
    gathering.wait()
    assert worth_telling_at == [4]
    assert gathering.enough == 1
