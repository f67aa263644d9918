"""Reading both sides of a billed day."""

from __future__ import annotations

from decimal import Decimal

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.differences import BilledPart, SeenModel
from spendtop.domain.money import Usd
from spendtop.services.ledger.entries import take_costs
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.differences import bill, seen
from tests.store.conftest import Recorded

TODAY = 20_777
NOON = TODAY * DAY + 12 * HOUR


def test_a_bill_is_read_with_its_parts(store: Store) -> None:
    part = CostPart(day=TODAY, amount=Decimal("1.25"), project="p", api_key="k", line_item="gpt-4o, input")
    with store.writing() as connection:
        take_costs(connection, "openai", Costs(first_day=TODAY, last_day=TODAY, parts=(part,)), NOON)
    with store.reading() as connection:
        found = bill(connection, "openai", TODAY)
        assert bill(connection, "openai", TODAY - 1) is None
        assert bill(connection, "other", TODAY) is None
    assert found is not None
    assert (found.cost, found.doubted) == (Usd.of("1.25"), False)
    assert found.parts == (BilledPart(project="p", api_key="k", line_item="gpt-4o, input", cost=Usd.of("1.25")),)


def test_requests_are_summed_by_model_for_one_provider_and_utc_day(store: Store, recorded: Recorded) -> None:
    openai = {"provider": "openai", "model": "gpt-4o"}
    recorded.add(
        [
            recorded.request(NOON, 5_000, **openai),
            recorded.request(NOON + HOUR, 7_000, **openai),
            recorded.request(NOON, None, **openai),
            recorded.request(NOON, 0, **openai),
            recorded.request(NOON, 900, **openai, cached=True),
            recorded.request(NOON, 900, **openai, counted=False),
            recorded.request(NOON, 900, provider="anthropic", model="claude"),
            recorded.request(NOON - DAY, 900, **openai),
            recorded.request(NOON, 300, provider="openai"),
        ]
    )
    with store.reading() as connection:
        unnamed, named = seen(connection, "openai", TODAY)
    assert named == SeenModel(model="gpt-4o", cost=Usd(12_000), requests=3, unpriced=1, dearest=Usd(7_000))
    assert (unnamed.model, unnamed.cost) == ("", Usd(300))


def test_what_happened_near_midnight_is_told_apart_farther_where_its_time_is_suspect(
    store: Store, recorded: Recorded
) -> None:
    start, end = TODAY * DAY, (TODAY + 1) * DAY
    openai = {"provider": "openai", "model": "gpt-4o"}
    recorded.add(
        [
            recorded.request(start, 1, **openai),
            recorded.request(end - MINUTE, 20, **openai),
            recorded.request(end - 30 * MINUTE, 300, **openai),
            recorded.request(end - 30 * MINUTE, 4_000, **openai, time_suspect=True),
            recorded.request(start - MINUTE, 50_000, **openai),
            recorded.request(end + 30 * MINUTE, 600_000, **openai),
            recorded.request(end + 30 * MINUTE, 7_000_000, **openai, time_suspect=True),
        ]
    )
    with store.reading() as connection:
        (found,) = seen(connection, "openai", TODAY)
    assert (found.cost, found.leaving, found.coming) == (Usd(4_321), Usd(4_021), Usd(7_050_000))
