"""The filter line's help while it is typed."""

from __future__ import annotations

import pytest

from spendtop.tui.palette import PLAIN
from spendtop.tui.screens.filter_prompt import PartialValue, check, complete_field, hint, partial_value, with_value


def hinted(text: str, width: int = 80) -> str:
    """The hint below the line as text."""
    return "".join(piece for piece, _ in hint(check(text), "12 requests", PLAIN, width))


def test_a_caret_stands_below_what_is_wrong() -> None:
    shown = hinted("~u alice ~cst >1")
    assert shown.index("^") == 3 + len("~u alice ")
    assert "did you mean '~cost'?" in shown


def test_far_to_the_right_the_words_stand_before_the_caret() -> None:
    shown = hinted("~u " + "x" * 60 + " ~cst")
    assert shown.rstrip().endswith("^")
    assert len(shown) <= 80


def test_a_valid_filter_says_how_many_match() -> None:
    assert "12 requests" in hinted("~u alice")


def test_an_empty_line_shows_examples() -> None:
    assert "~u alice" in hinted("")
    assert "error:" in hinted("")


def test_a_flag_is_whole_without_a_value() -> None:
    assert "12 requests" in hinted("error:")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("~u al", PartialValue("user", "al")),
        ("~st >=400 | model:gpt", PartialValue("model", "gpt")),
        ("session:", PartialValue("session", "")),
        ("~cost >0", None),
        ("alice", None),
    ],
)
def test_values_are_completed_for_fields_of_text(text: str, wanted: PartialValue | None) -> None:
    assert partial_value(text) == wanted


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("us", "user:"),
        ("err", "error:"),
        ("-err", "-error:"),
        ("~u alice -~unp", "~u alice -~unpriced "),
        ("~u alice prop", "~u alice prop."),
        ("~u alice ~co", "~u alice ~cost "),
        ("zz", "zz"),
        ("", ""),
    ],
)
def test_names_of_fields_are_completed(text: str, completed: str) -> None:
    assert complete_field(text) == completed


@pytest.mark.parametrize("value", ["alice", "two words", 'q"uote', "back\\slash", "(x)"])
def test_a_completed_value_reads_back_as_itself(value: str) -> None:
    text = with_value("~u a", PartialValue("user", "a"), value)
    found = check(text)
    assert found.error is None
    assert value in repr(found.filter).replace("\\\\", "\\")


@pytest.mark.parametrize("typed", ["usr:al", "user:alice | usr:al", "user:alice model:opus session:pr-12 usr:al"])
def test_what_to_type_instead_is_seen_on_a_small_screen(typed: str) -> None:
    words = "".join(text for text, _ in hint(check(typed), "", PLAIN, 80))
    assert "did you mean 'user'?" in words and len(words) <= 80
    caret = words.find("^")
    assert caret in (-1, 3 + typed.index("usr"))
