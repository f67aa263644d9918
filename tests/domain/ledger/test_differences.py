"""Splitting the difference between a bill and what we saw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.ledger.differences import (
    BilledPart,
    DifferenceKind,
    Explanation,
    SeenModel,
    Share,
    explain,
    read_line_item,
    same_model,
)
from spendtop.domain.money import ZERO, Usd


def usd(text: str) -> Usd:
    return Usd.of(text)


def part(line_item: str, dollars: str, api_key: str = "key_known", project: str = "proj_web") -> BilledPart:
    return BilledPart(project=project, api_key=api_key, line_item=line_item, cost=usd(dollars))


def saw(model: str, dollars: str, requests: int = 10, unpriced: int = 0, **amounts: str) -> SeenModel:
    more = {name: usd(amount) for name, amount in amounts.items()}
    return SeenModel(model=model, cost=usd(dollars), requests=requests, unpriced=unpriced, **more)


def explained(parts: list[BilledPart], seen: list[SeenModel]) -> Explanation:
    found = explain(sum((one.cost for one in parts), ZERO), parts, seen)
    assert sum((share.amount for share in found.shares), ZERO) == found.difference
    return found


def said(found: Explanation) -> list[tuple[DifferenceKind, str]]:
    return [(share.kind, str(share.amount)) for share in found.shares]


def test_where_both_agree_nothing_is_to_be_explained() -> None:
    found = explained(
        [part("gpt-4o-2024-08-06, input", "1.20"), part("gpt-4o-2024-08-06, output", "3")], [saw("gpt-4o", "4.20")]
    )
    assert (found.difference, found.shares) == (ZERO, ())


@pytest.mark.parametrize("line_item", ["gpt-4o, input", "o3-mini, output"])
def test_traffic_of_an_unknown_key_is_found_whether_we_saw_its_model_or_not(line_item: str) -> None:
    parts = [
        part("gpt-4o, input", "20.10"),
        part("gpt-4o, output", "15.30"),
        part(line_item, "0.80", "key_unknown", "proj_x"),
    ]
    (share,) = explained(parts, [saw("gpt-4o-2024-08-06", "35.40")]).shares
    assert (share.kind, share.amount, share.api_key, share.project) == (
        DifferenceKind.UNSEEN,
        usd("0.80"),
        "key_unknown",
        "proj_x",
    )
    assert share.models == (line_item.partition(",")[0],) or share.models == ("gpt-4o-2024-08-06",)


def test_the_key_is_found_beside_other_differences() -> None:
    parts = [
        part("gpt-4o, input", "35.22"),
        part("gpt-4o, output", "0.80", "key_9a"),
        part("gpt-4o-mini, input", "0.18"),
    ]
    found = explained(parts, [saw("gpt-4o", "34.92"), saw("gpt-4o-mini", "0.18")])
    assert said(found) == [(DifferenceKind.UNSEEN, "$0.800"), (DifferenceKind.PRICE, "$0.300")]


def test_a_project_is_named_where_no_key_is() -> None:
    parts = [part("gpt-4o, input", "5", ""), part("gpt-4o, input", "2", "", "proj_unknown")]
    found = explained(parts, [saw("gpt-4o", "5")])
    assert [(share.kind, share.project, share.amount) for share in found.shares] == [
        (DifferenceKind.UNSEEN, "proj_unknown", usd("2"))
    ]
    assert [(one.project, one.billed, one.unseen) for one in found.projects] == [
        ("proj_web", usd("5"), ZERO),
        ("proj_unknown", usd("2"), usd("2")),
    ]


def test_all_that_an_unknown_key_was_billed_is_its_own_also_what_is_beside_tokens() -> None:
    parts = [
        part("gpt-4o, input", "5"),
        part("gpt-4o, input", "2", "key_x"),
        part("web search tool calls", "0.25", "key_x"),
        part("web search tool calls", "0.10"),
    ]
    found = explained(parts, [saw("gpt-4o", "5")])
    assert said(found) == [(DifferenceKind.UNSEEN, "$2.25"), (DifferenceKind.OTHER, "$0.100")]


def test_no_key_is_blamed_where_no_bill_fits_what_is_missing() -> None:
    parts = [part("gpt-4o, input", "5", "key_a"), part("gpt-4o, input", "4", "key_b")]
    assert said(explained(parts, [saw("gpt-4o", "7")])) == [(DifferenceKind.REST, "$2.00")]


def test_two_keys_are_found_together() -> None:
    parts = [
        part("gpt-4o, input", "10"),
        part("gpt-4o, input", "0.31", "key_x"),
        part("gpt-4o, input", "0.52", "key_y"),
        part("gpt-4o, input", "7", "key_z"),
    ]
    found = explained(parts, [saw("gpt-4o", "17")])
    assert [(share.kind, share.api_key) for share in found.shares] == [
        (DifferenceKind.UNSEEN, "key_y"),
        (DifferenceKind.UNSEEN, "key_x"),
    ]


def test_requests_without_a_price_account_for_what_their_model_was_billed() -> None:
    found = explained([part("gpt-new, input", "1.32")], [saw("gpt-new", "0", 14, 14)])
    assert [(share.kind, share.amount, share.requests) for share in found.shares] == [
        (DifferenceKind.UNPRICED, usd("1.32"), 14)
    ]


def test_a_request_without_a_price_accounts_for_no_more_than_the_dearest_one_cost() -> None:
    found = explained([part("gpt-4o, input", "9")], [saw("gpt-4o", "5", 100, 2, dearest="0.25")])
    assert said(found) == [(DifferenceKind.UNPRICED, "$0.500"), (DifferenceKind.REST, "$3.50")]


def test_midnight_accounts_for_no_more_than_happened_near_it() -> None:
    parts = [part("gpt-4o, input", "10.30")]
    assert said(explained(parts, [saw("gpt-4o", "10", coming="0.10")])) == [
        (DifferenceKind.BOUNDARY, "$0.100"),
        (DifferenceKind.PRICE, "$0.200"),
    ]
    assert said(explained(parts, [saw("gpt-4o", "10.50", leaving="0.90")])) == [(DifferenceKind.BOUNDARY, "-$0.200")]


def test_a_model_seen_only_beyond_midnight_is_no_unknown_traffic() -> None:
    assert said(explained([part("o3, input", "0.40")], [saw("o3", "0", 0, coming="0.50")])) == [
        (DifferenceKind.BOUNDARY, "$0.400")
    ]


def test_a_discount_is_a_difference_of_price_and_so_is_a_surcharge_that_the_bill_names() -> None:
    assert said(explained([part("gpt-4o, input", "5")], [saw("gpt-4o", "10")])) == [(DifferenceKind.PRICE, "-$5.00")]
    surcharged = [part("priority | gpt-4o, input", "8"), part("gpt-4o, input", "2")]
    assert said(explained(surcharged, [saw("gpt-4o", "6")])) == [(DifferenceKind.PRICE, "$4.00")]


def test_what_was_seen_and_not_billed_is_a_rest_of_its_model() -> None:
    (share,) = explained([], [saw("gpt-4o", "3")]).shares
    assert (share.kind, share.amount, share.models) == (DifferenceKind.REST, usd("-3"), ("gpt-4o",))


def test_a_bill_that_is_not_split_is_compared_as_a_whole() -> None:
    found = explained([part("", "6", "", "")], [saw("gpt-4o", "2"), saw("o3", "3.90")])
    assert found.shares == (Share(kind=DifferenceKind.PRICE, amount=usd("0.10")),)


def test_rounding_is_a_rest() -> None:
    found = explain(Usd(10), [BilledPart(line_item="gpt-4o, input", cost=Usd(9))], [saw("gpt-4o", "0.000000009")])
    assert found.shares == (Share(kind=DifferenceKind.REST, amount=Usd(1)),)


@pytest.mark.parametrize(
    ("line_item", "model"),
    [
        ("gpt-4o-mini-2024-07-18, cached input", "gpt-4o-mini-2024-07-18"),
        ("gpt-6-astra, input_tokens", "gpt-6-astra"),
        ("gpt-6-astra, cached_input_tokens", "gpt-6-astra"),
        ("gpt-6-astra, input_cached_tokens", "gpt-6-astra"),
        ("gpt-6-astra, cache_write_tokens, long context", "gpt-6-astra"),
        ("priority | gpt-realtime, output_audio_tokens", "gpt-realtime"),
        ("gpt-6-astra, web_searches", None),
        ("gpt-5, cache writes", "gpt-5"),
        ("gpt-audio-mini-2025-12-15 audio, input", "gpt-audio-mini-2025-12-15"),
        ("priority | gpt-5, output", "gpt-5"),
        ("gpt-5.2, input, long context", "gpt-5.2"),
        ("Claude Sonnet 4 Usage - Input Tokens", "Claude Sonnet 4"),
        ("web search tool calls", None),
        ("Vector storage", None),
        ("", None),
    ],
)
def test_a_line_item_names_its_model_or_none(line_item: str, model: str | None) -> None:
    assert read_line_item(line_item) == model


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("claude-sonnet-4-20250514", "Claude Sonnet 4"),
        ("claude-3-5-haiku-20241022", "Claude Haiku 3.5"),
        ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ],
)
def test_spellings_of_one_model_meet(ours: str, theirs: str) -> None:
    assert same_model(ours) == same_model(theirs)


def test_different_models_stay_apart() -> None:
    names = ["gpt-4o", "gpt-4o-mini", "gpt-4", "gpt-4.1", "gpt-4.1-mini", "o1", "o1-mini"]
    assert len(set(map(same_model, names))) == len(names)


_NANO = st.integers(min_value=-(10**9), max_value=10**12)
_PARTS = st.lists(
    st.builds(
        BilledPart,
        project=st.sampled_from(["", "p", "q"]),
        api_key=st.sampled_from(["", "k", "l", "m"]),
        line_item=st.sampled_from(["", "a, input", "a, output", "b, input", "priority | b, input", "Vector storage"]),
        cost=st.builds(Usd, _NANO),
    ),
    max_size=8,
)
_COUNT = st.integers(min_value=0, max_value=5)
_AMOUNT = st.builds(Usd, st.integers(min_value=0, max_value=10**12))
_SEEN = st.lists(
    st.builds(
        SeenModel,
        model=st.sampled_from(["a", "a-2024-01-01", "b", "c", ""]),
        cost=_AMOUNT,
        requests=_COUNT.map(lambda count: count + 1),
        unpriced=_COUNT,
        dearest=_AMOUNT,
        leaving=_AMOUNT,
        coming=_AMOUNT,
    ),
    max_size=5,
)


@given(parts=_PARTS, seen=_SEEN, rounding=st.integers(min_value=-3, max_value=3))
def test_the_shares_always_sum_up_to_the_difference(
    parts: list[BilledPart], seen: list[SeenModel], rounding: int
) -> None:
    billed = sum((one.cost for one in parts), Usd(rounding))
    found = explain(billed, parts, seen)
    assert found.ours == sum((one.cost for one in seen), ZERO)
    assert sum((share.amount for share in found.shares), ZERO) == billed - found.ours
    assert all(share.amount != ZERO for share in found.shares)
    assert sum((one.billed for one in found.projects), ZERO) == billed - Usd(rounding)
