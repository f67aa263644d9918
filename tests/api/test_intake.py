"""Outcomes on their way from the writer's thread into the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from spendtop.api.intake import Acks


async def test_each_waiter_gets_its_own_outcome() -> None:
    acks: Acks[int] = Acks()
    waiters = [acks.waiter() for _ in range(100)]
    with ThreadPoolExecutor(4) as threads:
        for number, (_, done) in enumerate(waiters):
            threads.submit(done, [number])
        outcomes = await asyncio.gather(*(future for future, _ in waiters))
    assert outcomes == [[number] for number in range(100)]


async def test_a_group_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acks: Acks[int] = Acks()
    waiters = [acks.waiter() for _ in range(50)]
    loop, calls = asyncio.get_running_loop(), []
    original = loop.call_soon_threadsafe

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    for _, done in waiters:
        done([1])
    await asyncio.gather(*(future for future, _ in waiters))
    assert len(calls) == 1


async def test_a_failure_is_raised_where_it_is_awaited() -> None:
    acks: Acks[int] = Acks()
    future, done = acks.waiter()
    done(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await future


async def test_nobody_has_to_wait_for_an_outcome() -> None:
    acks: Acks[int] = Acks()
    (gone, gone_done), (staying, staying_done) = acks.waiter(), acks.waiter()
    gone.cancel()
    gone_done([1])
    staying_done([2])
    assert await staying == [2]


def test_an_outcome_after_the_loops_end_is_dropped() -> None:
    acks: Acks[int] = Acks()

    async def waiter() -> Any:
        return acks.waiter()[1]

    done = asyncio.run(waiter())
    done([1])
