from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.agents.calls import AgentCall, Counts, merged
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import ServiceLevel

_NUMBERS = st.none() | st.integers(0, 3)
_WORDS = st.none() | st.sampled_from("ab")
_COUNTS = st.builds(
    Counts,
    fresh=_NUMBERS,
    cache_read=_NUMBERS,
    cache_write=_NUMBERS,
    cache_write_1h=_NUMBERS,
    output=_NUMBERS,
    reasoning=_NUMBERS,
)
CALLS = st.builds(
    AgentCall,
    agent=st.just("claude-code"),
    key=st.sampled_from("kl"),
    aliases=st.frozensets(st.sampled_from("mn")),
    rank=st.integers(0, 1),
    request_id=_WORDS,
    response_id=_WORDS,
    occurred_at=st.integers(0, 3),
    begun_at=st.integers(0, 3),
    provider=_WORDS,
    model=_WORDS,
    counts=_COUNTS,
    units=st.dictionaries(st.just("web_searches"), st.integers(1, 3)),
    output_final=st.booleans(),
    reported=st.none() | st.builds(Usd, st.integers(1, 3)),
    level=st.none() | st.sampled_from(ServiceLevel),
    session=_WORDS,
    path=st.sampled_from(["/", "/agent/a"]),
    properties=st.dictionaries(st.sampled_from(["project", "branch"]), st.sampled_from("xy")),
    asked=st.sampled_from(["", "a", "b", "ab"]),
    answered=st.dictionaries(st.sampled_from("vw"), st.tuples(st.integers(0, 2), st.integers(0, 2))),
)


@given(st.lists(CALLS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_lines_say_of_a_call_is_the_same_in_any_order_and_however_often(
    calls: list[AgentCall], random: object
) -> None:
    told = reduce(merged, calls)
    again = [*calls, *calls[:2]]
    random.shuffle(again)  # type: ignore[attr-defined]
    halves = again[: len(again) // 2], again[len(again) // 2 :]
    grouped = reduce(merged, [reduce(merged, half) for half in halves if half])
    assert grouped == told


@given(CALLS, CALLS)
def test_a_call_only_grows(one: AgentCall, other: AgentCall) -> None:
    both = merged(one, other)
    assert both.names == one.names | other.names
    if one.rank == other.rank:
        for name in Counts.__struct_fields__:
            counts = (getattr(each.counts, name) or 0 for each in (one, other))
            assert (getattr(both.counts, name) or 0) == max(counts)
        assert both.output_final == (one.output_final or other.output_final)
        assert both.occurred_at == min(one.occurred_at, other.occurred_at)


@given(CALLS, CALLS)
def test_of_two_that_are_told_more_and_less_directly_the_direct_one_stands_whole(
    one: AgentCall, other: AgentCall
) -> None:
    if one.rank < other.rank:
        both = merged(other, one)
        assert (both.counts, both.session, both.occurred_at) == (one.counts, one.session, one.occurred_at)


def test_parts_of_an_input_that_grow_apart_still_fit_into_it() -> None:
    counts = Counts(fresh=0, cache_read=100), Counts(cache_write=100, cache_write_1h=40)
    calls = [AgentCall(agent="a", key="k", occurred_at=1, begun_at=1, counts=each, session=None) for each in counts]
    assert merged(*calls).counts.prompt == 200
    assert Counts().prompt is None
    assert not Counts(fresh=0, output=0).is_used
