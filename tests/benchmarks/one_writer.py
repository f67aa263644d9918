"""One of several that record into one store, a process of its own: prepared webhooks, recorded group by group.

python -m tests.benchmarks.one_writer '{"url": "sqlite:///a.db", "slot": 0, "group": 50, "most": 9000, "seconds": 3}'
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import closing

import msgspec
from sqlalchemy.exc import OperationalError

from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Request
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer, Ready
from spendtop.services.recording.transaction import Recording
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.store.changes import Notifier
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from tests.benchmarks.reading import limits
from tests.benchmarks.webhooks import many


class Order(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    slot: int
    group: int
    most: int
    """How many requests are prepared before the clock starts."""
    seconds: float


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What one of them came to."""

    requests: int
    seconds: float
    cpu: float
    """Seconds of CPU time of this process."""
    longest: float
    """Seconds of the longest transaction."""
    refused: int
    """Transactions that the database ended, as by a deadlock; they were repeated."""


def main(order: Order) -> None:
    """Prepare, say so, wait for a line, record, and say what came of it."""
    pricer = Pricer({}, None, PublishedPrices())
    preparer = Preparer(pricer, Redactor([]).redact, keep_bodies=True)
    ready = _prepared(order, preparer)
    with closing(Store(order.url)) as store, closing(Notifier(store)) as notifier:
        book = LimitBook(limits(), Calendar(), {})
        recording = Recording(store.write_engine.dialect, RequestIds(order.slot), book, preparer.cost)
        with store.writing() as connection:  # connected, and its statements compiled
            recording.record(connection, [])
        gc.freeze()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        done, refused, longest = 0, 0, 0.0
        cpu, start = time.process_time(), time.perf_counter()
        while done < len(ready) and time.perf_counter() - start < order.seconds:
            began = time.perf_counter()
            try:
                with store.writing() as connection:
                    recording.record(connection, ready[done : done + order.group])
            except OperationalError:
                refused += 1
                continue
            notifier.committed()
            longest = max(longest, time.perf_counter() - began)
            done += order.group
        passed = time.perf_counter() - start
        came = Done(
            requests=min(done, len(ready)),
            seconds=passed,
            cpu=time.process_time() - cpu,
            longest=longest,
            refused=refused,
        )
    sys.stdout.write(msgspec.json.encode(came).decode())


def _prepared(order: Order, preparer: Preparer) -> list[Ready]:
    receiver, now = HeliconeReceiver(), time.time_ns() // 1000
    ready = []
    for webhook in many(order.most, time.time_ns() % 2**31 + order.slot, now // 1_000_000):
        event = receiver.parse(webhook.body, now)
        assert isinstance(event, Request), event
        ready.append(preparer.prepare(event))
    return ready


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Order))
