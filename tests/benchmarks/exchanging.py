"""Ready-made requests on keep-alive connections, each with one answer: as fast as they are answered, or at a pace."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from typing import NamedTuple


class Exchanged(NamedTuple):
    """What came of it."""

    taken: list[float]
    """Seconds for each answer; of what was sent at a pace in the order in which it fell due."""
    failed: int
    """Answers other than 200."""


@contextmanager
def connected(port: int, connections: int) -> Iterator[list[socket.socket]]:
    """Connections to a server on this machine, until the end of the block."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        for connection in opened:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def post(path: str, body: bytes, content_type: str, headers: str = "") -> bytes:
    """A request as it is sent; `headers` are further lines, each with its line end."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def as_fast_as_answered(
    connections: Sequence[socket.socket], messages: Sequence[bytes], deadline: float = inf, *, repeated: bool = False
) -> Exchanged:
    """Each connection sends its next message when it has its answer, until all are sent or `deadline`."""
    poll, clock = select.epoll(), time.perf_counter
    by_number = {connection.fileno(): connection for connection in connections}
    sent_at: dict[int, float] = {}
    received: dict[int, bytes] = {}
    taken: list[float] = []
    failed = position = 0
    for number, connection in by_number.items():
        if position < len(messages):
            poll.register(number, select.EPOLLIN)
            connection.sendall(messages[position])
            sent_at[number] = clock()
            position += 1
    while sent_at:
        for number, _ in poll.poll():
            connection = by_number[number]
            answer = received.pop(number, b"") + _received(connection)
            if not _is_whole(answer):
                received[number] = answer
                continue
            now = clock()
            failed += not answer.startswith(b"HTTP/1.1 200")
            taken.append(now - sent_at.pop(number))
            if position == len(messages) and repeated:
                position = 0
            if position < len(messages) and now < deadline:
                connection.sendall(messages[position])
                sent_at[number] = clock()
                position += 1
    poll.close()
    return Exchanged(taken, failed)


def at_a_pace(connections: Sequence[socket.socket], messages: Sequence[bytes], per_second: float) -> Exchanged:
    """Messages fall due at this pace, whether or not earlier ones are answered; their time runs from when they do."""
    clock = time.perf_counter
    idle = deque(connections)
    sent: dict[socket.socket, int] = {}
    received: dict[socket.socket, bytes] = {}
    taken = [0.0] * len(messages)
    failed = position = 0
    start = clock()
    while position < len(messages) or sent:
        while position < len(messages) and idle and start + position / per_second <= clock():
            connection = idle.popleft()
            sent[connection] = position
            connection.sendall(messages[position])
            position += 1
        wait = start + position / per_second - clock() if position < len(messages) and idle else None
        ready, _, _ = select.select(list(sent), (), (), None if wait is None else max(0.0, wait))
        for connection in ready:
            answer = received.pop(connection, b"") + _received(connection)
            if not _is_whole(answer):
                received[connection] = answer
                continue
            failed += not answer.startswith(b"HTTP/1.1 200")
            number = sent.pop(connection)
            taken[number] = clock() - (start + number / per_second)
            idle.append(connection)
    return Exchanged(taken, failed)


def _received(connection: socket.socket) -> bytes:
    piece = connection.recv(262_144)
    if not piece:
        raise ConnectionError("the server closed a connection")
    return piece


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, _, length = head.lower().partition(b"content-length:")
    return len(body) >= int(length.partition(b"\r\n")[0])
