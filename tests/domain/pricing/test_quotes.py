"""What the list's own arithmetic computes, ours does too, to the nano-USD; what it leaves out silently, ours says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import NamedTuple

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Priced, registry
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.quotes import CONTEXTS, Quote
from spendtop.domain.pricing.service_levels import multiple_of_level, spellings
from spendtop.domain.requests.request import COUNTED_UNITS, Quantities, ServiceLevel, Usage

UNITS = registry().units
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LEVELS = (None, *ServiceLevel)


class Called(NamedTuple):
    """A model as it is called at a time."""

    provider: Provider
    model: ModelInfo
    level: ServiceLevel | None
    at: datetime

    @property
    def price(self) -> Price | None:
        quote = Quote(self.provider.id, self.model, self.model.id, Terms(self.level), "list")
        return quote.price(to_micros(self.at))

    @property
    def has_multiple(self) -> bool:
        """Whether the level's price is not the list's own."""
        names = spellings(self.model.id, self.model.id)
        return multiple_of_level(self.level, self.provider.id, names) is not None and not self.has_variant

    @property
    def has_variant(self) -> bool:
        context = CONTEXTS.get(self.level) or {}
        return any(
            variant.when.items() <= context.items()
            and (variant.constraint is None or variant.constraint.active(self.at))
            for variant in self.model.price_variants or ()
        )

    def exact(self, used: Mapping[str, int | float]) -> Decimal:
        """What the list's own arithmetic makes of it; raises ValueError."""
        return self.model.calc_price(
            TheirUsage(**used),
            self.provider,
            genai_request_timestamp=self.at,
            price_context=CONTEXTS.get(self.level),
        ).total_price


def priced(called: Called, used: Mapping[str, int | float]) -> Priced | None:
    price = called.price
    return None if price is None else price.priced(usage_of(used))


def usage_of(used: Mapping[str, int | float]) -> Usage:
    """A request's usage: the counts, and the units that are not zero."""
    counts = [used.get(unit) for unit in COUNTED_UNITS]
    assert all(count is None or isinstance(count, int) for count in counts)
    units: Quantities = {unit: count for unit, count in used.items() if count and unit not in COUNTED_UNITS}
    names = ("prompt", "completion", "cache_read", "cache_write", "reasoning")
    return Usage(**dict(zip(names, counts, strict=True)), units=units or None)  # type: ignore[arg-type]


CELLS = [unit for unit in UNITS if not any(unit in registry().ancestor_usage_keys(other) for other in UNITS)]
"""Units that include no others."""
PLAIN = {"direction", "modality", "token_type", "cache_ttl"}


def consistent(random: Random, largest: int, families: frozenset[str] | None = None) -> dict[str, int | float]:
    """Quantities of all units that agree with each other: those of which every other consists, then their sums."""
    cells: list[tuple[dict[str, str], int | float]] = []
    tokens = product(("input",), ("text", "audio", "image", "video"), (None, "cache_read", "5m", "1h", "tool"))
    outputs = product(("output",), ("text", "audio", "image", "video"), (None, "reasoning", "citation"))
    for direction, modality, kind in (*tokens, *outputs):
        dimensions = {"family": "tokens", "direction": direction, "modality": modality}
        if kind in ("5m", "1h"):
            dimensions |= {"token_type": "cache_write", "cache_ttl": kind}
        elif kind is not None:
            dimensions |= {"token_type": kind}
        if random.random() < 0.5:
            cells.append((dimensions, random.randint(0, largest)))
    for unit in CELLS:
        family = UNITS[unit].dimensions["family"]
        if family not in ("tokens", "requests") and random.random() < 0.5:
            amount = round(random.uniform(0, 900), 3) if family == "durations" else random.randint(0, 5_000)
            cells.append((dict(UNITS[unit].dimensions), amount))
    used: dict[str, int | float] = {}
    for unit, definition in UNITS.items():
        wanted = definition.dimensions["family"]
        if unit == "requests" or (families is not None and wanted not in families):
            continue
        within = [amount for dimensions, amount in cells if definition.dimensions.items() <= dimensions.items()]
        used[unit] = round(sum(within), 3) if wanted == "durations" else int(sum(within))
    return used


def prices_of(model: ModelInfo) -> list[ModelPrice]:
    """The standard prices that it ever has."""
    return [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]


def units_of(model: ModelInfo) -> frozenset[str]:
    """The units that it is ever billed in."""
    keys = {key for each in prices_of(model) for key, price in vars(each).items() if price is not None}
    return frozenset(registry().unit_for_price_key(key).usage_key for key in keys)


def families_of(model: ModelInfo) -> frozenset[str]:
    return frozenset(UNITS[unit].dimensions["family"] for unit in units_of(model))


def moments(model: ModelInfo) -> Iterator[datetime]:
    """Now, and just before and at every change of the price."""
    yield NOW
    conditional = model.prices if isinstance(model.prices, list) else []
    for constraint in (each.constraint for each in (*conditional, *(model.price_variants or ()))):
        for name in ("start_date", "start_time", "end_time"):
            if (edge := getattr(constraint, name, None)) is None:
                continue
            at = (
                datetime.combine(NOW.date(), edge.replace(tzinfo=UTC))
                if isinstance(edge, time)
                else datetime(edge.year, edge.month, edge.day, tzinfo=UTC)
            )
            yield from (at - timedelta(microseconds=1), at, at + timedelta(hours=1))


def edges(model: ModelInfo) -> list[int]:
    """Input tokens at which the price changes."""
    tiered = [price for each in prices_of(model) for price in vars(each).values() if isinstance(price, TieredPrices)]
    return sorted({tier.start for price in tiered for tier in price.tiers})


def differs(called: Called, used: Mapping[str, int | float]) -> str | None:
    """How the two figures differ; None where they do not."""
    ours, exact = priced(called, used), called.exact(used)
    where = f"{called.provider.id} {called.model.id} {called.level} {called.at} {used}"
    if ours is None:
        return None if exact == 0 else f"{where}: no price, not {exact}"
    if ours.amount is None:
        return None if exact == 0 and ours.unpriced else f"{where}: unknown, not {exact}"
    return None if ours.amount == Usd.of(exact) else f"{where}: {ours.amount.dollars}, not {exact}"


def test_every_model_costs_what_the_list_itself_computes_with_everything_that_is_billed() -> None:
    differences = []
    for number, (provider, model) in enumerate(MODELS):
        random = Random(number)
        used = consistent(random, random.choice((50, 5_000, 60_000)), families_of(model) | {"tokens"})
        differences.append(differs(Called(provider, model, None, NOW), used))
    assert [difference for difference in differences if difference] == []


def test_every_model_costs_the_same_at_every_level_of_its_own() -> None:
    differences = []
    for number, (provider, model) in enumerate(MODELS):
        for level in ServiceLevel if model.price_variants else ():
            called = Called(provider, model, level, NOW)
            if not called.has_multiple:
                differences.append(differs(called, consistent(Random(number), 5_000, families_of(model))))
    assert len(differences) > 300
    assert [difference for difference in differences if difference] == []


def test_prices_change_with_dates_and_times_of_day() -> None:
    differences = []
    for number, (provider, model) in enumerate(MODELS):
        for at in list(moments(model))[1:]:
            called = Called(provider, model, Random(number).choice(LEVELS), at)
            if not called.has_multiple:
                differences.append(differs(called, consistent(Random(number), 1_000, families_of(model))))
    assert len(differences) > 1_000
    assert [difference for difference in differences if difference] == []


def test_tiers_begin_above_their_edge() -> None:
    differences = []
    for provider, model in MODELS:
        for edge, beyond in product(edges(model), (-1, 0, 1, 100_000)):
            used = {"input_tokens": edge + beyond, "output_tokens": 1_000, "cache_read_tokens": edge // 2}
            differences.append(differs(Called(provider, model, None, NOW), used))
    assert len(differences) > 300
    assert [difference for difference in differences if difference] == []


MANY = [(provider, model) for provider, model in MODELS if len(units_of(model)) > 4]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(MANY),
    st.sampled_from(LEVELS),
    st.integers(0, 2**32),
    st.sampled_from((3, 10_000, 10**7)),
    st.integers(0, 730),
)
def test_models_of_many_units(
    one: tuple[Provider, ModelInfo], level: ServiceLevel | None, seed: int, largest: int, days: int
) -> None:
    called = Called(*one, level, NOW - timedelta(days=days))
    if not called.has_multiple:
        assert differs(called, consistent(Random(seed), largest)) is None


def model(provider: str, name: str) -> Called:
    return next(Called(*one, None, NOW) for one in MODELS if (one[0].id, one[1].id) == (provider, name))


@pytest.mark.parametrize("name", ["whisper-large-v3", "whisper-large-v3-turbo"])
@pytest.mark.parametrize("unit", ["audio_seconds", "input_audio_seconds"])
@pytest.mark.parametrize("seconds", [0.1, 9.999, 10, 10.5, 3_600])
@pytest.mark.parametrize("level", [None, ServiceLevel.BATCH])
def test_groq_charges_ten_seconds_at_least(name: str, unit: str, seconds: float, level: ServiceLevel | None) -> None:
    called = model("groq", name)._replace(level=level)
    assert differs(called, {unit: seconds}) is None


@pytest.mark.parametrize(
    ("provider", "name", "used"),
    [
        ("groq", "whisper-large-v3", {"audio_seconds": 825.969}),
        (
            "openrouter",
            "google/gemini-3.1-flash-lite:batch",
            {"input_tokens": 13, "output_tokens": 1, "cache_read_tokens": 5, "cache_write_tokens": 3},
        ),
    ],
)
def test_a_price_without_end_is_exact_all_the_same(provider: str, name: str, used: dict[str, int | float]) -> None:
    """Half a nano-dollar by the hour, and a trifle less by a third of a price."""
    assert differs(model(provider, name), used) is None


WHERE_THEIRS_RAISES: list[tuple[str, str, dict[str, int | float], int | None]] = [
    # Parts are more than their whole.
    ("openai", "gpt-4o", {"input_tokens": 10, "output_tokens": 1, "cache_read_tokens": 11}, None),
    ("perplexity", "sonar-deep-research", {"input_tokens": 1, "output_tokens": 5, "output_reasoning_tokens": 6}, None),
    # The whole is not known.
    ("openai", "gpt-realtime", {"input_audio_tokens": 10, "output_tokens": 0}, None),
    ("anthropic", "claude-opus-4-6", {"output_tokens": 5, "cache_read_tokens": 1}, None),
    # Nobody says how much of the audio was cached, and both are possible.
    (
        "openai",
        "gpt-realtime",
        {"input_tokens": 100, "output_tokens": 0, "input_audio_tokens": 50, "cache_read_tokens": 40},
        None,
    ),
    # All is audio, so what was cached is audio: 100 x 32 - 40 x (32 - 0.4).
    (
        "openai",
        "gpt-realtime",
        {"input_tokens": 100, "output_tokens": 0, "input_audio_tokens": 100, "cache_read_tokens": 40},
        60 * 32_000 + 40 * 400,
    ),
    # All that was cached is text.
    (
        "openai",
        "gpt-realtime",
        {
            "input_tokens": 100,
            "output_tokens": 0,
            "input_audio_tokens": 50,
            "cache_read_tokens": 40,
            "cache_text_read_tokens": 40,
        },
        10 * 4_000 + 40 * 400 + 50 * 32_000,
    ),
    # A whole that follows from its parts.
    ("openai", "whisper-1", {"input_audio_seconds": 90}, 9_000_000),
    (
        "anthropic",
        "claude-opus-4-6",
        {"input_tokens": 12, "output_tokens": 0, "cache_write_1h_tokens": 10},
        2 * 5_000 + 10 * 10_000,
    ),
]


@pytest.mark.parametrize(("provider", "name", "used", "nano"), WHERE_THEIRS_RAISES)
def test_what_the_list_refuses_is_unknown_or_follows(
    provider: str, name: str, used: dict[str, int | float], nano: int | None
) -> None:
    called = model(provider, name)
    with pytest.raises(ValueError, match=r"Missing usage|Invalid usage"):
        called.exact(used)
    assert priced(called, used) == Priced(None if nano is None else Usd(nano))


WHERE_THEIRS_IS_SILENT: list[tuple[str, str, dict[str, int | float], Priced | None]] = [
    (
        "openai",
        "gpt-4o-mini",
        {"input_tokens": 1_000, "output_tokens": 100, "code_executions": 2, "input_audio_seconds": 1.5},
        Priced(Usd(210_000), {"code_executions": 2, "input_audio_seconds": 1.5}),
    ),
    ("openai", "gpt-4o", {"input_tokens": 1_000}, Priced(None)),
    ("openai", "gpt-4o", {"output_tokens": 1_000}, Priced(None)),
    ("openai", "gpt-4o", {"web_searches": 3}, Priced(None)),
    ("openai", "gpt-4o", {"input_audio_seconds": 30}, Priced(None, {"input_audio_seconds": 30})),
    ("openai", "text-embedding-3-small", {"input_tokens": 1_000}, Priced(Usd(20_000))),
    (
        "openai",
        "text-embedding-3-small",
        {"input_tokens": 1_000, "output_tokens": 7, "output_reasoning_tokens": 5},
        Priced(Usd(20_000), {"output_tokens": 7}),
    ),
    ("openai", "moderation", {"input_tokens": 100, "output_tokens": 0}, None),
    ("openrouter", "openai/gpt-oss-20b:free", {"input_tokens": 100, "output_tokens": 5}, Priced(Usd(0))),
    (
        "openrouter",
        "openai/gpt-oss-20b:free",
        {"input_tokens": 100, "output_tokens": 5, "web_searches": 1},
        Priced(Usd(0), {"web_searches": 1}),
    ),
]


@pytest.mark.parametrize(("provider", "name", "used", "cost"), WHERE_THEIRS_IS_SILENT)
def test_what_the_list_leaves_out_is_said(
    provider: str, name: str, used: dict[str, int | float], cost: Priced | None
) -> None:
    called = model(provider, name)
    called.exact(used)
    assert priced(called, used) == cost
