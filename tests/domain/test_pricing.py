from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.money import Usd
from spendtop.domain.prices import Price, Priced, Rate
from spendtop.domain.pricing import Hook, Pricer, Terms, is_trusted
from spendtop.domain.request import Basis, Cost, Request, Status, TimeSource, Usage
from spendtop.domain.sources import HELICONE

IN_AND_OUT = Usage(prompt=1_000, completion=100)
NOTHING = Usage(prompt=0, completion=0)


def dollars(text: str) -> Rate:
    """A rate in dollars per million tokens."""
    return Rate.per_million(Decimal(text))


OWN = Price.of(
    {"input_tokens": dollars("0.20"), "output_tokens": dollars("0.80"), "cache_read_tokens": dollars("0.02")}
)
PUBLISHED = Price.of({"input_tokens": dollars("3"), "output_tokens": dollars("15")}, version="list 1")


def request(reported: int | None = None, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": HELICONE,
        "external_id": "id",
        "received_at": 5,
        "occurred_at": 5,
        "time_source": TimeSource.RECEIVED,
        "model": "gpt-4o",
        "provider": "openai",
        "usage": IN_AND_OUT,
        "cost": Cost(reported=None if reported is None else Usd(reported)),
    }
    return Request(**{**values, **fields})


def catalogue(provider: str | None, model: str, terms: Terms, at: int) -> Price | None:
    return PUBLISHED if (provider, model, at) in {("openai", "gpt-4o", 5), (None, "gpt-4o", 5)} else None


def pricer(hook: Hook | None = None) -> Pricer:
    return Pricer({"ACME-private-7b": OWN}, hook, catalogue)


def priced(one: Request, hook: Hook | None = None) -> tuple[int | None, str, str | None]:
    cost = pricer(hook).cost(one)
    return (None if cost.amount is None else cost.amount.nano, cost.basis.value, cost.price_version)


@pytest.mark.parametrize(
    ("reported", "usage", "status", "cached", "trusted"),
    [
        (1, Usage(), Status.OK, False, True),
        (1, NOTHING, Status.ERROR, False, True),
        (-1, IN_AND_OUT, Status.OK, False, False),
        (-1, IN_AND_OUT, Status.OK, True, False),
        (0, IN_AND_OUT, Status.OK, False, False),
        (0, IN_AND_OUT, Status.ERROR, False, False),
        (0, IN_AND_OUT, Status.OK, True, True),
        (0, Usage(), Status.OK, False, False),
        (0, NOTHING, Status.OK, False, False),
        (0, NOTHING, Status.CANCELLED, False, False),
        (0, NOTHING, Status.ERROR, False, True),
        (0, Usage(), Status.ERROR, False, True),
        (0, Usage(), Status.OK, True, True),
        (10**15, IN_AND_OUT, Status.OK, False, True),
        (10**15 + 1, IN_AND_OUT, Status.OK, False, False),
    ],
)
def test_a_reported_cost_is_trusted_when(
    reported: int, usage: Usage, status: Status, cached: bool, trusted: bool
) -> None:
    assert is_trusted(Usd(reported), request(usage=usage, status=status, cached=cached)) is trusted


def test_a_trusted_report_wins_and_the_computed_cost_stands_beside_it() -> None:
    cost = pricer().cost(request(7))
    assert cost == Cost(amount=Usd(7), basis=Basis.REPORTED, reported=Usd(7), computed=Usd(4_500_000))


def test_an_untrusted_report_gives_way_to_the_computed_cost_and_is_kept() -> None:
    cost = pricer().cost(request(-12_500))
    assert (cost.amount, cost.basis, cost.reported) == (Usd(4_500_000), Basis.COMPUTED, Usd(-12_500))


def test_own_prices_come_before_the_hook_and_the_hook_before_the_list() -> None:
    def hook(one: Request) -> tuple[Usd | None, bool]:
        return Usd(9), True

    assert priced(request(model="acme-PRIVATE-7b"), hook) == (280_000, "computed", "own")
    assert priced(request(), hook) == (9, "computed", "hook")
    assert priced(request(), lambda one: (None, False)) == (4_500_000, "computed", "list 1")
    assert priced(request()) == (4_500_000, "computed", "list 1")


def test_a_hook_that_decides_on_unknown_leaves_it_unknown() -> None:
    assert priced(request(), lambda one: (None, True)) == (None, "unknown", None)


def test_a_hook_may_price_what_has_no_model_and_no_tokens() -> None:
    assert priced(request(model=None, usage=Usage()), lambda one: (Usd(5), True)) == (5, "computed", "hook")


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "totally-unknown-model-9"},
        {"model": None},
        {"usage": Usage()},
        {"usage": Usage(prompt=10)},
        {"usage": Usage(completion=10)},
        {"usage": NOTHING},
        {"provider": "nosuch"},
        {"occurred_at": 6},
    ],
)
def test_what_cannot_be_computed_is_unknown_and_never_nothing(fields: dict[str, Any]) -> None:
    assert priced(request(None, **fields)) == (None, "unknown", None)
    assert priced(request(0, **fields)) == (None, "unknown", None)


def test_an_error_that_used_nothing_costs_nothing() -> None:
    assert priced(request(None, usage=NOTHING, status=Status.ERROR)) == (0, "computed", None)
    assert priced(request(0, usage=NOTHING, status=Status.ERROR)) == (0, "reported", None)


@pytest.mark.parametrize("reported", [None, 0, 5, -5])
def test_a_hit_in_the_gateways_cache_costs_nothing(reported: int | None) -> None:
    cost = pricer().cost(request(reported, cached=True))
    assert (cost.amount, cost.basis, cost.computed) == (Usd(0), Basis.REPORTED, Usd(4_500_000))


def test_cache_reads_and_writes_have_their_own_rates_and_else_count_as_input() -> None:
    usage = Usage(prompt=1_000, completion=0, cache_read=400, cache_write=200)
    full = Price.of(
        {
            "input_tokens": dollars("3"),
            "output_tokens": dollars("15"),
            "cache_read_tokens": dollars("0.3"),
            "cache_write_tokens": dollars("3.75"),
        }
    )
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


def test_a_limits_ceiling_is_the_own_or_the_published_price() -> None:
    assert pricer().ceiling("Acme-Private-7B", 5) is OWN
    assert pricer().ceiling("gpt-4o", 5) is PUBLISHED
    assert pricer().ceiling("nosuch", 5) is None


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.decimals(0, 500, places=4), st.decimals(0, 500, places=4))
def test_tokens_times_price_is_exact_to_half_a_nano(
    prompt: int, completion: int, per_input: Decimal, per_output: Decimal
) -> None:
    price = Price.of({"input_tokens": Rate.per_million(per_input), "output_tokens": Rate.per_million(per_output)})
    cost = price.priced(Usage(prompt=prompt, completion=completion)).amount
    exact = (prompt * per_input + completion * per_output) * 1_000
    assert cost is not None
    assert abs(cost.nano - exact) <= Decimal("0.5")
