from __future__ import annotations

import pytest

from spendtop.domain.pricing.price import registry
from spendtop.domain.pricing.price_names import PRICE_NAMES


def test_every_unit_can_be_priced_by_a_name() -> None:
    assert {named.unit for named in PRICE_NAMES.values()} == set(registry().units)


def test_a_name_says_what_tells_its_unit_from_others() -> None:
    unsaid = {"input", "output", "text"}
    for name, named in PRICE_NAMES.items():
        dimensions = registry().units[named.unit].dimensions
        for key, value in dimensions.items():
            assert key == "family" or value in name or value in unsaid, (name, key, value)
        if dimensions["family"] == "tokens":
            assert named.per == 1_000_000


@pytest.mark.parametrize(
    ("name", "unit", "per"),
    [
        ("input", "input_tokens", 1_000_000),
        ("cache_write_1h", "cache_write_1h_tokens", 1_000_000),
        ("audio_input", "input_audio_tokens", 1_000_000),
        ("audio_cache_read", "cache_audio_read_tokens", 1_000_000),
        ("image_output", "output_image_tokens", 1_000_000),
        ("reasoning", "output_reasoning_tokens", 1_000_000),
        ("tool_input", "input_tool_tokens", 1_000_000),
        ("text_cache_write_5m", "cache_text_write_5m_tokens", 1_000_000),
        ("web_search", "web_searches", 1),
        ("web_searches_per_thousand", "web_searches", 1_000),
        ("code_executions_per_thousand", "code_executions", 1_000),
        ("requests_per_thousand", "requests", 1_000),
        ("page", "input_document_pages", 1),
        ("message", "input_text_messages", 1),
        ("audio_minute", "audio_seconds", 60),
        ("audio_input_hour", "input_audio_seconds", 3_600),
        ("characters", "input_characters", 1_000_000),
        ("megapixel", "input_pixels", 1_000_000),
    ],
)
def test_names(name: str, unit: str, per: int) -> None:
    assert (PRICE_NAMES[name].unit, PRICE_NAMES[name].per) == (unit, per)
