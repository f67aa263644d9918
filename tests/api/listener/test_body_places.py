from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from spendtop.api.listener.body_places import BodyPlaces
from tests.waiting import put_forward, soon


async def taken(places: BodyPlaces, order: list[int], number: int, end: asyncio.Event, size: int = 0) -> None:
    async with places.place(size):
        order.append(number)
        await end.wait()


async def until_asked(places: BodyPlaces) -> None:
    await soon(lambda: places.are_wanted)


async def test_places_are_given_in_order_and_back() -> None:
    places, order, end = BodyPlaces(places=1), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(taken(places, order, number, end))
        await until_asked(places)
        assert order == [0]
        end.set()
    assert order == [0, 1, 2, 3]
    assert not places.are_wanted


async def test_a_smaller_body_goes_before_much_larger_ones_that_came_a_little_earlier() -> None:
    places, order, end = BodyPlaces(places=1), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for size in (0, 32, 31, 1, 2):
            tasks.create_task(taken(places, order, size, end, size * 2**20))
        await until_asked(places)
        put_forward(40)
        tasks.create_task(taken(places, order, 3, end, 3 * 2**20))
        await asyncio.sleep(0)
        end.set()
    assert order == [0, 1, 2, 31, 32, 3]


async def test_who_gives_up_leaves_the_place_to_others() -> None:
    places, order, end = BodyPlaces(places=1), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(taken(places, order, 0, end))
        await asyncio.sleep(0)
        second = tasks.create_task(taken(places, order, 1, end))
        await until_asked(places)
        second.cancel()
        third = tasks.create_task(taken(places, order, 2, end))
        await asyncio.wait([second])
        first.cancel()
        end.set()
        await third
    assert order == [0, 2]


async def test_no_large_body_is_read_while_too_many_bytes_wait_for_the_writer() -> None:
    places, order, end = BodyPlaces(places=2, most_waiting=10), list[int](), asyncio.Event()
    end.set()
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as waiting:
        for size in (6, 5):
            await waiting.enter_async_context(places.waiting(size))
        late = tasks.create_task(taken(places, order, 0, end))
        await until_asked(places)
        assert not late.done()
        await waiting.aclose()
        await late
    assert order == [0]
