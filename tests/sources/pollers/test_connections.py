"""What polls of one run share, against a real server."""

from __future__ import annotations

import asyncio

import pytest

from spendtop.sources.pollers import PollFailed, connections
from spendtop.sources.pollers.http_client import FetchBounds, Fetcher
from tests.sources.pollers.fake_provider import Answer, FakeProvider, Fault, answer, failed, truncated
from tests.sources.pollers.polled import ONCE
from tests.waiting import soon


def fetcher(fake: FakeProvider, key: str = "a") -> Fetcher:
    return Fetcher("Acme", fake.url, {"Authorization": key}, bounds=ONCE)


async def ports(fake: FakeProvider, asking: Fetcher, times: int = 1) -> list[int]:
    """From which connections so many polls came."""
    for _ in range(times):
        assert await asking.json("GET", "/") == {"ok": True}
    return [asked.port for asked in fake.asked[-times:]]


async def test_a_run_has_one_connection_and_each_run_its_own() -> None:
    with FakeProvider() as fake:
        asking = fetcher(fake)
        async with connections.kept():
            first = await ports(fake, asking, 3)
            first += await asyncio.ensure_future(ports(fake, asking))  # as one that asks ahead
        async with connections.kept():
            second = await ports(fake, asking, 2)
        alone = await ports(fake, asking, 2)
    assert len({*first}) == len({*second}) == 1
    assert len({*first, *second, *alone}) == 4


async def test_keys_do_not_share_a_connection() -> None:
    with FakeProvider() as fake:
        async with connections.kept():
            one, other = await ports(fake, fetcher(fake)), await ports(fake, fetcher(fake, "b"))
    assert one != other
    assert [asked.headers["authorization"] for asked in fake.asked] == ["a", "b"]


@pytest.mark.parametrize("fault", [failed(500), failed(400), truncated])
async def test_a_run_goes_on_after_a_failure(fault: Fault) -> None:
    with FakeProvider() as fake:
        asking = fetcher(fake)
        async with connections.kept():
            fake.script(fault)
            with pytest.raises(PollFailed):
                await asking.json("GET", "/")
            assert len({*await ports(fake, asking, 2)}) == 1


async def test_a_run_goes_on_after_an_answer_that_nobody_waited_for() -> None:
    with FakeProvider() as fake:
        asking = fetcher(fake)
        async with connections.kept():
            fake.script(lambda good: fake.drip(answer({"much": "x" * 10_000})))
            given_up = asyncio.ensure_future(asking.json("GET", "/"))
            await soon(lambda: len(fake.asked) == 1)
            given_up.cancel()
            assert len({*await ports(fake, asking, 2)}) == 1


async def test_a_connection_that_the_provider_ended_meanwhile_is_made_anew() -> None:
    with FakeProvider() as fake:
        fake.always = lambda good: Answer(body=[good.whole], headers={"Content-Length": str(len(good.whole))})
        asking = Fetcher("Acme", fake.url, {}, bounds=FetchBounds(first_wait=0.001, jitter=0))
        async with connections.kept():
            assert len({*await ports(fake, asking, 3)}) == 3
