"""Token counts out of the `usage` objects that providers put into their answers."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.request import Usage

MOST_TOKENS = 10_000_000_000
"""A larger count of one request is not believed."""


def count(value: object) -> int | None:
    """A number of tokens as reported, or None for what is not a whole number from 0 to `MOST_TOKENS`."""
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else None
    if type(value) is float and 0 <= value <= MOST_TOKENS and value.is_integer():
        return int(value)
    return None


def usage_of_response(response: object) -> Usage:
    """Tokens of a provider's answer (its JSON, decoded): OpenAI chat and responses, Anthropic, Gemini, Bedrock.

    What the answer does not say is None; an answer without usage gives `Usage()`.
    """
    if not isinstance(response, dict):
        return Usage()
    gemini = response.get("usageMetadata")
    return _gemini(gemini) if isinstance(gemini, dict) else usage_of(response.get("usage"))


def usage_of(usage: object) -> Usage:
    """Tokens of a bare `usage` object, whichever provider's shape it has."""
    if not isinstance(usage, dict):
        return Usage()
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _openai_chat(usage)
    if "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage or "cache_creation" in usage:
        return _anthropic(usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        return _openai_responses(usage)
    if "inputTokens" in usage or "outputTokens" in usage:
        return _bedrock(usage)
    return _gemini(usage) if "promptTokenCount" in usage else Usage()


def _openai_chat(usage: Mapping[str, object]) -> Usage:
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    total = count(usage.get("total_tokens"))
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    if prompt is not None and total is not None:
        if "completion_tokens" not in usage and total >= prompt:
            completion = total - prompt
        elif reasoning and completion is not None and total == prompt + completion + reasoning:
            completion += reasoning  # xAI counts reasoning beside the completion, not in it
    cache_read = _detail(usage, "prompt_tokens_details", "cached_tokens")
    if cache_read is None:
        cache_read = count(usage.get("cache_read_input_tokens", usage.get("prompt_cache_hit_tokens")))
    cache_write = _detail(usage, "prompt_tokens_details", "cache_write_tokens")
    if cache_write is None:
        cache_write = count(usage.get("cache_creation_input_tokens"))
    return Usage(
        prompt=prompt,
        completion=completion,
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=reasoning,
    )


def _openai_responses(usage: Mapping[str, object]) -> Usage:
    return Usage(
        prompt=count(usage.get("input_tokens")),
        completion=count(usage.get("output_tokens")),
        cache_read=_detail(usage, "input_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "output_tokens_details", "reasoning_tokens"),
    )


def _anthropic(usage: Mapping[str, object]) -> Usage:
    read = _part(usage, "cache_read_input_tokens")
    written = _part(usage, "cache_creation_input_tokens")
    by_lifetime = usage.get("cache_creation")
    if usage.get("cache_creation_input_tokens") is None and isinstance(by_lifetime, dict):
        written = _sum(
            _part(by_lifetime, "ephemeral_5m_input_tokens"),
            _part(by_lifetime, "ephemeral_1h_input_tokens"),
        )
    return Usage(
        prompt=_sum(count(usage.get("input_tokens")), read, written),
        completion=count(usage.get("output_tokens")),
        cache_read=read,
        cache_write=written,
    )


def _gemini(usage: Mapping[str, object]) -> Usage:
    thoughts = _part(usage, "thoughtsTokenCount")
    prompt = _sum(count(usage.get("promptTokenCount")), _part(usage, "toolUsePromptTokenCount"))
    return Usage(
        prompt=prompt,
        completion=_sum(_part(usage, "candidatesTokenCount"), thoughts),
        cache_read=_part(usage, "cachedContentTokenCount"),
        reasoning=thoughts,
    )


def _bedrock(usage: Mapping[str, object]) -> Usage:
    read, written = _part(usage, "cacheReadInputTokens"), _part(usage, "cacheWriteInputTokens")
    return Usage(
        prompt=_sum(count(usage.get("inputTokens")), read, written),
        completion=count(usage.get("outputTokens")),
        cache_read=read,
        cache_write=written,
    )


def _part(usage: Mapping[str, object], key: str) -> int | None:
    """A share of a sum: left out means none of it; a value that is no count makes the sum unknown."""
    value = usage.get(key)
    return 0 if value is None else count(value)


def _detail(usage: Mapping[str, object], group: str, key: str) -> int | None:
    details = usage.get(group)
    return count(details.get(key)) if isinstance(details, dict) else None


def _sum(*parts: int | None) -> int | None:
    counted = [part for part in parts if part is not None]
    return sum(counted) if len(counted) == len(parts) else None
