from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from importlib.resources import files
from typing import NamedTuple

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo

from spendtop.domain.clock import to_micros
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.quotes import CONTEXTS
from spendtop.domain.pricing.service_levels import Multiple, multiple_of_geo, multiple_of_level, spellings
from spendtop.domain.requests.request import ServiceLevel, Usage

BEFORE = datetime(2026, 10, 1, 12, tzinfo=UTC)
"""Before the list has most of its own prices of levels."""
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PRICES = PublishedPrices()
LEVELS = {
    "batch": ServiceLevel.BATCH,
    "flex": ServiceLevel.FLEX,
    "priority": ServiceLevel.PRIORITY,
    "speed=fast": ServiceLevel.FAST,
}


class Listed(NamedTuple):
    """An entry of `service_levels.json` for one model."""

    provider: str
    key: str
    model: str
    times: tuple[Fraction | None, ...]
    """For input, output and cache reads."""

    @property
    def terms(self) -> Terms:
        kind, _, place = self.key.partition("inference_geo=")
        return Terms(inference_geo=place) if place else Terms(LEVELS[kind])


def listed() -> Iterator[Listed]:
    document = json.loads((files("spendtop.domain.pricing") / "service_levels.json").read_text())
    seen: set[tuple[str, str, str]] = set()
    for provider, keys in document.items():
        for key, entries in keys.items() if isinstance(keys, dict) else ():
            for entry in entries:
                times = entry["times"] if isinstance(entry["times"], list) else [entry["times"]] * 3
                factors = tuple(None if each is None else Fraction(str(each)) for each in times)
                for model in entry["models"]:
                    if (provider, key, model) not in seen:  # of two entries for a model the first holds
                        seen.add((provider, key, model))
                        yield Listed(provider, key, model, factors)


LISTED = list(listed())
NOT_IN_THE_LIST = {
    "claude-mythos-5", "claude-mythos-5-1", "claude-mythos-preview",
    "deep-research-max-preview-04-2026", "deep-research-preview-04-2026", "deep-research-pro-preview-12-2025",
    "ft:gpt-4.1-2025-04-14", "ft:gpt-4.1-mini-2025-04-14", "ft:gpt-4.1-nano-2025-04-14", "ft:o4-mini-2025-04-16",
    "gemini-4-hydrogen", "nano-banana-pro-preview",
    "gpt-5.1-codex-2025-11-13", "gpt-5.1-codex-mini-2025-11-13",
    "grok-4.20-0309", "grok-4.20-non-reasoning", "grok-4.20-non-reasoning-latest",
    "grok-4.20-reasoning", "grok-4.20-reasoning-latest",
}  # fmt: skip
"""Models of `service_levels.json` whose standard price the list does not have."""


def price(provider: str | None, model: str, terms: Terms, at: datetime = NOW) -> Price | None:
    return PRICES(provider, model, terms, to_micros(at))


def dollars(
    provider: str, model: str, level: ServiceLevel | None, usage: Usage, at: datetime = NOW
) -> tuple[str, bool]:
    """What it costs, and whether the level's price was assumed."""
    found = price(provider, model, Terms(level), at)
    assert found is not None
    amount = found.priced(usage).amount
    assert amount is not None
    return f"{amount.dollars.normalize():f}", found.level_assumed


def entry(provider: str, model: str) -> ModelInfo | None:
    """The model as the list itself finds it."""
    try:
        return get_snapshot().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None


def has_variant(one: Listed, at: datetime) -> bool:
    """Whether the list has a price of its own for the level."""
    models = [
        entry(provider, one.model) for provider in {one.provider, "openai" if one.provider == "azure" else one.provider}
    ]
    context = CONTEXTS.get(one.terms.level) or {}
    return any(
        variant.when.items() <= context.items() and (variant.constraint is None or variant.constraint.active(at))
        for model in models
        if model is not None
        for variant in model.price_variants or ()
    )


def test_every_entry_is_reached_by_its_name() -> None:
    for one in LISTED:
        if one.terms.level is not None:
            multiple = multiple_of_level(one.terms.level, one.provider, spellings(one.model, one.model))
        else:
            multiple = multiple_of_geo(one.terms.inference_geo, one.provider, spellings(one.model, one.model))
        assert multiple == one.times, one


def test_every_entry_holds_for_what_the_list_has_no_price_of_its_own_for() -> None:
    held = set()
    missing = set()
    for one in LISTED:
        standard = price(one.provider, one.model, Terms(), BEFORE)
        at_level = price(one.provider, one.model, one.terms, BEFORE)
        if standard is None or at_level is None:
            missing.add(one.model)
            continue
        assert not at_level.level_assumed, one
        if has_variant(one, BEFORE):
            continue
        held.add(one.provider)
        for unit, rate in standard.rates.items():
            factor = one.times[2 if "read" in unit else 1 if "output" in unit else 0] if "tokens" in unit else None
            assert at_level.rates[unit] == (rate if factor is None else rate.times(factor)), (one, unit)
    assert held == {"openai", "azure", "anthropic", "google", "x-ai"}
    assert missing == NOT_IN_THE_LIST


@pytest.mark.parametrize("spelled", ["{provider}/{model}", "{model}", "{upper}"])
def test_entries_are_reached_by_other_spellings_of_their_names(spelled: str) -> None:
    for one in LISTED:
        name = spelled.format(provider=one.provider, model=one.model, upper=one.model.upper())
        by_name = price(one.provider, one.model, one.terms, BEFORE)
        if by_name is not None:
            assert price(one.provider, name, one.terms, BEFORE) == by_name, name


@pytest.mark.parametrize(
    ("provider", "name", "level", "like"),
    [
        ("openai", "gpt-5.2-20251211", ServiceLevel.FLEX, "gpt-5.2-2025-12-11"),
        ("openai", "openai/gpt-5-mini-2025-08-07", ServiceLevel.PRIORITY, "gpt-5-mini"),
        ("anthropic", "anthropic/claude-opus-4-6", ServiceLevel.BATCH, "claude-opus-4-6"),
        ("anthropic", "claude-opus-4-8-20260601", ServiceLevel.FAST, "claude-opus-4-8"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::Ab1", ServiceLevel.BATCH, "ft:gpt-4o-mini-2024-07-18"),
        ("openai", "ft:gpt-4o-2024-08-06:acme:x:Ab1", ServiceLevel.BATCH, "ft:gpt-4o-2024-08-06"),
        ("openai", "ft:gpt-3.5-turbo-0125:acme::Ab1", ServiceLevel.BATCH, "ft:gpt-3.5-turbo"),
        ("azure", "azure/gpt-5-mini-2025-08-07", ServiceLevel.PRIORITY, "gpt-5-mini"),
        ("google", "models/gemini-3.6-flash", ServiceLevel.FLEX, "gemini-3.6-flash"),
    ],
)
def test_a_dated_or_longer_name_has_the_price_of_the_listed_one(
    provider: str, name: str, level: ServiceLevel, like: str
) -> None:
    one, other = price(provider, name, Terms(level), BEFORE), price(provider, like, Terms(level), BEFORE)
    assert one is not None
    assert one == other
    assert not one.level_assumed


MIXED = Usage(prompt=1_000_000, completion=100_000, cache_read=400_000)


@pytest.mark.parametrize(
    ("provider", "model", "level", "at", "usage", "cost", "assumed"),
    [
        # gpt-5-mini: 0.25, 0.025, 2. Half of it in batches and flex; 1.8 times as priority: 0.45, 0.045, 3.6.
        ("openai", "gpt-5-mini", None, NOW, MIXED, "0.36", False),
        ("openai", "gpt-5-mini", ServiceLevel.STANDARD, NOW, MIXED, "0.36", False),
        ("openai", "gpt-5-mini", ServiceLevel.BATCH, NOW, MIXED, "0.18", False),
        ("openai", "gpt-5-mini", ServiceLevel.FLEX, BEFORE, MIXED, "0.18", False),
        ("openai", "gpt-5-mini", ServiceLevel.PRIORITY, NOW, MIXED, "0.648", False),
        ("openai", "gpt-5-mini", ServiceLevel.PRIORITY, BEFORE, MIXED, "0.648", False),
        # gpt-4o: 2.5, 1.25, 10. In batches 1.25 and 5, and cache reads as ever; priority 4.25, 2.125, 17.
        ("openai", "gpt-4o", ServiceLevel.BATCH, BEFORE, MIXED, "1.75", False),
        ("openai", "gpt-4o", ServiceLevel.BATCH, NOW, MIXED, "1.75", False),
        ("openai", "gpt-4o", ServiceLevel.PRIORITY, BEFORE, MIXED, "5.1", False),
        # Nobody sells gpt-4o as flex.
        ("openai", "gpt-4o", ServiceLevel.FLEX, NOW, MIXED, "3", True),
        # claude-opus-4-6: 5, 0.5, 25, writes 6.25 and 10, searches 0.01 each. Half of it in batches, but of searches.
        ("anthropic", "claude-opus-4-6", ServiceLevel.BATCH, BEFORE, MIXED, "2.85", False),
        (
            "anthropic", "claude-opus-4-6", ServiceLevel.BATCH, BEFORE,
            Usage(
                prompt=1_000_000, completion=0, cache_write=1_000_000,
                units={"cache_write_5m_tokens": 600_000, "cache_write_1h_tokens": 400_000, "web_searches": 5},
            ),
            "3.925", False,
        ),
        ("anthropic", "claude-opus-4-8", ServiceLevel.FAST, NOW, Usage(prompt=100_000, completion=0), "1", False),
        ("anthropic", "claude-opus-4-6", ServiceLevel.FAST, NOW, Usage(prompt=100_000, completion=0), "0.5", True),
        # gemini-2.5-flash: 0.3, 0.03, 2.5; flex halves all but cache reads; priority is 1.8 times everything.
        ("google", "gemini-2.5-flash", ServiceLevel.FLEX, BEFORE, MIXED, "0.227", False),
        ("google", "gemini-2.5-flash", ServiceLevel.PRIORITY, BEFORE, MIXED, "0.7956", False),
        # Above a tier too: gpt-5.4 costs 5, 0.5 and 22.5 above 272,000 tokens.
        ("openai", "gpt-5.4", ServiceLevel.FLEX, NOW, Usage(prompt=300_000, completion=10_000), "0.8625", False),
        # Azure by the owner's variant, else by its own multiple (gpt-5.5 priority 2.5 times), else the standard price.
        ("azure", "gpt-5.4-nano", ServiceLevel.BATCH, NOW, Usage(prompt=1_000_000, completion=0), "0.1", False),
        ("azure", "gpt-5.5", ServiceLevel.PRIORITY, BEFORE, Usage(prompt=100_000, completion=10_000), "2", False),
        ("azure", "o1", ServiceLevel.BATCH, BEFORE, Usage(prompt=1_000_000, completion=0), "7.5", False),
        ("azure", "o1", ServiceLevel.PRIORITY, BEFORE, Usage(prompt=1_000_000, completion=0), "15", True),
        # The list says that batches of this one cost the standard price.
        ("openai", "gpt-3.5-turbo-1106", ServiceLevel.BATCH, NOW, Usage(prompt=1_000_000, completion=0), "1", False),
        # Recordings in batches: half of 0.111 an hour.
        ("groq", "whisper-large-v3", ServiceLevel.BATCH, NOW, Usage(units={"audio_seconds": 7200}), "0.111", False),
        ("groq", "whisper-large-v3", ServiceLevel.FLEX, NOW, Usage(units={"audio_seconds": 7200}), "0.222", True),
        # Nobody knows what a level costs at somebody else's.
        ("openrouter", "openai/gpt-4o", ServiceLevel.BATCH, NOW, MIXED, "3", True),
    ],
)  # fmt: skip
def test_what_levels_cost(
    provider: str, model: str, level: ServiceLevel | None, at: datetime, usage: Usage, cost: str, assumed: bool
) -> None:
    assert dollars(provider, model, level, usage, at) == (cost, assumed)


def test_a_level_and_a_place_multiply_each_other() -> None:
    """Opus 4.6 costs 5 and 25 a million: half of it in batches, 1.1 times as much in one country."""
    usage = Usage(prompt=100_000, completion=10_000, units={"web_searches": 1})
    costs = []
    for level, place in ((None, "us"), (ServiceLevel.BATCH, "us"), (ServiceLevel.BATCH, "global"), (None, "eu")):
        one = price("anthropic", "claude-opus-4-6", Terms(level, place))
        assert one is not None
        costs.append(one.priced(usage).amount)
    assert [str(cost and cost.dollars.normalize()) for cost in costs] == ["0.835", "0.4225", "0.385", "0.76"]


def test_a_variant_that_names_some_units_leaves_the_others_as_they_are() -> None:
    """The list has batch prices of o1's input and output only."""
    standard, batch = price("openai", "o1", Terms()), price("openai", "o1", Terms(ServiceLevel.BATCH))
    assert standard is not None
    assert batch is not None
    halves = {unit: rate.times(Fraction(1, 2)) for unit, rate in standard.rates.items() if unit != "cache_read_tokens"}
    assert batch.rates == {**standard.rates, **halves}


def test_multiples_hold_for_tokens_of_their_kind_and_for_nothing_else() -> None:
    multiple = multiple_of_level(ServiceLevel.BATCH, "openai", ["ft:gpt-4o-2024-08-06"])
    assert multiple == Multiple(Fraction(89, 150), Fraction(5, 6), Fraction(12, 25))
    thousand = Rate(1_000, ((10, 3_000),))
    tokens = ("input_audio_tokens", "cache_write_1h_tokens", "output_audio_tokens", "cache_audio_read_tokens")
    others = ("web_searches", "audio_seconds", "input_characters", "requests")
    made = multiple.of(Price.of(dict.fromkeys((*tokens, *others), thousand))).rates
    assert made["input_audio_tokens"] == made["cache_write_1h_tokens"] == Rate(Fraction(1_780, 3), ((10, 1_780),))
    assert made["output_audio_tokens"] == Rate(Fraction(2_500, 3), ((10, 2_500),))
    assert made["cache_audio_read_tokens"] == Rate(480, ((10, 1_440),))
    assert {made[unit] for unit in others} == {thousand}
