from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Mapping
from unittest.mock import patch

import pytest

from spendtop.api.recent import Recent
from tests.waiting import DEADLINE


class Reads:
    """Counts what is read, and lets reads wait."""

    def __init__(self) -> None:
        self.wanted: list[set[str]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.begun = threading.Event()
        self.failure: Exception | None = None

    def __call__(self, keys: Collection[str]) -> Mapping[str, int]:
        self.wanted.append(set(keys))
        self.begun.set()
        assert self.may_go_on.wait(DEADLINE)
        if self.failure is not None:
            raise self.failure
        return {key: len(self.wanted) for key in keys}


async def begun(reads: Reads) -> None:
    assert await asyncio.to_thread(reads.begun.wait, DEADLINE)


async def test_answers_from_memory_while_it_is_fresh() -> None:
    reads = Reads()
    recent = Recent(reads, seconds=60)
    assert await recent.get(["a"]) == {"a": 1}
    assert await recent.get(["a", "b"]) == {"a": 1, "b": 2}
    assert reads.wanted == [{"a"}, {"b"}]


async def test_what_is_half_as_old_is_answered_and_read_again() -> None:
    reads = Reads()
    recent = Recent(reads, seconds=60)
    await recent.get(["a"])
    later = asyncio.get_running_loop().time() + 31
    with patch.object(asyncio.get_running_loop(), "time", lambda: later):
        assert await recent.get(["a"]) == {"a": 1}
        assert await recent.get(["a", "b"]) == {"a": 1, "b": 2}
        assert await recent.get(["a"]) == {"a": 2}
    assert reads.wanted == [{"a"}, {"a", "b"}]


async def test_somebody_who_leaves_takes_nothing_from_the_others() -> None:
    reads = Reads()
    reads.may_go_on.clear()
    recent = Recent(reads, seconds=60)
    async with asyncio.TaskGroup() as tasks:
        leaving, staying = (tasks.create_task(recent.get(["a"])) for _ in range(2))
        await begun(reads)
        leaving.cancel()
        await asyncio.sleep(0)
        reads.may_go_on.set()
    assert staying.result() == {"a": 1}


async def test_reads_again_what_is_old_and_forgets_it() -> None:
    reads = Reads()
    recent = Recent(reads, seconds=0)
    assert [await recent.get(["a"]), await recent.get(["a"])] == [{"a": 1}, {"a": 2}]
    await recent.get(["b"])
    assert len(recent) <= 1


async def test_reads_one_at_a_time_and_together_what_is_asked_meanwhile() -> None:
    reads = Reads()
    reads.may_go_on.clear()
    recent = Recent(reads, seconds=60)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(recent.get(["a"]))
        await begun(reads)
        others = [tasks.create_task(recent.get([key])) for key in ("b", "c", "b")]
        await asyncio.sleep(0)
        reads.may_go_on.set()
    assert reads.wanted == [{"a"}, {"b", "c"}]
    assert (await first, [await other for other in others]) == ({"a": 1}, [{"b": 2}, {"c": 2}, {"b": 2}])


async def test_what_is_asked_in_one_turn_of_the_loop_is_read_together() -> None:
    reads = Reads()
    recent = Recent(reads, seconds=60)
    assert await asyncio.gather(*(recent.get([key]) for key in ("a", "b", "c"))) == [{"a": 1}, {"b": 1}, {"c": 1}]
    assert reads.wanted == [{"a", "b", "c"}]


async def test_a_failure_is_told_to_all_who_waited_and_is_not_kept() -> None:
    reads = Reads()
    reads.may_go_on.clear()
    reads.failure = OSError("gone")
    recent = Recent(reads, seconds=60)

    async def told() -> bool:
        with pytest.raises(OSError, match="gone"):
            await recent.get(["a"])
        return True

    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(told()) for _ in range(3)]
        await begun(reads)
        reads.may_go_on.set()
    assert all(task.result() for task in waiting)
    reads.failure = None
    assert len(reads.wanted) <= 2
    assert "a" in await recent.get(["a"])
