"""A provider's own usage object as it is kept with a request: numbers and a few words, packed into some bytes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

LARGEST = 4096
"""Bytes of a usage object as JSON; what is larger is not kept."""

_DICTIONARY = (
    b'"usage":{"billed_units":{"input_tokens":,"output_tokens":,"search_units":},"tokens":{'
    b'"inputTokens":,"outputTokens":,"totalTokens":,"cacheReadInputTokens":0,"cacheWriteInputTokens":0'
    b'"promptTokenCount":,"candidatesTokenCount":,"totalTokenCount":,"thoughtsTokenCount":,"cachedContentTokenCount":'
    b',"toolUsePromptTokenCount":,"promptTokensDetails":[{"modality":"TEXT","tokenCount":},{"modality":"AUDIO"'
    b',"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":}],"trafficType":"ON_DEMAND"'
    b',"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":,"cost":0.00,"is_byok":false,"cost_details":{"upstream_'
    b'inference_cost":null,"upstream_inference_prompt_cost":0,"upstream_inference_completions_cost":0},"input_token_'
    b'details":{"text_tokens":,"audio_tokens":,"cached_tokens_details":{"image_tokens":0},"video_tokens":0'
    b'{"input_tokens":,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_'
    b'input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":,"service_tier":"standard","inference_geo":'
    b'"not_available"},"server_tool_use":{"web_search_requests":0}}{"input_tokens":,"input_tokens_details":{'
    b'"cached_tokens":0},"output_tokens":,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":},'
    b'"service_tier":"default"}{"prompt_tokens":,"completion_tokens":,"total_tokens":,"prompt_tokens_details":{'
    b'"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)
"""Part of the store's format, as what was packed with it needs it: it never changes."""
_COMPRESSION = zlib.compressobj(3, zlib.DEFLATED, -11, 2, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
_EXPANSION = zlib.decompressobj(-11, _DICTIONARY)


def pack(usage: Mapping[str, Any]) -> bytes | None:
    """The object in some bytes; None for one of nothing, and for one that is too large."""
    text = msgspec.json.encode(usage)
    if not usage or len(text) > LARGEST:
        return None
    compression = _COMPRESSION.copy()
    return compression.compress(text) + compression.flush()


def unpack(packed: bytes | None) -> dict[str, Any] | None:
    """What was packed; None for what is none."""
    if packed is None:
        return None
    try:
        usage = msgspec.json.decode(_EXPANSION.copy().decompress(packed, LARGEST))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return usage if isinstance(usage, dict) else None
