from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier, Thread, current_thread

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.domain.pricing import catalogue
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.published_list import PublishedList
from spendtop.domain.requests.request import Usage

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
PRICES = PublishedPrices()


def cost(provider: str | None, model: str, usage: Usage, at: datetime = NOW) -> int | None:
    price = PRICES(provider, model, Terms(), to_micros(at))
    amount = price.priced(usage).amount if price else None
    return None if amount is None else amount.nano


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nano"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", Usage(prompt=1_000, completion=100), 210_000),
        ("openai", "gpt-4o", Usage(prompt=1_000, completion=100), 3_500_000),
        ("anthropic", "claude-sonnet-4", Usage(prompt=1_000, completion=100), 4_500_000),
        ("openai", "gpt-4o-mini-2024-07-18", Usage(prompt=1_000, completion=100, cache_read=400), 180_000),
        (
            "anthropic",
            "claude-sonnet-4-20250514",
            Usage(prompt=1_000, completion=100, cache_read=400, cache_write=200),
            3_570_000,
        ),
        ("google", "gemini-2.5-pro", Usage(prompt=250_000, completion=1_000), 640_000_000),
        ("google", "gemini-2.5-pro", Usage(prompt=150_000, completion=1_000), 197_500_000),
        (None, "gpt-4o", Usage(prompt=1_000, completion=100), 3_500_000),
        (None, "openai/gpt-4o", Usage(prompt=1_000, completion=100), 3_500_000),
        ("openai", "openai/gpt-4o", Usage(prompt=1_000, completion=100), 3_500_000),
    ],
)
def test_published_prices(provider: str | None, model: str, usage: Usage, nano: int) -> None:
    assert cost(provider, model, usage) == nano


def test_o3_costs_what_it_cost_on_that_day() -> None:
    million = Usage(prompt=10**6, completion=0)
    assert cost("openai", "o3", million, datetime(2025, 6, 1, tzinfo=UTC)) == 10_000_000_000
    assert cost("openai", "o3", million, datetime(2025, 7, 1, tzinfo=UTC)) == 2_000_000_000


@pytest.mark.parametrize(
    ("provider", "model"), [(None, "totally-unknown-model-9"), ("nosuch", "gpt-4o"), ("openai", ""), (None, "/")]
)
def test_unknown_models_have_no_price_however_often_they_are_asked_for(provider: str | None, model: str) -> None:
    assert [PRICES(provider, model, Terms(), 0), PRICES(provider, model, Terms(), 1)] == [None, None]


def test_the_version_names_the_price_list() -> None:
    price = PRICES("openai", "gpt-4o", Terms(), to_micros(NOW))
    assert price is not None
    assert price.version.startswith("genai-prices 0.")


def test_however_many_models_are_asked_for_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_MOST_MODELS", 3)
    prices = PublishedPrices()
    assert [prices(None, f"unknown-{number}", Terms(), 0) for number in range(10)] == [None] * 10
    assert prices("openai", "gpt-4o", Terms(), to_micros(NOW)) is not None
    assert len(prices._quotes) <= 3


def test_every_model_costs_what_the_price_list_itself_computes() -> None:
    differing = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            for prompt, read, write, completion in ((1_000, 400, 200, 100), (200_001, 0, 0, 7)):
                theirs = TheirUsage(
                    input_tokens=prompt,
                    cache_read_tokens=read or None,
                    cache_write_tokens=write or None,
                    output_tokens=completion,
                )
                try:
                    exact = calc_price(
                        theirs, model.id, provider_id=provider.id, genai_request_timestamp=NOW
                    ).total_price
                except LookupError:
                    continue
                usage = Usage(prompt=prompt, completion=completion, cache_read=read, cache_write=write)
                ours = cost(provider.id, model.id, usage)
                if ours is not None and ours != Usd.of(Decimal(exact)).nano:
                    differing.append((provider.id, model.id, ours, exact))
    assert differing == []


def test_who_bills_a_model_that_was_pushed_without_a_provider() -> None:
    prices = PublishedPrices()
    assert prices.provider_of("gpt-4o", "openai") == "openai"
    assert prices.provider_of("gpt-4o", "azure") == "azure"
    assert prices.provider_of("claude-sonnet-4-5", "openai") == "anthropic"
    assert prices.provider_of("acme-private-7b", "openai") == "openai"
    assert prices.provider_of("llama3:8b", "openai") is None


def test_threads_that_look_up_at_once_load_one_price_list(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Thread] = []
    together = Barrier(4)

    def snapshot() -> DataSnapshot:
        loaded.append(current_thread())
        return get_snapshot()

    monkeypatch.setattr("genai_prices.data_snapshot.get_snapshot", snapshot)
    prices = PublishedPrices()

    def look_up() -> None:
        together.wait(20)
        prices("openai", "gpt-4o", Terms(), 0)

    threads = [Thread(target=look_up) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(loaded) == 1


def test_a_list_that_is_given_prices_and_names_itself() -> None:
    anthropic = [each for each in get_snapshot().providers if each.id == "anthropic"]
    given = PublishedList(DataSnapshot(anthropic, from_auto_update=True), ListVersion.of_package("99"))
    prices = PublishedPrices(lambda: given)
    price = prices("anthropic", "claude-sonnet-4-5", Terms(), to_micros(NOW))
    assert price is not None and price.version == "genai-prices 99"
    assert prices("openai", "gpt-4o", Terms(), to_micros(NOW)) is None
    assert prices.price_list is given
