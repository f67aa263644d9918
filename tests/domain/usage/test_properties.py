"""Whatever an answer holds: it is read without failing, and what is kept of it is small and without texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.pricing.price import registry
from spendtop.domain.requests.provider_usage import LARGEST, unpack
from spendtop.domain.requests.request import ServiceLevel, Usage
from spendtop.domain.usage import MOST_TOKENS, contradiction, read_kept, read_response, read_usage
from spendtop.domain.usage.reading import LONGEST_UNREAD, MOST_UNREAD

ANSWERS = json.loads((Path(__file__).parents[2] / "fixtures" / "answers.json").read_text())


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for inner in value.values() for name in names_in(inner))}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


def words_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {word for inner in value.values() for word in words_in(inner)}
    if isinstance(value, list):
        return {word for inner in value for word in words_in(inner)}
    return {value} if isinstance(value, str) else set()


NAMES = sorted(names_in([entry["answer"] for entry in ANSWERS]) | {"web_searches", "secret"})
WORDS = sorted(words_in([entry["answer"] for entry in ANSWERS]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2_000)
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
        | st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=40,
)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """An answer of the table, with some of its values replaced."""

    def change(value: Any) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(JSON)
        if isinstance(value, dict):
            return {name: change(inner) for name, inner in value.items()}
        return [change(inner) for inner in value] if isinstance(value, list) else value

    return change(draw(st.sampled_from(ANSWERS))["answer"])


@given(JSON | changed(), JSON)
def test_any_answer_is_read(answer: Any, request: Any) -> None:
    reading = read_response(answer, request)
    counts = [count for count in msgspec.structs.astuple(reading.usage)[:5] if count is not None]
    assert all(0 <= count <= 10 * MOST_TOKENS for count in counts)
    assert all(quantity > 0 for quantity in (reading.usage.units or {}).values())
    assert reading.service_level is None or reading.service_level in ServiceLevel
    assert reading.cost is None or reading.cost.nano >= 0
    assert len(reading.unread) <= MOST_UNREAD
    assert all(0 < len(name) <= LONGEST_UNREAD and set(name) <= ALPHABET for name in reading.unread)
    read_usage(answer)


ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


@given(JSON | changed(), JSON)
def test_what_is_kept_is_small_and_says_the_same(answer: Any, request: Any) -> None:
    reading = read_response(answer, request)
    kept = unpack(reading.provider_usage)
    if kept is None:
        assert reading.usage == Usage() or reading.provider_usage is None
        return
    assert len(msgspec.json.encode(kept)) <= LARGEST
    again = read_kept(kept, None, reading.model)
    assert (again.usage, again.service_level, again.cost) == (reading.usage, reading.service_level, reading.cost)


@given(JSON | changed())
def test_nothing_but_known_words_is_kept(answer: Any) -> None:
    kept = unpack(read_response(answer).provider_usage) or {}
    assert {word for word in words_in(kept) if not is_known_word(word)} == set()


KNOWN_WORDS = frozenset(
    """TEXT AUDIO IMAGE VIDEO DOCUMENT 5m 1h tokens duration message compaction advisor_message fallback_message
    standard default on_demand standard_only regular batch flex on_demand_flex priority on_demand_priority performance
    fast scale reserved provisioned_throughput optimized low medium high global apac""".split()  # noqa: SIM905
)


def is_known_word(word: str) -> bool:
    """Countries have two letters, currencies three."""
    return word in KNOWN_WORDS or (word.isascii() and word.isalpha() and len(word) <= 3)


PARTS = {
    "prompt": "input_tokens",
    "completion": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "output_reasoning_tokens",
}
TOKEN_UNITS = [unit for unit in registry().units if unit.endswith("_tokens") and unit not in PARTS.values()]


@given(
    st.fixed_dictionaries({name: st.none() | st.integers(0, 20) for name in PARTS}),
    st.dictionaries(st.sampled_from(TOKEN_UNITS), st.integers(1, 20), max_size=4),
)
def test_a_part_is_no_more_than_its_whole_or_is_named(
    counts: dict[str, int | None], units: dict[str, int | float]
) -> None:
    usage = Usage(**counts, units=units or None)
    known = {**{PARTS[name]: count for name, count in counts.items() if count is not None}, **units}
    wrong = [
        (part, whole)
        for part in known
        for whole in registry().ancestor_usage_keys(part)
        if whole in known and known[part] > known[whole]
    ]
    if wrong:
        assert contradiction(usage) is not None


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (Usage(prompt=10, cache_read=6, cache_write=4), None),
        (
            Usage(prompt=9, cache_read=6, cache_write=4),
            "6 cache read tokens and 4 cache write tokens are more than 9 prompt tokens",
        ),
        (Usage(prompt=9, cache_read=10), "10 cache read tokens are more than 9 prompt tokens"),
        (Usage(completion=9, reasoning=10), "10 reasoning output tokens are more than 9 completion tokens"),
        (Usage(prompt=0, units={"input_audio_tokens": 1}), "1 audio input token is more than 0 prompt tokens"),
        (
            Usage(prompt=9, cache_write=5, units={"cache_write_5m_tokens": 3, "cache_write_1h_tokens": 3}),
            "3 cache write 5m tokens and 3 cache write 1h tokens are more than 5 cache write tokens",
        ),
        (
            Usage(prompt=9, units={"cache_audio_read_tokens": 10}),
            "10 cache audio read tokens are more than 9 prompt tokens",
        ),
        (Usage(prompt=9, units={"web_searches": 10, "output_images": 3}), None),
        (Usage(cache_read=3), None),
    ],
)
def test_a_contradiction_names_parts_and_whole(usage: Usage, text: str | None) -> None:
    assert contradiction(usage) == text
