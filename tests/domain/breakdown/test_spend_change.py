"""Why spend changed: the causes add up, and each is nothing where it does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.breakdown.spend_change import Cause, ModelUsage, Prices, prices_shown_by, spend_change
from spendtop.domain.money import Usd

CHEAP: Prices = (Fraction(100), Fraction(10), Fraction(125), Fraction(800))
DEAR: Prices = (Fraction(3000), Fraction(300), Fraction(3750), Fraction(15000))
counts = st.integers(0, 10**7)
usages = st.builds(
    lambda requests, hits, fresh, read, written, output, nano: (
        ModelUsage(requests + hits, hits, fresh, read, written, output, Usd(nano))
        if requests
        else ModelUsage(hits, hits)
    ),
    st.integers(0, 10**5),
    st.integers(0, 10**5),
    *[counts] * 4,
    st.integers(0, 10**13),
)
uses = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), usages)
prices = st.fixed_dictionaries({}, optional={"a": st.just(CHEAP), "b": st.just(DEAR)})


def billed(requests: int, tokens: tuple[int, int, int, int], at: Prices, hits: int = 0) -> ModelUsage:
    """So many requests that each used these tokens, at these prices; `hits` more cost nothing."""
    each = sum(int(price) * count for price, count in zip(at, tokens, strict=True))
    fresh, read, written, output = (count * requests for count in tokens)
    return ModelUsage(requests + hits, hits, fresh, read, written, output, Usd(each * requests))


def causes(before: Mapping[str, ModelUsage], after: Mapping[str, ModelUsage]) -> dict[Cause, int]:
    """In nano-USD, without those that are nothing."""
    change = spend_change(before, after, {"cheap": CHEAP, "dear": DEAR})
    return {cause: amount.nano for cause, amount in change.largest_first}


@given(uses, uses, prices)
def test_the_causes_add_up_to_the_difference(
    before: dict[str, ModelUsage], after: dict[str, ModelUsage], known: dict[str, Prices]
) -> None:
    change = spend_change(before, after, known)
    spent = [sum(use.cost.nano for use in side.values()) for side in (before, after)]
    assert sum(amount.nano for amount in change.causes.values()) == change.total.nano == spent[1] - spent[0]
    assert set(change.causes) == set(Cause)


@given(uses, prices)
def test_where_nothing_changed_no_cause_is_named(same: dict[str, ModelUsage], known: dict[str, Prices]) -> None:
    assert spend_change(same, same, known).largest_first == []


amounts = st.integers(1, 300)
lengths = st.tuples(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 900), st.integers(1, 900))


@given(amounts, amounts, amounts, lengths)
def test_more_of_the_same_is_volume_alone(cheap: int, dear: int, times: int, tokens: tuple[int, int, int, int]) -> None:
    before = {"cheap": billed(cheap, tokens, CHEAP), "dear": billed(dear, tokens, DEAR)}
    after = {"cheap": billed(cheap * times, tokens, CHEAP), "dear": billed(dear * times, tokens, DEAR)}
    assert set(causes(before, after)) <= {Cause.VOLUME}


@given(amounts, amounts, amounts, lengths)
def test_the_same_requests_to_other_models_are_mix_alone(
    cheap: int, dear: int, moved: int, tokens: tuple[int, int, int, int]
) -> None:
    before = {"cheap": billed(cheap + moved, tokens, CHEAP), "dear": billed(dear, tokens, DEAR)}
    after = {"cheap": billed(cheap, tokens, CHEAP), "dear": billed(dear + moved, tokens, DEAR)}
    assert set(causes(before, after)) == {Cause.MIX}


@given(amounts, lengths, lengths)
def test_other_quantities_at_the_same_prices_are_never_a_price(
    requests: int, old: tuple[int, int, int, int], new: tuple[int, int, int, int]
) -> None:
    found = causes({"dear": billed(requests, old, DEAR)}, {"dear": billed(requests, new, DEAR)})
    assert not {Cause.PRICE, Cause.VOLUME, Cause.MIX, Cause.NEW, Cause.GONE} & set(found)
    assert (Cause.OUTPUT in found) == (old[3] != new[3])


TOKENS = (1000, 500, 0, 200)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (billed(10, TOKENS, DEAR), billed(10, (1000, 500, 0, 300), DEAR), {Cause.OUTPUT: 15_000_000}),
        (billed(10, TOKENS, DEAR), billed(10, (500, 1000, 0, 200), DEAR), {Cause.CACHE: -13_500_000}),
        (billed(10, TOKENS, DEAR), billed(10, (2000, 1000, 0, 200), DEAR), {Cause.PROMPT: 31_500_000}),
        (billed(10, TOKENS, DEAR), billed(5, TOKENS, DEAR, hits=5), {Cause.CACHE: -30_750_000}),
        (billed(10, TOKENS, CHEAP), billed(10, TOKENS, DEAR), {Cause.PRICE: 58_850_000}),
        (ModelUsage(), billed(10, TOKENS, CHEAP), {Cause.NEW: 2_650_000}),
        (billed(10, TOKENS, CHEAP), ModelUsage(), {Cause.GONE: -2_650_000}),
    ],
)
def test_each_cause_is_found_alone(before: ModelUsage, after: ModelUsage, expected: dict[Cause, int]) -> None:
    assert causes({"dear": before}, {"dear": after}) == expected


def test_uses_show_the_prices_that_they_were_billed_by() -> None:
    tokens = [(1000, 0, 0, 50), (10, 900, 20, 70), (400, 300, 0, 1), (77, 5, 600, 900), (3, 1, 4, 1)]
    assert prices_shown_by(billed(n + 1, each, DEAR) for n, each in enumerate(tokens)) == DEAR


def test_kinds_of_tokens_that_were_not_used_get_a_price_in_the_usual_proportion() -> None:
    found = prices_shown_by([billed(1, (100, 0, 0, 7), DEAR), billed(1, (30, 0, 0, 9), DEAR)])
    assert found is not None
    assert found == (*DEAR[:2], found[2], *DEAR[3:])


@pytest.mark.parametrize(
    "uses",
    [
        [billed(2, TOKENS, DEAR)],
        [billed(2, TOKENS, DEAR), billed(4, TOKENS, DEAR)],
        [ModelUsage(1, 0, 100, 0, 0, 10, Usd(500)), ModelUsage(1, 0, 200, 0, 0, 10, Usd(400))],
    ],
)
def test_uses_that_do_not_tell_kinds_of_tokens_apart_show_no_prices(uses: list[ModelUsage]) -> None:
    assert prices_shown_by(uses) is None
