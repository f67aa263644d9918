from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from genai_prices.validation import validate_join_coverage
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Priced, Rate, completed, registry
from spendtop.domain.requests.request import Quantities, Usage

IN_AND_OUT = Usage(prompt=1_000, completion=100)


def dollars(text: str) -> Rate:
    """A rate in dollars per million."""
    return Rate.per_million(Decimal(text))


def price(**rates: str) -> Price:
    """Dollars per million, by unit."""
    return Price.of({unit: dollars(text) for unit, text in rates.items()})


PUBLISHED = price(input_tokens="3", output_tokens="15")


def test_cache_reads_and_writes_have_their_own_rates_and_else_count_as_input() -> None:
    usage = Usage(prompt=1_000, completion=0, cache_read=400, cache_write=200)
    full = price(input_tokens="3", output_tokens="15", cache_read_tokens="0.3", cache_write_tokens="3.75")
    assert full.priced(usage).amount == Usd(400 * 3_000 + 400 * 300 + 200 * 3_750)
    assert PUBLISHED.priced(usage).amount == Usd(1_000 * 3_000)
    assert full.priced(Usage(prompt=100, completion=0, cache_read=400)) == Priced(None)


def test_above_a_tiers_start_its_rate_holds_for_the_whole_request() -> None:
    tiered = Rate.per_million(Decimal("1.25"), ((200_000, Decimal("2.50")), (400_000, Decimal("5"))))
    price = Price.of(
        {"input_tokens": tiered, "output_tokens": Rate.per_million(Decimal(10), ((200_000, Decimal(15)),))}
    )

    def cost(prompt: int) -> Usd | None:
        return price.priced(Usage(prompt=prompt, completion=1_000)).amount

    assert cost(200_000) == Usd.of("0.26")
    assert cost(200_001) == Usd.of("0.5150025")
    assert cost(400_001) == Usd.of("2.015005")


def test_a_model_without_output_has_no_price_for_output() -> None:
    embedding = Price.of({"input_tokens": dollars("0.1")})
    assert embedding.priced(Usage(prompt=1_000)).amount == Usd(100_000)
    assert embedding.priced(Usage(prompt=1_000, completion=0)).amount == Usd(100_000)
    assert embedding.priced(Usage(prompt=1_000, completion=1)) == Priced(Usd(100_000), {"output_tokens": 1})


def test_a_price_per_request_comes_on_top() -> None:
    rates = {"input_tokens": dollars("1"), "output_tokens": dollars("1"), "requests": Rate.of(Decimal(12), 1_000)}
    assert Price.of(rates).priced(IN_AND_OUT).amount == Usd(13_100_000)


def test_each_request_is_rounded_once_half_even() -> None:
    half = Price.of({"input_tokens": Rate(500_000_000_000), "output_tokens": Rate(0)})
    assert [half.priced(Usage(prompt=n, completion=0)).amount for n in (1, 2, 3, 4, 5)] == [
        Usd(n) for n in (0, 1, 2, 2, 2)
    ]


def test_what_no_request_costs_is_unknown() -> None:
    absurd = Price.of({"input_tokens": dollars("1000000000"), "output_tokens": dollars("0")})
    assert absurd.priced(Usage(prompt=10**10, completion=0)).amount is None


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.decimals(0, 500, places=4), st.decimals(0, 500, places=4))
def test_tokens_times_price_is_exact_to_half_a_nano(
    prompt: int, completion: int, per_input: Decimal, per_output: Decimal
) -> None:
    price = Price.of({"input_tokens": Rate.per_million(per_input), "output_tokens": Rate.per_million(per_output)})
    cost = price.priced(Usage(prompt=prompt, completion=completion)).amount
    exact = (prompt * per_input + completion * per_output) * 1_000
    assert cost is not None
    assert abs(cost.nano - exact) <= Decimal("0.5")


VOICE = price(
    input_tokens="4", input_audio_tokens="32", cache_read_tokens="0.4", output_tokens="16", output_audio_tokens="64"
)
"""Cached audio has no price of its own here."""


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        # What is part of a priced unit, and has no price, costs as that unit does.
        (Usage(prompt=10, completion=10, reasoning=8), Usd(10 * 4_000 + 10 * 16_000)),
        (Usage(prompt=10, completion=0, units={"input_image_tokens": 5}), Usd(10 * 4_000)),
        (Usage(prompt=10, completion=0, cache_write=4, units={"cache_write_1h_tokens": 4}), Usd(10 * 4_000)),
        # What is priced apart is taken out of what includes it.
        (Usage(prompt=10, completion=0, units={"input_audio_tokens": 4}), Usd(6 * 4_000 + 4 * 32_000)),
        (
            Usage(prompt=10, completion=10, units={"input_audio_tokens": 4, "output_audio_tokens": 3}),
            Usd(6 * 4_000 + 4 * 32_000 + 7 * 16_000 + 3 * 64_000),
        ),
        # Cached audio costs as the dearer of the two that it is.
        (
            Usage(prompt=10, completion=0, cache_read=3, units={"input_audio_tokens": 4, "cache_audio_read_tokens": 2}),
            Usd(5 * 4_000 + 1 * 400 + 4 * 32_000),
        ),
        # How much of the audio was cached is not said: all of it, none of it, or one cannot know.
        (Usage(prompt=9, completion=0, cache_read=3, units={"input_audio_tokens": 9}), Usd(9 * 32_000)),
        (
            Usage(prompt=9, completion=0, cache_read=3, units={"input_audio_tokens": 4, "cache_text_read_tokens": 3}),
            Usd(2 * 4_000 + 3 * 400 + 4 * 32_000),
        ),
        (Usage(prompt=9, completion=0, cache_read=3, units={"input_audio_tokens": 4}), None),
        (Usage(prompt=9, completion=0, cache_read=0, units={"input_audio_tokens": 4}), Usd(5 * 4_000 + 4 * 32_000)),
        (Usage(prompt=4, completion=0, cache_read=4, units={"input_audio_tokens": 4}), Usd(4 * 32_000)),
    ],
)
def test_each_quantity_is_charged_once_at_its_nearest_price(usage: Usage, cost: Usd | None) -> None:
    assert VOICE.priced(usage) == Priced(cost)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt=10, completion=5, cache_read=11),
        Usage(prompt=10, completion=5, cache_read=6, cache_write=5),
        Usage(prompt=10, completion=5, reasoning=6),
        Usage(prompt=0, completion=5, cache_read=1),
        Usage(prompt=10, completion=5, units={"input_audio_tokens": 11}),
        Usage(prompt=10, completion=5, units={"input_text_tokens": 6, "input_image_tokens": 5}),
        Usage(prompt=10, completion=5, cache_read=2, units={"cache_audio_read_tokens": 3}),
        Usage(prompt=10, completion=5, cache_write=2, units={"cache_write_1h_tokens": 3}),
        Usage(prompt=10, completion=5, units={"cache_write_5m_tokens": 6, "cache_write_1h_tokens": 5}),
        Usage(prompt=10, completion=5, units={"audio_seconds": 1.5, "input_audio_seconds": 1.6}),
        Usage(prompt=10, completion=5, units={"input_document_pages": 1, "input_annotated_document_pages": 2}),
    ],
)
@pytest.mark.parametrize("rates", [PUBLISHED, VOICE, price(input_tokens="1"), price(web_searches="1")])
def test_parts_that_are_more_than_their_whole_make_a_cost_unknown(usage: Usage, rates: Price) -> None:
    assert rates.priced(usage) == Priced(None)
    assert completed(usage) is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt=10, completion=5, cache_read=6, cache_write=4, reasoning=5),
        Usage(prompt=10, completion=5, units={"input_text_tokens": 6, "input_image_tokens": 4}),
        Usage(prompt=10, completion=5, cache_read=10, units={"input_audio_tokens": 10}),
        Usage(
            prompt=10,
            completion=5,
            units={"audio_seconds": 0.3, "input_audio_seconds": 0.1, "output_audio_seconds": 0.2},
        ),
    ],
)
def test_parts_may_be_all_of_their_whole(usage: Usage) -> None:
    assert PUBLISHED.priced(usage).amount == Usd(10 * 3_000 + 5 * 15_000)


@pytest.mark.parametrize(
    ("rates", "usage", "cost"),
    [
        # Tokens that the price asks for are unknown.
        (PUBLISHED, Usage(prompt=10), Priced(None)),
        (PUBLISHED, Usage(completion=10), Priced(None)),
        (PUBLISHED, Usage(cache_read=10), Priced(None)),
        (PUBLISHED, Usage(units={"input_audio_tokens": 10}), Priced(None)),
        (PUBLISHED, Usage(units={"web_searches": 10}), Priced(None)),
        (price(web_searches="1"), Usage(prompt=10), Priced(None, {"input_tokens": 10})),
        # A model without output, and ones without tokens.
        (price(input_tokens="1"), Usage(prompt=10), Priced(Usd(10_000))),
        (price(rerank_searches="2000"), Usage(units={"rerank_searches": 2}), Priced(Usd(4_000_000))),
        (price(audio_seconds="100"), Usage(units={"input_audio_seconds": 0.5}), Priced(Usd(50_000))),
        (
            price(audio_seconds="100"),
            Usage(units={"audio_seconds": 1.5, "input_audio_seconds": 1.5}),
            Priced(Usd(150_000)),
        ),
        (price(input_pixels="1"), Usage(units={"input_pixels": 1_048_576}), Priced(Usd(1_048_576_000))),
        (
            price(input_document_pages="1000", input_annotated_document_pages="3000"),
            Usage(units={"input_document_pages": 5, "input_annotated_document_pages": 2}),
            Priced(Usd(3 * 1_000_000 + 2 * 3_000_000)),
        ),
        (
            price(audio_seconds="100", input_tokens="1", output_tokens="1"),
            Usage(units={"audio_seconds": 2}),
            Priced(Usd(200_000)),
        ),
        (
            price(audio_seconds="100"),
            Usage(units={"audio_seconds": 2, "input_audio_tokens": 9}),
            Priced(Usd(200_000), {"input_audio_tokens": 9}),
        ),
        # Without a price of their own, or of what includes them.
        (PUBLISHED, Usage(prompt=1, completion=0, units={"web_searches": 2}), Priced(Usd(3_000), {"web_searches": 2})),
        (PUBLISHED, Usage(prompt=0, completion=0, units={"web_searches": 2}), Priced(None, {"web_searches": 2})),
        (PUBLISHED, Usage(units={"input_audio_seconds": 1.5}), Priced(None, {"input_audio_seconds": 1.5})),
        (PUBLISHED, Usage(prompt=1, completion=0, units={"unheard_of": 2}), Priced(Usd(3_000), {"unheard_of": 2})),
        (
            price(input_audio_tokens="10"),
            Usage(prompt=10, completion=3, cache_read=1, units={"input_audio_tokens": 4, "cache_text_read_tokens": 1}),
            Priced(Usd(40_000), {"input_tokens": 6, "output_tokens": 3}),
        ),
        (
            price(input_tokens="1"),
            Usage(prompt=10, completion=3, reasoning=2),
            Priced(Usd(10_000), {"output_tokens": 3}),
        ),
        # Free is a price.
        (
            price(input_tokens="0", output_tokens="0"),
            Usage(prompt=1, completion=1, units={"web_searches": 1}),
            Priced(Usd(0), {"web_searches": 1}),
        ),
        (price(input_tokens="0", output_tokens="0"), Usage(prompt=1, completion=1), Priced(Usd(0))),
        # A charge for each request, and for several in one record.
        (price(requests="5000"), Usage(prompt=1, completion=0), Priced(Usd(5_000_000), {"input_tokens": 1})),
        (price(requests="5000"), Usage(units={"requests": 3}), Priced(Usd(15_000_000))),
        (PUBLISHED, Usage(prompt=1, completion=0, units={"requests": 3}), Priced(Usd(3_000))),
    ],
)
def test_what_has_a_price_and_what_is_left_out(rates: Price, usage: Usage, cost: Priced) -> None:
    assert rates.priced(usage) == cost


def test_what_two_units_share_always_has_a_price() -> None:
    units = ("input_tokens", "input_audio_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    charged = {charge.unit for charge in Price.of(dict.fromkeys(units, dollars("1"))).charges}
    validate_join_coverage(charged, registry())
    assert charged - set(units) == {
        "cache_audio_read_tokens",
        "cache_audio_write_tokens",
        "cache_audio_write_1h_tokens",
    }


def test_a_charge_begins_at_a_least_quantity() -> None:
    voice = Price.of({"audio_seconds": dollars("100")}, least={"audio_seconds": 10})
    for price, per_second in ((voice, 100_000), (voice.times({"audio_seconds": Fraction(1, 2)}), 50_000)):
        amounts = [price.priced(Usage(units={"audio_seconds": seconds})).amount for seconds in (0.5, 10, 20)]
        assert amounts == [Usd(10 * per_second), Usd(10 * per_second), Usd(20 * per_second)]
    assert voice.priced(Usage(prompt=5, completion=5)).amount is None


def test_a_multiple_is_of_all_tiers_and_keeps_where_it_comes_from() -> None:
    tiered = Rate.per_million(Decimal(3), ((100, Decimal(6)),))
    rates = {"input_tokens": tiered, "output_tokens": tiered, "requests": dollars("7")}
    half = Price.of(rates, version="list 1").times({"input_tokens": Fraction(1, 2)})
    assert half.priced(Usage(prompt=200, completion=1)).amount == Usd(200 * 3_000 + 6_000 + 7_000)
    assert (half.version, half.level_assumed) == ("list 1", False)


@given(
    st.fixed_dictionaries({}, optional={unit: st.integers(1, 50) for unit in registry().units}),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_whatever_is_reported_has_one_cost_or_none(units: Quantities, prompt: int, completion: int) -> None:
    used = {unit: count for unit, count in units.items() if unit not in ("input_tokens", "output_tokens")}
    usage = Usage(prompt=prompt, completion=completion, units=used or None)
    for rates in (PUBLISHED, VOICE):
        cost = rates.priced(usage)
        if completed(usage) is None:
            assert cost == Priced(None)
        for unit, count in (cost.unpriced or {}).items():
            assert 0 < count <= usage.quantities[unit]
            assert registry().ancestor_usage_keys(unit).isdisjoint(rates.rates)
