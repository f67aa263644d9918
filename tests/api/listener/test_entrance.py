from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from spendtop.api.listener.entrance import Entrance
from spendtop.api.listener.server import bind
from tests.waiting import DEADLINE


class Greeting(asyncio.Protocol):
    """Says a word to whoever enters, and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"come in")
        transport.close()


async def greeted(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(DEADLINE):
        said = await reader.read()
    writer.close()
    return said


async def test_who_finds_no_room_waits_outside() -> None:
    room = [False]
    with bind("127.0.0.1", 0) as listening:
        async with asyncio.TaskGroup() as tasks:
            entrance = Entrance(listening, lambda now, coming: room[0], Greeting, tasks)
            entrance.open()
            coming = [tasks.create_task(greeted(listening.getsockname()[1])) for _ in range(100)]
            await asyncio.wait(coming, timeout=0.2)
            assert not any(each.done() for each in coming)
            room[0] = True
            entrance.open()
            assert set(await asyncio.gather(*coming)) == {b"come in"}
            entrance.close()


async def test_a_crowd_that_comes_at_once_is_not_let_in_beyond_the_room() -> None:
    inside = most = 0

    class Staying(Greeting):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            nonlocal inside
            inside -= 1
            entrance.open()

    with bind("127.0.0.1", 0) as listening:
        async with asyncio.TaskGroup() as tasks:
            entrance = Entrance(listening, lambda now, coming: inside + coming < 5, Staying, tasks)
            guests = [tasks.create_task(greeted(listening.getsockname()[1])) for _ in range(60)]
            entrance.open()
            assert set(await asyncio.gather(*guests)) == {b"come in"}
            entrance.close()
    assert most <= 5


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_a_free_descriptor_who_comes_waits_too(number: int) -> None:
    class Short(socket.socket):
        """A listening socket for which there is no descriptor for a while."""

        is_short = True

        def accept(self) -> tuple[socket.socket, object]:
            if self.is_short:
                raise OSError(number, os.strerror(number))
            return super().accept()

    with Short(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        async with asyncio.TaskGroup() as tasks:
            entrance = Entrance(listening, lambda now, coming: True, Greeting, tasks)
            entrance.open()
            coming = tasks.create_task(greeted(listening.getsockname()[1]))
            await asyncio.wait([coming], timeout=0.2)
            assert not coming.done()
            listening.is_short = False
            entrance.open()
            assert await coming == b"come in"
            entrance.close()
