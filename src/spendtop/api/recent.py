"""Values of the store that may be a moment old, read together and never in the loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import inf
from typing import Generic, TypeVar, cast

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Round(Generic[Key, Value]):
    """What is read at once, for all who wait for it: the values, or the failure."""

    def __init__(self) -> None:
        self.wanted: set[Key] = set()
        self.found: asyncio.Future[Mapping[Key, Value] | BaseException] = asyncio.get_running_loop().create_future()


class Recent(Generic[Key, Value]):
    """Answers from memory what was read less than `seconds` ago; what is half as old is read again meanwhile.

    One read runs at a time, in a thread; what is asked for meanwhile is read together next. For one loop.
    """

    def __init__(self, read: Callable[[Collection[Key]], Mapping[Key, Value]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._known: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        """With the loop's time at which it was read; what was read last is last."""
        self._running: _Round[Key, Value] | None = None
        self._next: _Round[Key, Value] | None = None

    def __len__(self) -> int:
        return len(self._known)

    async def get(self, keys: Collection[Key]) -> Mapping[Key, Value]:
        """The value of each key. Raises what `read` raises."""
        now = asyncio.get_running_loop().time()
        values: dict[Key, Value] = {}
        awaited: dict[Key, _Round[Key, Value]] = {}
        for key in keys:
            read_at, value = self._known.get(key, (-inf, None))
            if read_at <= now - self._seconds:
                awaited[key] = self._round_with(key)
                continue
            values[key] = cast(Value, value)
            if read_at <= now - self._seconds / 2:
                self._round_with(key)
        for key, its_round in awaited.items():
            read = await asyncio.shield(its_round.found)
            if isinstance(read, BaseException):
                raise read
            values[key] = read[key]
        return values

    def _round_with(self, key: Key) -> _Round[Key, Value]:
        """The round that reads the key: the running one where that does, else the next."""
        if self._running is not None and key in self._running.wanted:
            return self._running
        if self._next is None:
            self._next = _Round()
            if self._running is None:  # what others ask in this turn of the loop is read with it
                asyncio.get_running_loop().call_soon(self._begin)
        self._next.wanted.add(key)
        return self._next

    def _begin(self) -> None:
        if self._running is not None or self._next is None:
            return
        mine, self._next = self._next, None
        self._running = mine
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, self._read, mine.wanted)
        reading.add_done_callback(partial(self._settle, mine, loop.time()))

    def _settle(self, mine: _Round[Key, Value], read_at: float, reading: asyncio.Future[Mapping[Key, Value]]) -> None:
        self._running = None
        failure = asyncio.CancelledError() if reading.cancelled() else reading.exception()
        if failure is not None:
            mine.found.set_result(failure)
        else:
            read = reading.result()
            for key, value in read.items():
                self._known[key] = read_at, value
                self._known.move_to_end(key)
            self._forget(read_at - self._seconds)
            mine.found.set_result(read)
        self._begin()

    def _forget(self, until: float) -> None:
        """What was read until then."""
        while self._known and next(iter(self._known.values()))[0] <= until:
            self._known.popitem(last=False)
