"""Refusals reach the store, seldom and whole."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from spendtop.api.counters import Count, Counters
from spendtop.collector.housekeeping import RefusalCounts
from spendtop.domain.clock import HOUR
from spendtop.domain.sources.records import HELICONE, INGEST, OTLP
from spendtop.services.recording.missed_requests import REFUSED
from spendtop.store.engine import Store
from spendtop.store.tables import TotalTable
from tests.conftest import SettableClock
from tests.services.conftest import rows


class Writer:
    """Runs at once, or fails."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failure: Exception | None = None

    def run(self, work: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.failure is not None:
            future.set_exception(self.failure)
            return future
        with self.store.writing() as connection:
            future.set_result(work(connection))
        return future


async def test_refusals_are_counted_by_source_reason_and_hour(store: Store, clock: SettableClock) -> None:
    counters, writer = Counters(), Writer(store)
    tallying = RefusalCounts(counters, writer, clock, lambda: 3)  # type: ignore[arg-type]
    counters.refuse(INGEST, Count.INGEST_BAD_AUTH)
    counters.refuse(INGEST, Count.INGEST_BAD_AUTH, 2)
    counters.refuse(HELICONE, Count.INGEST_NOT_JSON)
    await tallying.write()
    counters.refuse(INGEST, Count.INGEST_BAD_AUTH)
    await tallying.write()
    await tallying.write()
    found = {(row.dimension, row.key, row.bucket, row.shard): row.requests for row in rows(store, TotalTable)}
    hour = clock() - clock() % HOUR
    assert found == {
        (REFUSED, "ingest/ingest_bad_auth", hour, 3): 4,
        (REFUSED, "helicone/ingest_not_json", hour, 3): 1,
    }


async def test_what_could_not_be_written_is_kept_for_the_next_time(store: Store, clock: SettableClock) -> None:
    counters, writer = Counters(), Writer(store)
    tallying = RefusalCounts(counters, writer, clock, lambda: 0)  # type: ignore[arg-type]
    counters.refuse(OTLP, Count.INGEST_INVALID, 7)
    writer.failure = OSError("gone")
    with pytest.raises(OSError, match="gone"):
        await tallying.write()
    writer.failure = None
    await tallying.write()
    assert [(row.key, row.requests) for row in rows(store, TotalTable)] == [("otlp/ingest_invalid", 7)]
