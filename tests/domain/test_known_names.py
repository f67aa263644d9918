from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.known_names import unknown_name

LIST = ("hours", "since", "from", "until", "to", "q", "model", "cursor", "limit")
ITEM = ("model", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "user_id", "timestamp")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("start_date", LIST, "since"),
        ("startDate", LIST, "since"),
        ("end", LIST, "until"),
        ("page_size", LIST, "limit"),
        ("offset", LIST, "cursor"),
        ("modle", LIST, "model"),
        ("Filter", LIST, "q"),
        ("tokens", ITEM, "total_tokens"),
        ("input_tokens", ITEM, "prompt_tokens"),
        ("cost", ITEM, "cost_usd"),
        ("user", ITEM, "user_id"),
        ("created_at", ITEM, "timestamp"),
        ("xyzzy", LIST, None),
    ],
)
def test_it_names_what_was_meant_and_all_that_is_known(name: str, known: tuple[str, ...], meant: str | None) -> None:
    field, said = unknown_name(name, known, "query")
    assert field == name
    assert said.partition("?")[0].endswith(f"did you mean {meant}") == (meant is not None)
    assert all(each in said for each in known)


def test_a_route_that_takes_nothing_says_so() -> None:
    assert unknown_name("page", (), "query") == ("page", "is not known here; nothing is taken")


@given(st.text(max_size=60))
def test_what_could_be_a_secret_or_markup_is_not_repeated(name: str) -> None:
    field, said = unknown_name(name, LIST, "query")
    if not name.replace("_", "a").removesuffix("[]").isalpha() or not name.isascii():
        assert field == "query" and (len(name) < 4 or name not in said)
