"""Models with their providers."""

from __future__ import annotations

from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.store.reads.models import models
from spendtop.store.reads.requests.lists import RequestQuery
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START, Calendar())


def test_each_model_of_each_provider_is_one_line_with_its_last_request(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START, 5, model="gpt", provider="openai"),
            recorded.request(START + 9 * DAY, 5, model="gpt", provider="openai"),
            recorded.request(START + 10 * DAY, 5, model="gpt", provider="openai", counted=False),
            recorded.request(START + 1, 7, model="gpt", provider="azure", user_id="alice"),
            recorded.request(START + 2, None),
        ]
    )
    found = models(recorded.store, RequestQuery(), CONTEXT)
    assert [(each.model, each.provider, each.spend.requests, each.spend.cost, each.last_seen) for each in found] == [
        ("gpt", "openai", 2, Usd(10), START + 10 * DAY),
        ("gpt", "azure", 1, Usd(7), START + 1),
        (None, None, 1, Usd(0), START + 2),
    ]
    assert found[2].spend.unpriced == 1
    (of_alice,) = models(recorded.store, RequestQuery(parse_filter("user:alice")), CONTEXT)
    assert of_alice.provider == "azure"
    assert models(recorded.store, RequestQuery(until=START), CONTEXT) == []
