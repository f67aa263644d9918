"""Quantities in words."""

from __future__ import annotations

import pytest

from spendtop.domain.pricing.price import registry
from spendtop.domain.requests.quantity_words import quantities_words, quantity_words, unpriced_words
from spendtop.domain.requests.request import Quantities


@pytest.mark.parametrize(
    ("unit", "quantity", "words"),
    [
        ("web_searches", 2, "2 web searches"),
        ("web_searches", 1, "1 web search"),
        ("code_executions", 1, "1 code execution"),
        ("rerank_searches", 1_200, "1,200 rerank searches"),
        ("input_audio_seconds", 90, "90 s of audio input"),
        ("audio_seconds", 12.5, "12.5 s of audio"),
        ("output_audio_seconds", 0.30000000000000004, "0.3 s of audio output"),
        ("input_audio_tokens", 1_200, "1,200 audio input tokens"),
        ("output_image_tokens", 1, "1 image output token"),
        ("cache_audio_write_1h_tokens", 5, "5 cache audio write 1h tokens"),
        ("cache_read_tokens", 1_000, "1,000 cache read tokens"),
        ("output_reasoning_tokens", 7, "7 reasoning output tokens"),
        ("input_tokens", 900, "900 prompt tokens"),
        ("output_tokens", 1, "1 completion token"),
        ("input_characters", 5_000, "5,000 characters"),
        ("input_document_pages", 3, "3 document pages"),
        ("requests", 1, "1 request"),
        ("weird\x1bunits", 3, "3 weird␛units"),
        ("_", 3, "3 "),
    ],
)
def test_a_quantity_is_said_in_the_words_of_its_unit(unit: str, quantity: float, words: str) -> None:
    assert quantity_words(unit, quantity) == words


def test_every_unit_that_there_is_has_words_of_its_own() -> None:
    words = [quantity_words(unit, 2) for unit in registry().units]
    assert len({*words}) == len(words)
    assert not any("_" in each or "  " in each for each in words)


def test_several_are_one_phrase() -> None:
    assert unpriced_words({"web_searches": 2}) == "2 web searches unpriced"
    three: Quantities = {"web_searches": 2, "code_executions": 1, "input_audio_seconds": 90}
    assert quantities_words(three) == "2 web searches, 1 code execution and 90 s of audio input"
