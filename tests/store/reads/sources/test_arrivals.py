from __future__ import annotations

from spendtop.domain.clock import HOUR
from spendtop.domain.sources.records import INGEST
from spendtop.store.engine import Store
from spendtop.store.reads.sources.arrivals import SourceActivity, last_arrivals
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def test_an_empty_store_has_heard_of_none(store: Store) -> None:
    with store.reading() as connection:
        assert last_arrivals(connection, START) == ()


def test_tells_when_each_source_was_heard_last(recorded: Recorded) -> None:
    yesterday = START - 24 * HOUR
    recorded.add(
        [
            recorded.request(yesterday, source=INGEST),
            recorded.request(START + 5, received_at=START + HOUR),
            recorded.request(START + 9, received_at=START + 9),
        ]
    )
    with recorded.store.reading() as connection:
        assert last_arrivals(connection, START) == (
            SourceActivity("helicone", START + HOUR, 2),
            SourceActivity("ingest", yesterday, 0),
        )
