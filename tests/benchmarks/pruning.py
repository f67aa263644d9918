"""How long an acknowledgement waits while retention deletes a month and gives its room back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from statistics import median

from spendtop.collector.housekeeping import Housekeeping
from spendtop.domain.clock import DAY, next_month
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Request, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.services.retention import RetentionPeriods
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS
from spendtop.store.schema import upgrade
from spendtop.store.table_copy import copy_tables
from spendtop.store.transactions import OwnTransactions
from tests.benchmarks.measuring import Figure, percentile, say
from tests.benchmarks.postgres import postgres
from tests.benchmarks.reading import limits
from tests.benchmarks.workshop import Workshop

_BETWEEN = 0.005
"""Seconds between an answer and the next request."""
_ALONE = 5.0
"""Seconds without retention, to compare with."""
_LONGEST = 300.0
"""Seconds of forgetting."""
_PATIENCE = 60.0


def pruning(workshop: Workshop) -> list[Figure]:
    """The longest wait of an acknowledgement while all stored months are forgotten, or as much of them as five minutes
    allow: in batches on SQLite, by dropping partitions on PostgreSQL."""
    folder = workshop.own("pruning")
    with postgres(folder / "pg") as url, closing(Store(url)) as shared:
        upgrade(shared)
        with (
            closing(Store(f"sqlite:///{workshop.filled}")) as source,
            source.snapshot() as rows,
            shared.writing() as target,
        ):
            target.exec_driver_sql("SET LOCAL statement_timeout = 0")
            copy_tables(rows, target, lambda share: None)
        figures = _pruned(shared, f"PostgreSQL, {workshop.requests:,}", lambda: 0)
    return [*figures, *on_sqlite(workshop)]


def on_sqlite(workshop: Workshop) -> list[Figure]:
    """The same on SQLite alone."""
    path = workshop.copied(workshop.own("pruning_sqlite"))
    with closing(Store(f"sqlite:///{path}")) as store:
        return _pruned(store, f"SQLite, {workshop.requests:,}", lambda: path.stat().st_size)


def _pruned(store: Store, name: str, size: Callable[[], int]) -> list[Figure]:
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook(limits(), Calendar(), {}))
    recorder.start()
    now = next_month(time.time_ns() // 1000) + 2 * DAY
    try:
        began = time.process_time()
        alone = _waits(recorder, now, threading.Timer(_ALONE, lambda: None))
        each = (time.process_time() - began) / len(alone)
        before, stored = size(), _stored(store, now)
        began, cpu = time.perf_counter(), time.process_time()
        during = _waits(recorder, now, threading.Thread(target=_prune, args=(recorder, store, now)))
        taken, cpu = time.perf_counter() - began, time.process_time() - cpu - each * len(during)
        gone = stored - _stored(store, now)
    finally:
        recorder.stop()
    say(
        f"  {name:<24} alone p99 {1000 * percentile(alone, 0.99):6.1f}, longest {1000 * max(alone):6.1f} ms"
        f"   during p50 {1000 * median(during):6.1f}, p99 {1000 * percentile(during, 0.99):6.1f},"
        f" longest {1000 * max(during):6.1f} ms"
    )
    say(
        f"  {name:<24} {gone:,} requests in {taken:.0f} s, {gone / taken:,.0f} a second, {1e6 * cpu / gone:.0f} µs of"
        f" CPU time each; ten million would take {taken * 1e7 / gone / 60:.0f} minutes"
        + (f"   {before / 1e6:.0f} → {size() / 1e6:.0f} MB" if before else "")
    )
    return [
        Figure(f"longest wait while a month is forgotten, {name}", 1000 * max(during), 250, True, "ms"),
        Figure(f"a million forgotten of {name}", taken * 1e6 / gone, 600, True, "s"),
    ]


def _stored(store: Store, now: int) -> int:
    """How many requests there are from before this instant."""
    with store.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM request WHERE id < {now * SLOTS}").scalar_one())


def _waits(recorder: Recorder, now: int, meanwhile: threading.Thread) -> Sequence[float]:
    """Seconds for each acknowledgement of requests one after the other, while a thread lives."""
    waits: list[float] = []
    answered = threading.Semaphore(0)
    meanwhile.start()
    while meanwhile.is_alive():
        began = time.perf_counter()
        recorder.submit([_request(now + len(waits), began)], lambda outcomes: answered.release())
        assert answered.acquire(timeout=_PATIENCE)
        waits.append(time.perf_counter() - began)
        time.sleep(_BETWEEN)
    return waits


def _prune(recorder: Recorder, store: Store, now: int) -> None:
    """What a collector does once an hour. When that takes too long all is kept again, and the rest of it is done."""
    ends = time.monotonic() + _LONGEST
    too_old, all_of_it = RetentionPeriods(bodies=DAY, requests=DAY), RetentionPeriods(bodies=now, requests=now)
    housekeeping = Housekeeping(
        recorder,
        recorder if store.is_sqlite else OwnTransactions(store),
        lambda: too_old if time.monotonic() < ends else all_of_it,
        lambda: now,
        lambda: True,
        store.checkpoint,
        is_quiet=lambda: recorder.is_quiet,
    )
    asyncio.run(housekeeping.work(asyncio.Event()))


def _request(at: int, number: float) -> Request:
    return Request(
        source=HELICONE,
        external_id=f"pruning-{number}",
        received_at=at,
        occurred_at=at,
        time_source=TimeSource.PROVIDER,
        usage=Usage(prompt=10, completion=5),
        request_body=b'{"messages": [{"role": "user", "content": "Why?"}]}',
    )
