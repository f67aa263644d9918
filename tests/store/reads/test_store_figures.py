from __future__ import annotations

from spendtop.domain.clock import DAY
from spendtop.services import tokens
from spendtop.store.reads.store_figures import Measures, measures
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def test_an_empty_store(recorded: Recorded) -> None:
    with recorded.store.reading() as connection:
        assert measures(connection) == Measures(0, 0, None)


def test_counts_requests_of_every_kind_and_tokens_that_may_push(recorded: Recorded) -> None:
    recorded.add([recorded.request(START), recorded.request(START + DAY, token="twin", counted=False)])
    with recorded.store.writing() as connection:
        tokens.create(connection, "on", START)
        tokens.set_active(connection, tokens.create(connection, "off", START).id, False)
    with recorded.store.reading() as connection:
        assert measures(connection) == Measures(2, 1, START + DAY)
