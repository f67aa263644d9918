from __future__ import annotations

import json

import pytest

from spendtop.domain.bodies.outlines import LONGEST_WORD, outline

POST = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "My PIN is 1234."}],
    "usage": {"prompt_tokens": 12, "cached": None},
    "key with spaces": "x" * 41,
}


def test_keys_figures_and_words_are_shown_and_texts_are_not() -> None:
    assert json.loads(outline(json.dumps(POST).encode(), LONGEST_WORD)) == {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": "<text of 15 B>"}],
        "usage": {"prompt_tokens": 12, "cached": None},
        "key with spaces": "<text of 41 B>",
    }


def test_without_words_only_keys_and_figures_are_shown() -> None:
    shown = outline(json.dumps(POST).encode(), 0)
    assert "gpt-4.1" not in shown and '"model": "<text of 7 B>"' in shown and '"prompt_tokens": 12' in shown


@pytest.mark.parametrize("end", range(1, 140))
def test_wherever_it_is_cut_no_text_is_shown(end: int) -> None:
    shown = outline(json.dumps(POST).encode()[:end], LONGEST_WORD)
    assert "PIN" not in shown and "1234" not in shown and "xxx" not in shown


@pytest.mark.parametrize("text", ['say "hi"', "a\\", "Grüße", '\\"', "two words", "zwei\nZeilen"])
def test_no_escape_ends_a_text_early(text: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({"content": text, "n": 1}, ensure_ascii=ascii_only).encode()
        shown = outline(body, LONGEST_WORD)
        assert shown.startswith('{"content": "<text of ') and shown.endswith('>", "n": 1}')


@pytest.mark.parametrize("body", [b"", b"\x1f\x8b\x08\x00", b"\n\x05hello", b"prompt"])
def test_what_is_no_json_is_not_shown(body: bytes) -> None:
    assert outline(body, LONGEST_WORD) == ""
