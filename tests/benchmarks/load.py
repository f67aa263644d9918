"""The load generator, a process of its own: sockets and ready-made bytes, so that the server is what is measured.

python -m tests.benchmarks.load '{"port": 8000, "connections": 64, "seconds": 3, "prepared": 20000, "seed": 1}'
"""

from __future__ import annotations

import sys
import time

import msgspec

from tests.benchmarks.exchanging import as_fast_as_answered, at_a_pace, connected
from tests.benchmarks.measuring import percentile
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
    pace: float | None = None
    """In requests per second, whether or not earlier ones are answered; else each waits for an answer."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    start_p99_ms: float
    """Of the first second of load at a pace, in which all connections are accepted; the others are of what comes later.
    As fast as answers come, no second is told from another."""
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
    warm = min(order.warm_up, len(messages) // 10)
    with connected(order.port, order.connections) as connections:
        as_fast_as_answered(connections, messages[:warm])
        cpu, began = time.process_time(), time.perf_counter()
        if order.pace is not None:
            taken, failed = at_a_pace(connections, messages[warm:], order.pace)
        else:
            taken, failed = as_fast_as_answered(
                connections, messages[warm:], began + order.seconds, repeated=order.is_repeated
            )
        passed = time.perf_counter() - began
    first = 0 if order.pace is None else int(order.pace)
    start, later = taken[:first] or taken, taken[first:]
    return Answered(
        requests=len(taken),
        failed=failed,
        seconds=passed,
        p50_ms=percentile(later, 0.5) * 1000,
        p99_ms=percentile(later, 0.99) * 1000,
        start_p99_ms=percentile(start, 0.99) * 1000,
        cpu=(time.process_time() - cpu) / passed,
    )


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(main(msgspec.json.decode(sys.argv[1], type=Load))).decode())
