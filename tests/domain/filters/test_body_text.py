"""Text in stored prompts and answers."""

from __future__ import annotations

import pytest

from spendtop.domain.filters.body_text import holds
from spendtop.domain.filters.filters import (
    And,
    Comparison,
    Or,
    Pattern,
    PatternKind,
    body_terms,
    candidates,
    parse_filter,
)

BODY = rb'{"messages": [{"role": "user", "content": "He said \"No\u00e9l\"\nTicket 17: refund"}], "n": 1}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("~b refund", True),
        ("~b REFUND", True),
        ('~b "ticket 17"', True),
        ('~b "said \\"no"', True),
        ("~b noél", True),
        ("~b tick*refund", True),
        ("~b messages", False),
        ("~b nothing", False),
    ],
)
def test_texts_are_looked_through_and_names_of_fields_are_not(text: str, found: bool) -> None:
    term = parse_filter(text)
    assert isinstance(term, Comparison) and isinstance(term.value, Pattern)
    assert holds(BODY, term.value) is found
    assert not holds(None, term.value)


def test_what_is_no_json_is_text() -> None:
    assert holds(b"data: plain \xff words", Pattern(PatternKind.CONTAINS, "plain"))


def test_all_that_a_search_could_select_are_its_candidates() -> None:
    everything, ann = parse_filter(""), parse_filter("~u ann")
    assert candidates(parse_filter("~u ann ~b x")) == And((ann, everything))
    assert candidates(parse_filter("~u ann | !~b x")) == Or((ann, everything))
    assert candidates(ann) == ann
    assert {term.field for term in body_terms(parse_filter("~b x !(~bq y | ~bs z)"))} == {"body", "prompt", "response"}
