"""Nothing from outside reaches a terminal, a mail or a log with power over it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.untrusted import (
    Untrusted,
    clean_line,
    clean_name,
    clean_text,
    neutral_for_message,
    storable,
    storable_name,
)

EVERY_CHARACTER = "".join(map(chr, range(0x110000)))
FAMILY = "👩\u200d👩\u200d👧"
HEART = "❤\ufe0f\u200d🔥"
anything = st.text(st.characters(exclude_categories=()) | st.sampled_from("\u200d\ufe0f👩\u0301\r\n\t\x1b\u202e"))


def is_unsafe(text: str) -> bool:
    """Whether anything but plain visible characters, and joiners next to emoji, is left."""
    bare = text.replace("\n", "")
    unsafe = {"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"}
    fillers = "\u115f\u1160\u3164\uffa0"
    joined = bare.replace("\u200d", "")
    run = 0
    for character in joined:
        category = unicodedata.category(character)
        run = run + 1 if category[0] == "M" else 0
        if category in unsafe or character in fillers or run > 4:
            return True
    return False


def test_no_code_point_stays_unsafe() -> None:
    cleaned = clean_text(EVERY_CHARACTER, limit=len(EVERY_CHARACTER), lines=10)
    assert not is_unsafe(cleaned)
    assert "\u200d" not in cleaned


@given(anything)
def test_no_text_stays_unsafe(text: str) -> None:
    assert not is_unsafe(clean_text(text))
    line = clean_line(text)
    assert not is_unsafe(line)
    assert "\n" not in line
    assert len(line) <= 256


@given(anything)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_line(clean_line(text)) == clean_line(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("gpt-4o", "gpt-4o"),
        ("Grüße 漢字 नमस्ते 👋🏽", "Grüße 漢字 नमस्ते 👋🏽"),
        ("a\x1b[31mred\x07", "a␛[31mred␇"),
        ("\x1b]52;c;aGk=\x1b\\", "␛]52;c;aGk=␛\\"),
        ("\x00\x7f", "␀␡"),
        ("\x9b2J", "<9B>2J"),
        ("a\tb", "a    b"),
        ("a\r\nb\rc\nd", "a⏎b⏎c⏎d"),
        ("abc\u202ecba", "abc<U+202E>cba"),
        ("\u2028\ufeff\U000e0041", "<U+2028><U+FEFF><U+E0041>"),
        ("\ue000\ud800\u0378", "<U+E000><U+D800><U+0378>"),
        ("\u3164\u115f", "<U+3164><U+115F>"),
        ("[/x] [@click=app.quit]", "[/x] [@click=app.quit]"),
        (FAMILY, FAMILY),
        (HEART, HEART),
        ("a\u200db 👩\u200d \u200d👩", "a<U+200D>b 👩<U+200D> <U+200D>👩"),
        ("z" + "\u0301" * 9, "z" + "\u0301" * 4),
        ("x" + "\U0001d165" * 9, "x" + "\U0001d165" * 4),
    ],
)
def test_a_line_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_line(text) == cleaned


def test_a_line_that_is_too_long_says_so() -> None:
    assert clean_line("a" * 256) == "a" * 256
    assert clean_line("a" * 257) == "a" * 255 + "…"
    assert clean_line("\u202e" * 100, 16) == "<U+202E><U+202E…"


def test_a_name_that_is_too_long_keeps_both_ends() -> None:
    assert clean_name("a" * 16, 16) == "a" * 16
    assert clean_name("tenant-" + "x" * 300 + "-blue", 16) == "tenant-x…xx-blue"
    assert clean_name("a" * 100_000 + "\n", 5) == "aa…a⏎"
    assert clean_name("abc", 1) == "…"


def test_a_text_keeps_its_lines_and_says_how_much_is_left() -> None:
    assert clean_text("a\r\nb\n\tc\x1b") == "a\nb\n    c␛"
    assert clean_text("abcdef", limit=4) == "abcd\n… 2 more characters"
    assert clean_text("a\nb\nc\n", lines=2) == "a\nb\n… 3 more characters"
    assert clean_text("a\nb", lines=2) == "a\nb"


def test_untrusted_text_shows_its_clean_form_and_keeps_the_original() -> None:
    name = Untrusted("al\x1bice")
    assert str(name) == f"{name}" == "al␛ice"
    assert f"{name:>8}" == "  al␛ice"
    assert "%s" % name == "al␛ice"  # noqa: UP031
    assert name.raw == "al\x1bice"
    assert type(name.raw) is str
    assert name == "al\x1bice"
    assert Untrusted("a\nb\x07").text() == "a\nb␇"


def test_cleaning_takes_no_longer_than_the_text_is() -> None:
    text = "漢字かな é 👩\u200d💻 \u202e" * 15_000
    clean_text(text)
    began = time.process_time()
    clean_text(text)
    assert time.process_time() - began < 5


def test_stored_text_suits_both_databases() -> None:
    assert storable("a\0b") == "a␀b"
    assert storable("e\u0301\0") == "é␀"
    assert storable("a\ud800b") == "a\ufffdb"
    assert storable("\ud83d\udc4b") == "👋"
    assert storable("a\x1b\n") == "a\x1b\n"


@given(anything)
def test_stored_text_is_encodable_and_stable(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored
    assert stored.encode().decode() == stored
    assert storable(stored) == stored
    assert unicodedata.is_normalized("NFC", stored)


@given(st.text(min_size=250, max_size=300))
def test_a_stored_name_has_at_most_256_characters(text: str) -> None:
    assert len(storable_name(text)) <= 256
    assert storable(text).startswith(storable_name(text))


def test_a_name_in_a_message_mentions_nobody() -> None:
    assert neutral_for_message("@everyone <@1> <!here>\n") == "@\u200beveryone <\u200b@\u200b1> <\u200b!here>⏎"
    assert len(neutral_for_message("x" * 100)) == 64
