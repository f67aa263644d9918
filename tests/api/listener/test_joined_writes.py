from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from spendtop.api.listener.joined_writes import JoinedWrites


class Sent:
    """A transport that remembers each call of the system."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.pieces.append(b"".join(pieces))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str) -> Any:
        return name


def joined(sent: Sent) -> JoinedWrites:
    return JoinedWrites(cast(asyncio.Transport, sent), asyncio.get_running_loop())


async def test_a_head_and_its_body_are_sent_at_once() -> None:
    sent = Sent()
    transport = joined(sent)
    for piece in (b"head ", b"body", b"second head ", b"second body"):
        transport.write(piece)
    assert sent.pieces == [b"head body", b"second head second body"]
    await asyncio.sleep(0)
    assert len(sent.pieces) == 2


async def test_a_head_whose_body_is_late_does_not_wait_for_it() -> None:
    sent = Sent()
    transport = joined(sent)
    transport.write(b"head")
    assert sent.pieces == []
    await asyncio.sleep(0)
    transport.write(b"event")
    await asyncio.sleep(0)
    assert sent.pieces == [b"head", b"event"]


async def test_what_is_kept_is_sent_before_the_connection_closes() -> None:
    sent = Sent()
    transport = joined(sent)
    transport.write(b"refused")
    transport.close()
    assert (sent.pieces, sent.is_closed) == ([b"refused"], True)
    await asyncio.sleep(0)
    assert sent.pieces == [b"refused"]


async def test_nothing_is_sent_on_a_connection_that_has_ended() -> None:
    sent = Sent()
    transport = joined(sent)
    transport.write(b"head")
    sent.is_closed = True
    await asyncio.sleep(0)
    assert sent.pieces == []
    assert transport.get_extra_info("peername") == "peername"
