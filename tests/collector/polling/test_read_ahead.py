"""The next page is asked for while one is stored, and counts only where the store then stands before it."""

from __future__ import annotations

import asyncio

import pytest

from spendtop.collector.polling.read_ahead import ReadAhead
from spendtop.sources.pollers import PolledPage, PollFailed


class Numbers:
    """A poller of numbered pages; one of them fails, one compares what is stored, and one never comes."""

    def __init__(self, *, fails: int = -1, compares: int = -1, silent: int = -1) -> None:
        self.fails, self.compares, self.silent = fails, compares, silent
        self.asked: list[str | None] = []
        self.was_asked = asyncio.Event()

    async def step(self, cursor: str | None, now: int) -> PolledPage:
        self.asked.append(cursor)
        self.was_asked.set()
        number = int(cursor or 0)
        if number == self.silent:
            await asyncio.Event().wait()
        if number == self.fails:
            raise PollFailed("no answer")
        reads_on = number + 1 != self.compares
        return PolledPage(requests=(), cursor=str(number + 1), complete_until=None, more=True, reads_on=reads_on)


async def nothing() -> None:
    """Stores a page."""


async def test_the_next_page_is_asked_for_while_one_is_stored_and_once() -> None:
    numbers = Numbers()
    pages = ReadAhead(numbers)

    async def storing() -> str:
        await numbers.was_asked.wait()
        return "stored"

    page = await pages.page(None, 0)
    numbers.was_asked.clear()
    assert await pages.beside(storing(), page, 0) == "stored"
    assert numbers.asked == [None, "1"]
    assert (await pages.page("1", 0)).cursor == "2"
    assert numbers.asked == [None, "1"]


async def test_what_is_behind_another_place_than_the_stores_is_not_given() -> None:
    numbers = Numbers()
    pages = ReadAhead(numbers)
    await pages.beside(nothing(), await pages.page(None, 0), 0)
    assert (await pages.page("7", 0)).cursor == "8"
    assert numbers.asked == [None, "1", "7"]
    assert (await pages.page("1", 0)).cursor == "2"
    assert numbers.asked[-1] == "1"


async def test_a_failure_is_raised_in_its_turn_and_then_asked_again() -> None:
    numbers = Numbers(fails=1)
    pages = ReadAhead(numbers)
    await pages.beside(nothing(), await pages.page(None, 0), 0)
    with pytest.raises(PollFailed):
        await pages.page("1", 0)
    numbers.fails = -1
    assert (await pages.page("1", 0)).cursor == "2"
    assert numbers.asked == [None, "1", "1"]


async def test_a_page_that_cannot_be_stored_has_none_behind_it_and_does_not_wait_for_it() -> None:
    numbers = Numbers(silent=1)
    pages = ReadAhead(numbers)

    async def broken() -> None:
        await numbers.was_asked.wait()
        raise RuntimeError("the disk is gone")

    page = await pages.page(None, 0)
    numbers.was_asked.clear()
    with pytest.raises(RuntimeError, match="the disk"):
        await pages.beside(broken(), page, 0)
    assert (await pages.page(None, 0)).cursor == "1"
    assert numbers.asked == [None, "1", None]


async def test_nothing_is_asked_ahead_that_looks_at_what_is_stored() -> None:
    numbers = Numbers(compares=1)
    pages = ReadAhead(numbers)
    await pages.beside(nothing(), await pages.page(None, 0), 0)
    assert numbers.asked == [None]
