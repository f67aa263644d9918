"""The load generator, a process of its own: sockets and ready-made bytes, so that the server is what is measured.

python -m tests.benchmarks.load '{"port": 8000, "connections": 64, "seconds": 3, "prepared": 20000, "seed": 1}'
"""

from __future__ import annotations

import select
import socket
import sys
import time

import msgspec

from tests.benchmarks.webhooks import many


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    port: int
    connections: int
    seconds: float
    prepared: int
    """How many different webhooks are made before the clock starts."""
    seed: int
    is_repeated: bool = False
    """Whether they are sent again when all are sent; else that is the end."""
    warm_up: int = 200


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu: float
    """The generator's own share of one core: near 1 it was the bottleneck itself."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


def main(order: Load) -> Answered:
    """Send, and wait for each connection's answer before its next request."""
    now = int(time.time())
    messages = [
        b"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Helicone-Signature: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (webhook.signature.encode(), len(webhook.body), webhook.body)
        for webhook in many(order.prepared, order.seed, now)
    ]
    connections = [socket.create_connection(("127.0.0.1", order.port)) for _ in range(order.connections)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    warm = min(order.warm_up, len(messages) // 10)
    _exchange(connections, messages[:warm], time.perf_counter() + 60, repeated=False)
    cpu, start = time.process_time(), time.perf_counter()
    taken, failed = _exchange(connections, messages[warm:], start + order.seconds, order.is_repeated)
    passed = time.perf_counter() - start
    taken.sort()
    return Answered(
        requests=len(taken),
        failed=failed,
        seconds=passed,
        p50_ms=taken[len(taken) // 2] * 1000,
        p99_ms=taken[len(taken) * 99 // 100] * 1000,
        cpu=(time.process_time() - cpu) / passed,
    )


def _exchange(
    connections: list[socket.socket], messages: list[bytes], deadline: float, repeated: bool
) -> tuple[list[float], int]:
    """The time that each answer took, in seconds, and how many were no success."""
    poll, clock = select.epoll(), time.perf_counter
    by_number = {connection.fileno(): connection for connection in connections}
    sent_at: dict[int, float] = {}
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
            answer = connection.recv(65536)
            failed += answer.startswith(b"HTTP/") and not answer.startswith(b"HTTP/1.1 200")
            if answer and not answer.endswith(b"}"):
                continue  # the body comes by itself
            if not answer:
                raise ConnectionError("the server closed a connection")
            now = clock()
            taken.append(now - sent_at.pop(number))
            if position == len(messages) and repeated:
                position = 0
            if position < len(messages) and now < deadline:
                connection.sendall(messages[position])
                sent_at[number] = clock()
                position += 1
    poll.close()
    return taken, failed


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(main(msgspec.json.decode(sys.argv[1], type=Load))).decode())
