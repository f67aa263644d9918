"""Which instrumentations count the cache beside the input, and reasoning beside the output.

By the conventions `gen_ai.usage.input_tokens` includes what the cache gave and took. Whether a span keeps to that is
known by what wrote it, not by its numbers: 900 tokens of input with 800 from the cache can be either.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

_ANTHROPIC, _BEDROCK = "anthropic", "aws"
_OWNERS_ON_CLOUDS = frozenset({None, "anthropic", "aws", "azure", "google"})


class Teller(NamedTuple):
    """By what the writer of a span is known."""

    scope: str
    version: str
    span: str
    """The span's name."""


class SpanWriter(Struct, frozen=True, kw_only=True):
    """An instrumentation, or some versions or spans of it, and how it counts."""

    scope: str = ".*"
    """Pattern of the whole name of the instrumentation scope."""
    before: tuple[int, ...] = ()
    """First version of the scope that is not meant; spans without a version are not meant either."""
    span: str = ".*"
    """Pattern of the span's whole name."""
    has: tuple[str, ...] = ()
    """Attributes of which it writes one; a name that ends with a dot stands for all below it."""
    lacks: tuple[str, ...] = ()
    """Attributes that it never writes, likewise."""
    of: AbstractSet[str] = frozenset()
    """Whose counts it hands on as they are; empty for everyone's."""
    includes_cache: bool = True
    includes_reasoning: bool = True


CONVENTIONS = SpanWriter()
"""Those of whom nothing else is known."""

WRITERS = (
    # Its own tracer sums `input_tokens`, `cache_read_input_tokens` and `cache_creation_input_tokens` of the answer
    # (anthropic 2.14 lib/_tracing/_response.py); so do the API's own spans, com.anthropic.claude-platform.
    SpanWriter(scope=r"com\.anthropic\..*"),
    # RequestUsage.input_tokens "includes cached tokens ... for every provider" (pydantic_ai/usage.py).
    SpanWriter(scope=r"pydantic-ai(-.*)?"),
    # logfire/_internal/integrations/llm_providers/anthropic.py sums the three counts.
    SpanWriter(scope=r"logfire(\..*)?"),
    # OpenLLMetry's Converse spans copy `inputTokens` and `cacheReadInputTokens` of Bedrock, which are apart
    # (opentelemetry-instrumentation-bedrock 0.62 span_utils.converse_usage_record); InvokeModel takes the counts of
    # the cache from response headers (prompt_caching.py).
    SpanWriter(scope=r"opentelemetry\.instrumentation\.bedrock", includes_cache=False),
    # OpenLLMetry's LlamaIndex spans copy Anthropic's usage: "disjoint from input_tokens" (_response_utils.py), but
    # its Anthropic spans sum it since they know the cache (pull request 2175 of October 2024).
    SpanWriter(scope=r"opentelemetry\.instrumentation\.llamaindex(\..*)?", of={_ANTHROPIC}, includes_cache=False),
    # OpenInference: Anthropic's and LangChain's spans sum (python-openinference-instrumentation-anthropic 0.1.14);
    # Bedrock's Converse did not before 0.1.60 (its _converse_attributes.py), InvokeModel always did.
    SpanWriter(
        scope=r"openinference\.instrumentation\.bedrock",
        before=(0, 1, 60),
        span=r"bedrock\.converse.*",
        includes_cache=False,
    ),
    # The same for JavaScript copies Anthropic's usage (invoke-model-response-attributes.ts).
    SpanWriter(scope=r"@arizeai/openinference-instrumentation-bedrock", includes_cache=False),
    # Strands copied the usage of the model's provider while it wrote names of its own only (1.40 telemetry/tracer.py);
    # since it writes the conventions' names it sums (1.62 _total_prompt_tokens). Its OpenAI models always include.
    SpanWriter(
        scope=r"strands\..*",
        has=("gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_write_input_tokens"),
        lacks=("gen_ai.usage.cache_read.input_tokens",),
        of={_ANTHROPIC, _BEDROCK},
        includes_cache=False,
    ),
    # "Anthropic's API reports input_tokens exclusive of cache" and is written so
    # (openlit 1.45 instrumentation/anthropic/utils.py, bedrock/utils.py).
    SpanWriter(scope=r"openlit(\..*)?", of={_ANTHROPIC, _BEDROCK}, includes_cache=False),
    # AI SDK 4 and 5 hand on the counts of Anthropic and Bedrock; 6 sums them and is known by its details
    # (sentry-javascript pull request 21488, PostHog issue 2829); 7 writes the conventions' names only.
    SpanWriter(
        has=("ai.operationId", "ai.usage."),
        lacks=("ai.usage.inputTokenDetails.",),
        of={_ANTHROPIC, _BEDROCK},
        includes_cache=False,
    ),
    # Langfuse's usage details are apart from each other, as each is priced by itself.
    SpanWriter(
        has=("langfuse.observation.usage_details.input",),
        lacks=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
        includes_cache=False,
        includes_reasoning=False,
    ),
)
"""The first that fits decides."""


def writer_of(told_by: Teller, attributes: Collection[str], provider: str | None, model: str | None) -> SpanWriter:
    """Who wrote a span of a call to this provider, by the names of its attributes."""
    owners = {provider}
    if provider in _OWNERS_ON_CLOUDS and model is not None and "claude" in model.lower():
        owners.add(_ANTHROPIC)
    writers = _of_scope(told_by.scope, told_by.version)
    return next((each for each in writers if _is_by(each, told_by.span, attributes, owners)), CONVENTIONS)


@lru_cache(maxsize=256)
def _of_scope(scope: str, version: str) -> tuple[SpanWriter, ...]:
    return tuple(
        each
        for each in WRITERS
        if re.fullmatch(each.scope, scope) and (not each.before or () < _version(version) < each.before)
    )


def _is_by(writer: SpanWriter, span: str, attributes: Collection[str], owners: AbstractSet[str | None]) -> bool:
    return (
        (not writer.of or not writer.of.isdisjoint(owners))
        and (not writer.has or any(_holds(attributes, name) for name in writer.has))
        and not any(_holds(attributes, name) for name in writer.lacks)
        and re.fullmatch(writer.span, span) is not None
    )


def _holds(attributes: Collection[str], name: str) -> bool:
    if name.endswith("."):
        return any(each.startswith(name) for each in attributes)
    return name in attributes


def _version(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (1, 2) for `1.2rc1`."""
    begins = re.match(r"\d{1,9}(\.\d{1,9})*", text)
    return tuple(map(int, begins[0].split("."))) if begins else ()
