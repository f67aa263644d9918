from __future__ import annotations

import pytest

from spendtop.domain.breakdown.dimensions import DIMENSIONS, dimension, prefix_of, selecting
from spendtop.domain.clock import DAY
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.windows import Bounds, Calendar

BERLIN = Calendar("Europe/Berlin")
START = 1_795_042_800_000_000  # midnight in Berlin
SPAN = Bounds(START, START + 2 * DAY)
HALF_PAST_TWO = START + 14 * DAY // 24 + DAY // 48


@pytest.mark.parametrize(
    ("name", "key", "inside", "outside"),
    [
        ("user", 'al "ice', Subject(user='al "ice'), Subject(user="alice")),
        ("user", "", Subject(), Subject(user="alice")),
        ("model_family", "gpt-4o", Subject(model="openai/gpt-4o-2024-08-06"), Subject(model="gpt-4o-mini")),
        ("model_family", "", Subject(), Subject(model="gpt-4o")),
        ("session_prefix", "pr-", Subject(session="pr-88"), Subject(session="prod-1")),
        ("session_prefix", "nightly", Subject(session="nightly"), Subject(session="nightly-2")),
        ("session_prefix", "", Subject(), Subject(session="pr-88")),
        ("source", "ingest", Subject(sources=("ingest",)), Subject(sources=("helicone",))),
        ("prop.env", "prod*", Subject(properties={"env": "prod*"}), Subject(properties={"env": "prod"})),
        ("prop.env", "", Subject(properties={"team": "a"}), Subject(properties={"env": "prod"})),
        ("hour", "14", Subject(occurred_at=HALF_PAST_TWO + DAY), Subject(occurred_at=HALF_PAST_TWO + DAY // 24)),
        ("hour", "23", Subject(occurred_at=START + DAY - 1), Subject(occurred_at=START)),
        ("day", "2026-11-19", Subject(occurred_at=START), Subject(occurred_at=START + DAY)),
    ],
)
def test_a_key_becomes_a_filter_that_selects_its_requests(
    name: str, key: str, inside: Subject, outside: Subject
) -> None:
    text = selecting(dimension(name), key, ["gpt-4o", "openai/gpt-4o-2024-08-06"], SPAN, BERLIN)
    filter, context = parse_filter(text), FilterContext(START, BERLIN)
    assert matches(filter, inside, context)
    assert not matches(filter, outside, context)


@pytest.mark.parametrize(
    ("name", "key", "models"),
    [
        ("prop.two words", "x", 0),
        ("hour", "14", 0),
        ("session_prefix", "a *b/", 0),
        ("session_prefix", "/etl/", 0),
        ("model_family", "gpt", 90),
    ],
)
def test_what_no_filter_selects_is_refused_with_what_to_do(name: str, key: str, models: int) -> None:
    names = [f"gpt-2026-01-{n:02}" for n in range(models)]
    with pytest.raises(UsageError, match="take a shorter window"):
        selecting(dimension(name), key, names, Bounds(START, START + 60 * DAY), BERLIN)


@pytest.mark.parametrize(("text", "near"), [("usr", "user"), ("modell", "model"), ("prop.", ""), ("x y\x1b", "")])
def test_what_is_no_dimension_is_said_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UsageError) as refused:
        dimension(text)
    assert "prop.NAME" in str(refused.value) and "\x1b" not in str(refused.value)
    assert not near or f"'{near}'" in str(refused.value)


def test_words_of_the_api_are_understood_and_properties_are_the_users_own() -> None:
    assert dimension("user_id") is DIMENSIONS["user"]
    assert dimension("prop.env").property == "env"
    assert DIMENSIONS["user"].property is None
    hostile = dimension("prop.e\x1bnv")
    assert (hostile.property, hostile.title, hostile.nobody) == ("e\x1bnv", "E␛NV", "(no e␛nv)")


@pytest.mark.parametrize(
    ("session", "prefix"), [("pr-88", "pr-"), ("etl_1/2", "etl_"), ("nightly", "nightly"), ("", "")]
)
def test_a_prefix_goes_up_to_the_first_mark(session: str, prefix: str) -> None:
    assert prefix_of(session) == prefix
