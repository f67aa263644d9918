"""Anthropic's bills as read from a server that behaves, and misbehaves, as Anthropic's does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.ledger.amounts import total
from spendtop.domain.money import Usd
from spendtop.sources.pollers import CostPart, Costs, KeyRefused, PollFailed
from spendtop.sources.pollers.anthropic.costs import AnthropicCosts
from spendtop.sources.pollers.http_client import FetchBounds
from tests.sources.pollers.fake_anthropic import ADMIN_KEY, Cost, FakeAnthropic
from tests.sources.pollers.fake_provider import Fault, edited, error_in_200, failed, slow_down, truncated, web_page

FIRST_DAY = 20_758
"""1 November 2026, in UTC days since 1970."""


async def poll(fake: FakeAnthropic, last_day: int = FIRST_DAY + 59, key: str = ADMIN_KEY) -> Costs:
    return await AnthropicCosts(key, fake.url, bounds=FetchBounds(attempts=1)).costs(FIRST_DAY, last_day)


async def test_cents_by_workspace_and_description_over_all_pages() -> None:
    rows = [
        Cost(
            day=FIRST_DAY, cents='"123.45"', workspace="wrkspc_01", description="Claude Sonnet 4 Usage - Input Tokens"
        ),
        Cost(day=FIRST_DAY, cents='"0.0000000000000000000000000000000000012"'),
        Cost(day=FIRST_DAY + 59, cents="7"),
        Cost(day=FIRST_DAY + 60, cents='"999"'),
    ]
    with FakeAnthropic(rows) as fake:
        costs = await poll(fake)
    assert costs == Costs(
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + 59,
        parts=(
            CostPart(
                day=FIRST_DAY,
                amount=Decimal("1.2345"),
                project="wrkspc_01",
                line_item="Claude Sonnet 4 Usage - Input Tokens",
            ),
            CostPart(day=FIRST_DAY, amount=Decimal("0.000000000000000000000000000000000000012")),
            CostPart(day=FIRST_DAY + 59, amount=Decimal("0.07")),
        ),
    )
    assert [dict(asked.query) for asked in fake.asked] == [
        {
            "starting_at": ["2026-11-01T00:00:00Z"],
            "ending_at": ["2026-12-31T00:00:00Z"],
            "bucket_width": ["1d"],
            "limit": ["31"],
            "group_by[]": ["workspace_id", "description"],
            **page,
        }
        for page in ({}, {"page": ["page_31"]})
    ]


async def test_a_second_page_that_fails_leaves_nothing() -> None:
    with FakeAnthropic([Cost(day=FIRST_DAY, cents="100")]) as fake:
        fake.script(None, failed(529))
        with pytest.raises(PollFailed, match=r"^Anthropic has a fault of its own \(529\)"):
            await poll(fake)


async def test_missing_amounts_and_other_currencies_are_told() -> None:
    rows = [
        Cost(day=FIRST_DAY, cents=None),
        Cost(day=FIRST_DAY, cents="5", currency="EUR"),
        Cost(day=FIRST_DAY, cents="100"),
    ]
    with FakeAnthropic(rows) as fake:
        costs = await poll(fake)
    assert total(part.amount for part in costs.parts) == Usd.of(1)
    assert (costs.other_currencies, costs.flaws) == (
        frozenset({"EUR"}),
        ("1 of Anthropic's amounts had no amount and count as nothing.",),
    )


@pytest.mark.parametrize("begin", ["2026-11-01T12:00:00Z", "2026-11-01T00:00:00"])
async def test_a_bucket_that_is_no_utc_day_fails_the_poll(begin: str) -> None:
    with FakeAnthropic() as fake:
        fake.script(edited(data=[{"starting_at": begin, "results": []}]))
        with pytest.raises(PollFailed, match="something else than a UTC day"):
            await poll(fake)


async def test_an_answer_without_any_day_is_no_month_without_spend() -> None:
    with FakeAnthropic() as fake:
        fake.script(edited(data=[], has_more=False))
        with pytest.raises(PollFailed, match="none of the days"):
            await poll(fake)


@pytest.mark.parametrize("fault", [truncated, web_page, error_in_200, slow_down(30), failed(400), edited(data=[{}])])
async def test_no_spend_is_never_read_out_of_an_answer_that_is_none(fault: Fault) -> None:
    with FakeAnthropic([Cost(day=FIRST_DAY, cents="100")]) as fake:
        fake.always = fault
        with pytest.raises(PollFailed) as caught:
            await poll(fake)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-ant-api03-canary", "sk-admin-canary", "canary"])
async def test_a_refused_key_says_which_key_is_needed(key: str) -> None:
    with FakeAnthropic() as fake:
        with pytest.raises(KeyRefused, match=r"^Anthropic refused the key \(401\)\. The key ") as caught:
            await poll(fake, key=key)
        assert len(fake.asked) == 1
    assert "console.anthropic.com/settings/admin-keys" in str(caught.value)
    assert "canary" not in str(caught.value)
