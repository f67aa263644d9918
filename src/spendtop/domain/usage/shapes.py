"""The shapes of providers' usage objects: which of their fields means which unit, and how their sums are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from spendtop.domain.usage.counts import MOST_TOKENS
from spendtop.domain.usage.kept import NO_NUMBER, Flat

Number: TypeAlias = int | float
Used: TypeAlias = dict[str, Number]
"""By unit of genai-prices; what is no number of a unit is `NO_NUMBER`."""

INPUT, OUTPUT = "input_tokens", "output_tokens"
CACHE_READ, CACHE_WRITE, REASONING = "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens"
WRITE_5M, WRITE_1H = "cache_write_5m_tokens", "cache_write_1h_tokens"
_COUNTS = frozenset({INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING})
_TOOL, _CITATION, _IMAGE_INPUT = "input_tool_tokens", "output_citation_tokens", "input_image_tokens"
_IMAGES = "input_images"
_WEB, _SOCIAL, _STORAGE, _CODE = "web_searches", "social_searches", "storage_searches", "code_executions"
_TOTAL = "total"
"""Of input and output together; tells what another field leaves open."""
_QUERIES, _GROUNDED = "grounding queries", "grounded requests"
"""Of searches for grounding; which of the two is billed depends on the model."""
_NOTHING = ""
"""The unit of fields that nobody bills, or that are parts of others."""

_MODALITIES = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
_OF_TEXT = {
    "input_text_tokens": ("input_audio_tokens", "input_image_tokens", "input_video_tokens"),
    "output_text_tokens": ("output_audio_tokens", "output_image_tokens", "output_video_tokens"),
    "cache_text_read_tokens": ("cache_audio_read_tokens", "cache_image_read_tokens", "cache_video_read_tokens"),
    "input_text_tool_tokens": ("input_audio_tool_tokens", "input_image_tool_tokens", "input_video_tool_tokens"),
}
"""Tokens of text, which tell something only where there are some of another kind besides."""
_BESIDE_CACHE = ("anthropic", "aws")
_CLOUDS = (None, "azure", "google")
"""Who hands on Anthropic's counts; gateways make sums of them."""
_OLD_GROUNDING = re.compile(r"gemini-[12][.-]")


class Shape(NamedTuple):
    """How one family of usage objects is read."""

    units: Mapping[str, str]
    """By dotted name of a field, what it counts."""
    together: Callable[[Number, Number], Number]
    """Of two fields with the same unit: the larger one where they are two names for one, the sum of parts."""
    whole: Callable[[Used, Flat], None]
    """Completes the counts: input with cache and tools, output with reasoning."""


class Read(NamedTuple):
    """What is read of one usage object."""

    used: Used
    unread: list[str]
    """Names that its shape does not have, and that say a number."""
    miscounted: list[str]
    """Names of what should be numbers of a unit and are none."""


def read_shape(flat: Flat, provider: str | None, model: str | None) -> Read:
    """Quantities by unit. Provider and model decide what a field that several have means to them."""
    shape = _shape_of(flat)
    if shape is _INCLUSIVE and "cachedInputTokens" in flat and _is_beside_cache(flat, provider, model):
        shape = _SDK_BESIDE_CACHE
    used: Used = {}
    unread: list[str] = []
    miscounted: list[str] = []
    units, together = shape.units, shape.together
    for name, value in flat.items():
        unit = units.get(name)
        if unit is None:
            if value and type(value) is not str and value is not True and not name.startswith(_PARTS_OF_COST):
                unread.append(name)
        elif unit:
            if not 0 <= value <= MOST_TOKENS or (type(value) is float and not _can_be(value, unit)):
                value = NO_NUMBER
                miscounted.append(name)
            before = used.get(unit)
            used[unit] = value if before is None else together(before, value)
    shape.whole(used, flat)
    if _QUERIES in used or _GROUNDED in used:
        _ground(used, model)
    if not _COUNTS.issuperset(used):
        _leave_out_text(used)
    return Read(used, unread, miscounted)


def _can_be(value: float, unit: str) -> bool:
    """Whether there can be so much of a unit: only seconds come in fractions."""
    return value.is_integer() or unit.endswith("_seconds")


def _leave_out_text(used: Used) -> None:
    """Text that is all there is needs not be told apart."""
    for text, others in _OF_TEXT.items():
        if text in used and not any(used.get(other) for other in others):
            del used[text]


def _ground(used: Used, model: str | None) -> None:
    """Searches for grounding: newer models are billed by query, those before Gemini 3 by grounded request."""
    queries, requests = used.pop(_QUERIES, 0), used.pop(_GROUNDED, 0)
    searches = requests if model is not None and _OLD_GROUNDING.search(model.lower()) else queries
    used[_WEB] = max(used.get(_WEB, 0), searches)


def _shape_of(flat: Flat) -> Shape:
    names = flat.keys()
    if "prompt_tokens" in names or "completion_tokens" in names:
        return _BESIDE_TOTAL if "citation_tokens" in names or "num_search_queries" in names else _INCLUSIVE
    if not names.isdisjoint(_GEMINI_MARKS):
        return _GEMINI
    if not names.isdisjoint(_PYTHON_MARKS) and "generation_token_count" not in names:
        return _GEMINI_IN_PYTHON
    if not names.isdisjoint(_COHERE_MARKS):
        return _COHERE
    if not names.isdisjoint(_ANTHROPIC_MARKS) and names.isdisjoint(_INCLUSIVE_MARKS):
        return _ANTHROPIC
    return _INCLUSIVE if names.isdisjoint(_BEDROCK_MARKS) else _BEDROCK


def _is_beside_cache(flat: Flat, provider: str | None, model: str | None) -> bool:
    """Whether the AI SDK passed on an input without what was read from the cache, as it did before it had details."""
    is_old = not any(name.startswith("inputTokenDetails.") for name in flat)
    is_claude = provider in _CLOUDS and model is not None and "claude" in model.lower()
    return is_old and (provider in _BESIDE_CACHE or is_claude)


def _larger(first: Number, second: Number) -> Number:
    return first if first >= second else second


def _sum(first: Number, second: Number) -> Number:
    return NO_NUMBER if first < 0 or second < 0 else first + second


def _sum_of(*parts: Number) -> Number:
    return NO_NUMBER if min(parts) < 0 else sum(parts)


def _with_total(used: Used, flat: Flat) -> None:
    """Parts are in their sums, unless the total says that they are beside them, as xAI's reasoning is."""
    total = used.pop(_TOTAL, NO_NUMBER)
    if WRITE_5M in used or WRITE_1H in used:
        written = _sum(used.get(WRITE_5M, 0), used.get(WRITE_1H, 0))
        used[CACHE_WRITE] = _larger(used.get(CACHE_WRITE, 0), written)
    if total >= 0:
        _complete(used, total)
    if flat.get("type") == "duration" and "audio_seconds" in used:
        used["input_audio_seconds"] = used.pop("audio_seconds")


def _complete(used: Used, total: Number) -> None:
    given, made = used.get(INPUT), used.get(OUTPUT)
    if made is None:
        if given is None:
            used[INPUT] = total
        elif 0 <= given <= total:
            used[OUTPUT] = total - given
    elif given is not None and given >= 0 and made >= 0 and total > given + made:
        rest = total - given - made
        read, written = used.get(CACHE_READ, 0), used.get(CACHE_WRITE, 0)
        if rest == used.get(REASONING):
            used[OUTPUT] = made + rest
        elif rest in (_sum(read, written), read, written):
            used[INPUT] = given + rest  # LiteLLM leaves out only what Bedrock wrote to the cache


def _beside_total(used: Used, flat: Flat) -> None:
    """Perplexity counts reasoning and citations beside the completion, and in no total."""
    used.pop(_TOTAL, None)
    if "reasoning_tokens" in flat or "citation_tokens" in flat:
        used[OUTPUT] = _sum_of(used.get(OUTPUT, NO_NUMBER), used.get(REASONING, 0), used.get(_CITATION, 0))


def _with_cache(used: Used, flat: Flat) -> None:
    """Anthropic and Bedrock count what was read from and written to the cache beside the input."""
    used.pop(_TOTAL, None)
    read = used.setdefault(CACHE_READ, 0)
    written = used.get(CACHE_WRITE)
    if written is None:
        written = used[CACHE_WRITE] = _sum(used.get(WRITE_5M, 0), used.get(WRITE_1H, 0))
    used[INPUT] = _sum_of(used.get(INPUT, NO_NUMBER), read, written)


def _with_thoughts(used: Used, flat: Flat) -> None:
    """Gemini counts thoughts beside the candidates and what tools return beside the prompt."""
    total = used.pop(_TOTAL, NO_NUMBER)
    tool, thoughts, candidates = used.get(_TOOL, 0), used.setdefault(REASONING, 0), used.get(OUTPUT, 0)
    given = used[INPUT] = _sum(used.get(INPUT, NO_NUMBER), tool)
    is_in_candidates = 0 < thoughts <= candidates and given >= 0 and total == given + candidates
    used[OUTPUT] = candidates if is_in_candidates else _sum(candidates, thoughts)
    used.setdefault(CACHE_READ, 0)
    for modality in ("text", "audio", "image", "video"):
        of_tools = used.get(f"input_{modality}_tool_tokens")
        if of_tools is not None:
            used[f"input_{modality}_tokens"] = _sum(used.get(f"input_{modality}_tokens", 0), of_tools)


def _as_billed(used: Used, flat: Flat) -> None:
    """Cohere bills its own count of tokens, and images beside it."""
    if _IMAGE_INPUT in used:
        used.pop(_IMAGES, None)
        used[INPUT] = _sum(used.get(INPUT, 0), used[_IMAGE_INPUT])


def _each(unit: str, *names: str) -> Iterator[tuple[str, str]]:
    return ((name, unit) for name in names)


def _within(groups: Iterable[str], parts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"{group}.{part}", unit) for group in groups for part, unit in parts.items())


_TERMS = dict.fromkeys(
    ("service_tier", "serviceTier", "trafficType", "traffic_type", "speed", "latency", "inference_geo", "type"),
    _NOTHING,
)
_BILLED_CALLS = {
    "web_search_call": _WEB,
    "file_search_call": _STORAGE,
    "code_interpreter_call": _CODE,
    "webSearchQueries": _QUERIES,
    "groundedRequests": _GROUNDED,
    "groundedByMaps": "map_searches",
    "images": "output_images",
    "server_tool_use.web_search_requests": _WEB,
    "server_tool_use.web_fetch_requests": _NOTHING,
    "server_tool_use.tool_search_requests": _NOTHING,
    "server_tool_use.code_execution_requests": _CODE,
    "server_tool_use_details.web_search_requests": _WEB,
    "server_side_tool_usage_details.web_search_calls": _WEB,
    "server_side_tool_usage_details.x_search_calls": _SOCIAL,
    "server_side_tool_usage_details.code_interpreter_calls": _CODE,
    "server_side_tool_usage_details.file_search_calls": _STORAGE,
    "server_side_tool_usage_details.document_search_calls": _STORAGE,
    "server_side_tool_usage_details.mcp_calls": _NOTHING,
    "server_side_tool_usage.SERVER_SIDE_TOOL_WEB_SEARCH": _WEB,
    "server_side_tool_usage.SERVER_SIDE_TOOL_X_SEARCH": _SOCIAL,
    "server_side_tool_usage.SERVER_SIDE_TOOL_CODE_EXECUTION": _CODE,
    "server_side_tool_usage.SERVER_SIDE_TOOL_COLLECTIONS_SEARCH": _STORAGE,
    "server_side_tool_usage.SERVER_SIDE_TOOL_MCP": _NOTHING,
    "num_server_side_tools_used": _NOTHING,
    "num_sources_used": "search_sources",
    "num_search_queries": _WEB,
    "tool_calls_details.search_web.invocation": _WEB,
    "connectors.web_search": _WEB,
    "connectors.web_search_premium": _WEB,
    "connectors.code_interpreter": _CODE,
}
"""What is billed by the piece. Units that the registry lacks are of our own naming: nobody has a price for them."""
_COSTS = dict.fromkeys(("cost", "total_cost", "estimated_cost", "cost_in_usd_ticks", "is_byok", "currency"), _NOTHING)
_PARTS_OF_COST = ("cost.", "cost_details.")
_BESIDE = {**_TERMS, **_BILLED_CALLS, **_COSTS}

_INPUT_DETAILS = {
    **dict.fromkeys(("cached_tokens", "cache_read", "cache_read_input_tokens", "cacheReadTokens"), CACHE_READ),
    **dict.fromkeys(("flex_cache_read", "priority_cache_read"), CACHE_READ),
    **dict.fromkeys(("cache_write_tokens", "cache_creation", "cache_creation_tokens", "cacheWriteTokens"), CACHE_WRITE),
    "cache_creation_input_tokens": CACHE_WRITE,
    "ephemeral_5m_input_tokens": WRITE_5M,
    "ephemeral_1h_input_tokens": WRITE_1H,
    "cache_creation_token_details.ephemeral_5m_input_tokens": WRITE_5M,
    "cache_creation_token_details.ephemeral_1h_input_tokens": WRITE_1H,
    **dict.fromkeys(("text_tokens", "text"), "input_text_tokens"),
    **dict.fromkeys(("audio_tokens", "audio"), "input_audio_tokens"),
    **dict.fromkeys(("image_tokens", "image"), "input_image_tokens"),
    **dict.fromkeys(("video_tokens", "video"), "input_video_tokens"),
    "cached_tokens_details.text_tokens": "cache_text_read_tokens",
    "cached_tokens_details.audio_tokens": "cache_audio_read_tokens",
    "cached_tokens_details.image_tokens": "cache_image_read_tokens",
    "web_search_requests": _WEB,
    **dict.fromkeys(("flex", "priority", "noCacheTokens", "image_count", "video_length_seconds"), _NOTHING),
    "character_count": "input_characters",
}
_OUTPUT_DETAILS = {
    **dict.fromkeys(("reasoning_tokens", "reasoning", "reasoningTokens", "thinking_tokens"), REASONING),
    **dict.fromkeys(("flex_reasoning", "priority_reasoning"), REASONING),
    **dict.fromkeys(("text_tokens", "text"), "output_text_tokens"),
    **dict.fromkeys(("audio_tokens", "audio"), "output_audio_tokens"),
    **dict.fromkeys(("image_tokens", "image"), "output_image_tokens"),
    **dict.fromkeys(("video_tokens", "video"), "output_video_tokens"),
    **dict.fromkeys(("accepted_prediction_tokens", "rejected_prediction_tokens", "flex", "priority"), _NOTHING),
    "textTokens": _NOTHING,
}
_OF_MESSAGE = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "cache_read_input_tokens": CACHE_READ,
    "cache_creation_input_tokens": CACHE_WRITE,
    "cache_creation.ephemeral_5m_input_tokens": WRITE_5M,
    "cache_creation.ephemeral_1h_input_tokens": WRITE_1H,
}
_ITERATIONS = ("message", "fallback_message", "compaction")
_INCLUSIVE = Shape(
    {
        **_BESIDE,
        **dict(_each(INPUT, "prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "inputTokens.total")),
        **dict(_each(INPUT, "prompt_eval_count", "prompt_token_count", "inputTextTokenCount", "inputTokenCount")),
        **dict(_each(INPUT, "tokens", "tokens.input_tokens")),
        **dict(_each(OUTPUT, "completion_tokens", "output_tokens", "completionTokens", "outputTokens")),
        **dict(_each(OUTPUT, "outputTokens.total", "generation_token_count", "tokenCount", "outputTokenCount")),
        **dict(_each(OUTPUT, "eval_count", "tokens.output_tokens")),
        **dict(_each(_TOTAL, "total_tokens", "totalTokens")),
        **dict(_each(CACHE_READ, "cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")),
        **dict(_each(CACHE_READ, "cached_prompt_text_tokens", "cachedInputTokens", "inputTokens.cacheRead")),
        **dict(_each(CACHE_READ, "cachedContentTokens")),
        **dict(_each(CACHE_WRITE, "cache_creation_input_tokens", "cache_write_tokens", "inputTokens.cacheWrite")),
        **dict(_each(WRITE_5M, "cache_creation.ephemeral_5m_input_tokens")),
        **dict(_each(WRITE_1H, "cache_creation.ephemeral_1h_input_tokens")),
        **dict(_each(REASONING, "reasoning_tokens", "reasoningTokens", "outputTokens.reasoning", "thoughtsTokens")),
        **dict(_within(("prompt_tokens_details", "input_tokens_details", "input_token_details"), _INPUT_DETAILS)),
        **dict(
            _within(("completion_tokens_details", "output_tokens_details", "output_token_details"), _OUTPUT_DETAILS)
        ),
        **dict(_within(("inputTokenDetails",), _INPUT_DETAILS)),
        **dict(_within(("outputTokenDetails",), _OUTPUT_DETAILS)),
        **dict(_each("audio_seconds", "seconds", "billable_audio_seconds")),
        **dict(_each("input_audio_seconds", "prompt_audio_seconds")),
        **dict(_each("input_characters", "characters", "character_count", "billable_characters")),
        **dict(_each("input_document_pages", "pages_processed")),
        **dict(_each("input_annotated_document_pages", "annotated_pages_processed")),
        **dict(_each(_NOTHING, "prompt_cache_miss_tokens", "inputTokens.noCache", "outputTokens.text")),
        **dict(_each(_NOTHING, "queue_time", "prompt_time", "completion_time", "total_time", "doc_size_bytes")),
        **dict.fromkeys((f"iterations.{kind}.{part}" for kind in _ITERATIONS for part in _OF_MESSAGE), _NOTHING),
        **dict(_each(_NOTHING, "invocationLatency", "firstByteLatency", "search_context_size")),
    },
    _larger,
    _with_total,
)
_BESIDE_TOTAL = Shape({**_INCLUSIVE.units, "citation_tokens": _CITATION}, _larger, _beside_total)
_SDK_BESIDE_CACHE = Shape(_INCLUSIVE.units, _larger, _with_cache)
_INCLUSIVE_MARKS = frozenset(
    f"{group}.cached_tokens" for group in ("input_tokens_details", "input_token_details", "prompt_tokens_details")
)

_OF_ADVISOR = {
    "input_tokens": "advisor_input_tokens",
    "output_tokens": "advisor_output_tokens",
    "cache_read_input_tokens": "advisor_input_tokens",
    "cache_creation_input_tokens": "advisor_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": _NOTHING,
    "cache_creation.ephemeral_1h_input_tokens": _NOTHING,
}
_ANTHROPIC = Shape(
    {
        **_BESIDE,
        **_OF_MESSAGE,
        # Summaries of a long conversation are beside the sums, an advisor's tokens are another model's.
        **dict(_within(("iterations.compaction",), _OF_MESSAGE)),
        **dict(_within(("iterations.advisor_message",), _OF_ADVISOR)),
        **dict.fromkeys(
            (f"iterations.{kind}.{part}" for kind in ("message", "fallback_message") for part in _OF_MESSAGE), _NOTHING
        ),
        "output_tokens_details.thinking_tokens": REASONING,
        "total_tokens": _TOTAL,
    },
    _sum,
    _with_cache,
)
_ANTHROPIC_MARKS = frozenset(
    {*_OF_MESSAGE, *(f"iterations.{kind}.{part}" for kind in ("compaction", "message") for part in _OF_MESSAGE)}
    - {"input_tokens", "output_tokens"}
)

_BEDROCK = Shape(
    {
        **_BESIDE,
        **dict(_each(INPUT, "inputTokens", "inputTokenCount")),
        **dict(_each(OUTPUT, "outputTokens", "outputTokenCount")),
        **dict(_each(CACHE_READ, "cacheReadInputTokens", "cacheReadInputTokenCount")),
        **dict(_each(CACHE_WRITE, "cacheWriteInputTokens", "cacheWriteInputTokenCount", "cacheCreationInputTokens")),
        **dict(_each(WRITE_5M, "cacheDetails.5m.inputTokens")),
        **dict(_each(WRITE_1H, "cacheDetails.1h.inputTokens")),
        **dict(_each(_TOTAL, "totalTokens")),
        **dict.fromkeys(("invocationLatency", "firstByteLatency"), _NOTHING),
    },
    _larger,
    _with_cache,
)
_BEDROCK_MARKS = frozenset(
    name
    for name, unit in _BEDROCK.units.items()
    if unit in (CACHE_READ, CACHE_WRITE, WRITE_5M, WRITE_1H) and name not in _INCLUSIVE.units
)


def _snake(name: str) -> str:
    """`promptTokenCount` as `prompt_token_count`: Python's clients write so. Modalities stay."""
    return ".".join(
        part if part.isupper() else re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", part)
        for part in name.split(".")
    )


_GEMINI_UNITS = {
    "promptTokenCount": INPUT,
    "candidatesTokenCount": OUTPUT,
    "responseTokenCount": OUTPUT,
    "thoughtsTokenCount": REASONING,
    "toolUsePromptTokenCount": _TOOL,
    "cachedContentTokenCount": CACHE_READ,
    "totalTokenCount": _TOTAL,
    **{
        f"{group}.{modality}.tokenCount": unit.format(kind)
        for group, unit in (
            ("promptTokensDetails", "input_{}_tokens"),
            ("cacheTokensDetails", "cache_{}_read_tokens"),
            ("candidatesTokensDetails", "output_{}_tokens"),
            ("responseTokensDetails", "output_{}_tokens"),
            ("toolUsePromptTokensDetails", "input_{}_tool_tokens"),
        )
        for modality, kind in _MODALITIES.items()
    },
}
_PYTHON_UNITS = {_snake(name): unit for name, unit in _GEMINI_UNITS.items()}
_GEMINI = Shape({**_BESIDE, **dict.fromkeys(_PYTHON_UNITS, _NOTHING), **_GEMINI_UNITS}, _sum, _with_thoughts)
_GEMINI_IN_PYTHON = Shape({**_BESIDE, **_PYTHON_UNITS}, _sum, _with_thoughts)
_GEMINI_MARKS = frozenset(_GEMINI_UNITS) - {"totalTokenCount"}
_PYTHON_MARKS = frozenset(_PYTHON_UNITS) - {"total_token_count"}

_COHERE = Shape(
    {
        **_BESIDE,
        "billed_units.input_tokens": INPUT,
        "billed_units.output_tokens": OUTPUT,
        "billed_units.image_tokens": _IMAGE_INPUT,
        "billed_units.search_units": "rerank_searches",
        "billed_units.classifications": "classifications",
        "billed_units.images": _IMAGES,
        **dict.fromkeys(("tokens.input_tokens", "tokens.output_tokens", "cached_tokens"), _NOTHING),
    },
    _larger,
    _as_billed,
)
_COHERE_MARKS = frozenset(name for name in _COHERE.units if name.startswith("billed_units."))
