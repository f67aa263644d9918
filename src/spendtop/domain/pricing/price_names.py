"""Names for prices of units, which say per how much of it: `cache_write_1h` per million, `web_search` each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

_MILLION = 1_000_000
_MODALITIES = ("text", "audio", "image", "video")
_CACHES = ("cache_read", "cache_write", "cache_write_5m", "cache_write_1h")


class NamedPrice(NamedTuple):
    """What a name stands for."""

    unit: str
    """Of genai-prices' registry."""
    per: int
    """The price is of so many of the unit."""
    meaning: str


def _tokens() -> Iterator[tuple[str, str, str]]:
    for side in ("input", "output"):
        yield side, f"{side}_tokens", f"{side} tokens."
    yield "cache_read", "cache_read_tokens", "input tokens read from the cache; absent = as input."
    yield "cache_write", "cache_write_tokens", "input tokens written to the cache; absent = as input."
    for life in ("5m", "1h"):
        meaning = "input tokens written to the cache for 5 minutes or 1 hour; absent = as cache_write."
        yield f"cache_write_{life}", f"cache_write_{life}_tokens", meaning
    for kind in ("reasoning", "citation"):
        yield kind, f"output_{kind}_tokens", "output tokens of that kind; absent = as output."
    yield "tool_input", "input_tool_tokens", "input tokens that a tool brought; absent = as input."
    for side in ("input", "output"):
        for modality in _MODALITIES:
            yield (
                f"{modality}_{side}",
                f"{side}_{modality}_tokens",
                f"{side} tokens of that modality; absent = as {side}.",
            )
    meaning = "tokens of that modality and kind; absent = as the dearer of the two."
    for cache in _CACHES:
        for modality in _MODALITIES:
            what, _, how = cache.partition("_")
            yield f"{modality}_{cache}", f"{what}_{modality}_{how}_tokens", meaning
    for modality in _MODALITIES:
        for kind in ("reasoning", "citation"):
            yield f"{modality}_{kind}", f"output_{modality}_{kind}_tokens", meaning
        yield f"{modality}_tool_input", f"input_{modality}_tool_tokens", meaning


def _others() -> Iterator[tuple[str, NamedPrice]]:
    counted = {
        "web_search": "web_searches",
        "social_search": "social_searches",
        "storage_search": "storage_searches",
        "rerank_search": "rerank_searches",
        "code_execution": "code_executions",
        "request": "requests",
        "page": "input_document_pages",
        "annotated_page": "input_annotated_document_pages",
        "message": "input_text_messages",
    }
    for name, unit in counted.items():
        yield name, NamedPrice(unit, 1, "US dollars each; of request, for every request besides what it used.")
    for name, unit in counted.items():
        many = f"{name}es" if name.endswith("ch") else f"{name}s"
        yield f"{many}_per_thousand", NamedPrice(unit, 1_000, "The same, US dollars per thousand.")
    for side in ("", "input_", "output_"):
        for time, seconds in (("second", 1), ("minute", 60), ("hour", 3_600)):
            unit = f"{side}audio_seconds"
            yield f"audio_{side}{time}", NamedPrice(unit, seconds, "US dollars per that time of a recording.")
    yield "characters", NamedPrice("input_characters", _MILLION, "US dollars per million input characters.")
    yield "megapixel", NamedPrice("input_pixels", _MILLION, "US dollars per million input pixels.")


PRICE_NAMES: Mapping[str, NamedPrice] = {
    **{name: NamedPrice(unit, _MILLION, f"US dollars per million {what}") for name, unit, what in _tokens()},
    **dict(_others()),
}
"""Every unit of the registry by names that say per how much."""
