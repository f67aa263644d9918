"""How instrumentations name what they say of an LLM call: one table for all of them.

The GenAI semantic conventions of several years, OpenInference, OpenLLMetry, pydantic-ai and logfire, Vercel's AI SDK,
LangSmith, Langfuse, MLflow, OpenLIT, LiteLLM and the Anthropic SDK name one thing differently. Each thing has its names
in the order in which they are believed. A name that goes on inside an attribute of `OPENED` is looked up in its JSON:
`mlflow.llm.cost.total_cost`.
"""

from __future__ import annotations

from msgspec import Struct

_Names = tuple[str, ...]

OPENED = (
    "ai.response.providerMetadata",
    "embedding.invocation_parameters",
    "gen_ai.usage.input_token_details",
    "gen_ai.usage.output_token_details",
    "gen_ai.usage.raw",
    "langfuse.observation.cost_details",
    "langfuse.observation.usage_details",
    "llm.invocation_parameters",
    "metadata",
    "mlflow.chat.tokenUsage",
    "mlflow.llm.cost",
    "mlflow.llm.model",
    "mlflow.llm.provider",
    "mlflow.spanType",
)
"""Attributes that hold JSON."""

_METADATA = "ai.response.providerMetadata"
_ANTHROPIC = f"{_METADATA}.anthropic.usage"
_DETAILS = "gen_ai.usage.details"
_LANGFUSE = "langfuse.observation.usage_details"
_MLFLOW = "mlflow.chat.tokenUsage"
_RAW = "gen_ai.usage.raw"
ANSWERED = "output.value.usage"
"""The usage object of the provider's whole answer, where the span holds it: only what attributes have no names for."""


class AttributeNames(Struct, frozen=True, kw_only=True):
    """By what they tell."""

    response_id: _Names
    model: _Names
    provider: _Names
    address: _Names
    """Of the server that was called."""
    user: _Names
    session: _Names
    error_type: _Names
    http_status: _Names
    answered_from_cache: _Names
    first_token_seconds: _Names
    first_token_milliseconds: _Names
    request_body: _Names
    """Where what was sent to the provider may stand whole."""
    response_body: _Names
    """Where the provider's whole answer may stand, with its id."""
    prompt: _Names
    """What people read, where it is not given as messages."""
    answer: _Names
    cost: _Names
    """USD."""
    cost_of_sides: tuple[tuple[str, str], ...]
    """Of input and output, where nothing tells their sum."""
    service_level: _Names
    """The answer's before the request's; so in the two below."""
    speed: _Names
    inference_geo: _Names
    units: dict[str, _Names]
    """What was used, by the units of genai-prices. A unit is also known by its own name below `UNIT_PREFIXES`."""
    total: _Names
    """Of input and output together."""
    besides: dict[str, _Names]
    """Used as well, but not in the attribute of the unit."""
    not_billed: frozenset[str]
    """Counts that repeat or split what other counts say."""


UNIT_PREFIXES = ("gen_ai.usage.", f"{_DETAILS}.", f"{_LANGFUSE}.")
USAGE_PREFIXES = ("gen_ai.usage.", "llm.token_count.", "ai.usage.", "anthropic.usage.", f"{_LANGFUSE}.", f"{_MLFLOW}.")
"""Below them stands what was used, whoever wrote it."""

NAMES = AttributeNames(
    response_id=("gen_ai.response.id", "ai.response.id"),
    model=(
        "gen_ai.response.model",
        "ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.response.model",
        "llm.model_name",
        "llm.request.model_name",
        "llm.request.model",
        "embedding.model_name",
        "reranker.model_name",
        "ai.model.id",
        "langfuse.observation.model.name",
        "mlflow.llm.model",
        "langsmith.metadata.ls_model_name",
        "metadata.ls_model_name",
        *(
            f"{parameters}.{name}"
            for parameters in ("llm.invocation_parameters", "embedding.invocation_parameters")
            for name in ("model", "model_name", "modelId", "model_id", "engine")
        ),
    ),
    provider=(
        "gen_ai.provider.name",
        "langsmith.metadata.ls_provider",  # LangSmith guesses `gen_ai.system` by the model's name
        "gen_ai.system",
        "llm.provider",
        "ai.model.provider",
        "mlflow.llm.provider",
        "metadata.ls_provider",
        "llm.system",
    ),
    address=("server.address", "gen_ai.openai.api_base", "url.full", "http.url"),
    user=(
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "gen_ai.request.user",
        "llm.user",
        "traceloop.association.properties.user_id",
        "langfuse.user.id",
        "ai.telemetry.metadata.userId",
        "ai.telemetry.metadata.user_id",
        "langsmith.metadata.user_id",
        "mlflow.trace.user",
        "metadata.user_id",
    ),
    session=(
        "anthropic.session.id",  # `gen_ai.conversation.id` is one of its threads
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
        "langfuse.session.id",
        "ai.telemetry.metadata.sessionId",
        "ai.telemetry.metadata.session_id",
        "langsmith.metadata.session_id",
        "langsmith.metadata.thread_id",
        "gcp.vertex.agent.session_id",
        "mlflow.trace.session",
        "metadata.session_id",
        "metadata.thread_id",
    ),
    error_type=("error.type",),
    http_status=("http.response.status_code", "http.status_code", "error.type"),
    answered_from_cache=("litellm.cache_hit",),
    first_token_seconds=(
        "gen_ai.server.time_to_first_token",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.latency.time_to_first_token",
    ),
    first_token_milliseconds=("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
    request_body=("input.value", "mlflow.spanInputs", "gcp.vertex.agent.llm_request"),
    response_body=("output.value", "gen_ai.output", "gen_ai.response", "gen_ai.output.messages"),
    prompt=(
        "input.value",
        "gen_ai.prompt",
        "langfuse.observation.input",
        "mlflow.spanInputs",
        "gcp.vertex.agent.llm_request",
    ),
    answer=(
        "output.value",
        "gen_ai.completion",
        "langfuse.observation.output",
        "mlflow.spanOutputs",
        "gcp.vertex.agent.llm_response",
    ),
    cost=(
        "litellm.cost.total",
        "gen_ai.cost.total_cost",
        f"{_METADATA}.openrouter.usage.cost",
        f"{_METADATA}.gateway.cost",
        "operation.cost",
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "llm.cost.total",
        "langfuse.observation.cost_details.total",
        "mlflow.llm.cost.total_cost",
    ),
    cost_of_sides=(
        ("gen_ai.usage.input_cost", "gen_ai.usage.output_cost"),
        ("llm.cost.prompt", "llm.cost.completion"),
        ("langfuse.observation.cost_details.input", "langfuse.observation.cost_details.output"),
        ("mlflow.llm.cost.input_cost", "mlflow.llm.cost.output_cost"),
    ),
    service_level=(
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
        "anthropic.usage.service_tier",
        "gen_ai.usage.service_tier",
        f"{_METADATA}.openai.serviceTier",
        f"{_METADATA}.azure.serviceTier",
        f"{_ANTHROPIC}.service_tier",
        f"{_RAW}.service_tier",
        f"{_METADATA}.google.usageMetadata.trafficType",
        f"{_METADATA}.vertex.usageMetadata.trafficType",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "gen_ai.request.service_tier",
        "anthropic.request.service_tier",
        "llm.invocation_parameters.service_tier",
    ),
    speed=(
        "anthropic.usage.speed",
        f"{_ANTHROPIC}.speed",
        f"{_RAW}.speed",
        "anthropic.request.speed",
        "llm.invocation_parameters.speed",
    ),
    inference_geo=(
        "anthropic.usage.inference_geo",
        f"{_ANTHROPIC}.inference_geo",
        f"{_RAW}.inference_geo",
        "anthropic.request.inference_geo",
        "llm.invocation_parameters.inference_geo",
    ),
    units={
        "input_tokens": (
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "llm.usage.prompt_tokens",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "ai.usage.tokens",  # of embeddings
            f"{_LANGFUSE}.input",
            f"{_LANGFUSE}.prompt_tokens",
            f"{_LANGFUSE}.input_tokens",
            f"{_MLFLOW}.input_tokens",
        ),
        "output_tokens": (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "llm.usage.completion_tokens",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
            f"{_LANGFUSE}.output",
            f"{_LANGFUSE}.completion_tokens",
            f"{_LANGFUSE}.output_tokens",
            f"{_MLFLOW}.output_tokens",
        ),
        "cache_read_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_input_tokens",
            "llm.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached",
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            "gen_ai.usage.input_tokens_details.cached_tokens",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
            f"{_DETAILS}.cache_read_input_tokens",
            f"{_DETAILS}.cached_tokens",
            f"{_DETAILS}.cached_content_tokens",
            "gen_ai.usage.input_token_details.cache_read",
            f"{_LANGFUSE}.input_cached_tokens",
            f"{_LANGFUSE}.input_cache_read",
            f"{_LANGFUSE}.cache_read_input_tokens",
            f"{_LANGFUSE}.prompt_tokens_details.cached_tokens",
            f"{_MLFLOW}.cache_read_input_tokens",
            f"{_RAW}.cache_read_input_tokens",
            f"{_RAW}.prompt_tokens_details.cached_tokens",
            f"{_RAW}.input_tokens_details.cached_tokens",
            f"{_ANTHROPIC}.cache_read_input_tokens",
            f"{_METADATA}.anthropic.cacheReadInputTokens",
            f"{_METADATA}.bedrock.usage.cacheReadInputTokens",
            f"{_METADATA}.openai.cachedPromptTokens",
        ),
        "cache_write_tokens": (
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "llm.usage.cache_creation_input_tokens",
            "gen_ai.usage.input_tokens.cache_write",
            "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
            "gen_ai.usage.prompt_tokens_details.cache_write_tokens",
            "llm.token_count.prompt_details.cache_write",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            f"{_DETAILS}.cache_creation_input_tokens",
            "gen_ai.usage.input_token_details.cache_creation",
            f"{_LANGFUSE}.input_cache_creation",
            f"{_LANGFUSE}.cache_creation_input_tokens",
            f"{_MLFLOW}.cache_creation_input_tokens",
            f"{_RAW}.cache_creation_input_tokens",
            f"{_ANTHROPIC}.cache_creation_input_tokens",
            f"{_METADATA}.anthropic.cacheCreationInputTokens",
            f"{_METADATA}.bedrock.usage.cacheWriteInputTokens",
        ),
        "cache_write_5m_tokens": (
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
            "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
            "gen_ai.usage.input_tokens.cache_write_5m",
            f"{_DETAILS}.ephemeral_5m_input_tokens",
            "gen_ai.usage.input_token_details.ephemeral_5m_input_tokens",
            f"{_RAW}.cache_creation.ephemeral_5m_input_tokens",
            f"{ANSWERED}.cache_creation.ephemeral_5m_input_tokens",
            f"{_ANTHROPIC}.cache_creation.ephemeral_5m_input_tokens",
        ),
        "cache_write_1h_tokens": (
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.input_tokens.cache_write_1h",
            f"{_DETAILS}.ephemeral_1h_input_tokens",
            "gen_ai.usage.input_token_details.ephemeral_1h_input_tokens",
            f"{_MLFLOW}.cache_creation_input_tokens_above_1hr",
            f"{_RAW}.cache_creation.ephemeral_1h_input_tokens",
            f"{ANSWERED}.cache_creation.ephemeral_1h_input_tokens",
            f"{_ANTHROPIC}.cache_creation.ephemeral_1h_input_tokens",
        ),
        "output_reasoning_tokens": (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_tokens.reasoning",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
            "gen_ai.usage.output_tokens_details.reasoning_tokens",
            "gen_ai.usage.experimental.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
            "llm.usage.reasoning_tokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
            f"{_DETAILS}.reasoning_tokens",
            f"{_DETAILS}.thoughts_tokens",
            "gen_ai.usage.output_token_details.reasoning",
            f"{_LANGFUSE}.completion_tokens_details.reasoning_tokens",
            f"{_RAW}.completion_tokens_details.reasoning_tokens",
            f"{_RAW}.output_tokens_details.reasoning_tokens",
            f"{_METADATA}.openai.reasoningTokens",
        ),
        "input_text_tokens": ("gen_ai.usage.text.input_tokens", f"{_DETAILS}.text_prompt_tokens"),
        "output_text_tokens": ("gen_ai.usage.text.output_tokens", f"{_DETAILS}.text_candidates_tokens"),
        "cache_text_read_tokens": ("gen_ai.usage.text.cache_read.input_tokens", f"{_DETAILS}.text_cache_tokens"),
        "input_audio_tokens": (
            "gen_ai.usage.audio.input_tokens",
            "gen_ai.usage.prompt_tokens_details.audio_tokens",
            "llm.token_count.prompt_details.audio",
            f"{_DETAILS}.audio_prompt_tokens",
            "gen_ai.usage.input_token_details.audio",
        ),
        "output_audio_tokens": (
            "gen_ai.usage.audio.output_tokens",
            "gen_ai.usage.completion_tokens_details.audio_tokens",
            "llm.token_count.completion_details.audio",
            f"{_DETAILS}.audio_candidates_tokens",
            f"{_DETAILS}.audio_response_tokens",
            "gen_ai.usage.output_token_details.audio",
        ),
        "cache_audio_read_tokens": ("gen_ai.usage.audio.cache_read.input_tokens", f"{_DETAILS}.audio_cache_tokens"),
        "input_image_tokens": ("gen_ai.usage.image.input_tokens", f"{_DETAILS}.image_prompt_tokens"),
        "output_image_tokens": ("gen_ai.usage.image.output_tokens", f"{_DETAILS}.image_candidates_tokens"),
        "cache_image_read_tokens": ("gen_ai.usage.image.cache_read.input_tokens", f"{_DETAILS}.image_cache_tokens"),
        "input_video_tokens": ("gen_ai.usage.video.input_tokens", f"{_DETAILS}.video_prompt_tokens"),
        "output_video_tokens": ("gen_ai.usage.video.output_tokens", f"{_DETAILS}.video_candidates_tokens"),
        "cache_video_read_tokens": (f"{_DETAILS}.video_cache_tokens",),
        "input_tool_tokens": (f"{_DETAILS}.tool_use_prompt_tokens",),
        "web_searches": (
            "anthropic.usage.server_tool_use.web_search_requests",
            "gen_ai.usage.server_tool_use.web_search_requests",
            "gen_ai.usage.web_search_requests",
            f"{_DETAILS}.web_search_requests",
            f"{_RAW}.server_tool_use.web_search_requests",
            f"{ANSWERED}.server_tool_use.web_search_requests",
            f"{_ANTHROPIC}.server_tool_use.web_search_requests",
        ),
        "rerank_searches": (),
        "code_executions": (),
        "input_audio_seconds": (),
        "output_audio_seconds": (),
        "input_characters": (),
        "input_document_pages": (),
        "input_pixels": (),
    },
    total=(
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
        f"{_LANGFUSE}.total",
        f"{_LANGFUSE}.total_tokens",
        f"{_MLFLOW}.total_tokens",
    ),
    besides={
        # The Anthropic SDK's counts leave out what compacting the context took.
        "input_tokens": ("anthropic.usage.compaction.input_tokens",),
        "output_tokens": ("anthropic.usage.compaction.output_tokens",),
    },
    not_billed=frozenset(
        {
            "gen_ai.usage.total_tokens",
            "llm.token_count.total",
            "ai.usage.totalTokens",
            "ai.usage.inputTokenDetails.noCacheTokens",
            "ai.usage.outputTokenDetails.textTokens",
            f"{_LANGFUSE}.total",
            f"{_LANGFUSE}.total_tokens",
            f"{_MLFLOW}.total_tokens",
            f"{_DETAILS}.input_tokens",
            f"{_DETAILS}.output_tokens",
            f"{_DETAILS}.total_tokens",
            f"{_DETAILS}.requests",
            f"{_DETAILS}.audio_tokens",
            f"{_DETAILS}.accepted_prediction_tokens",
            f"{_DETAILS}.rejected_prediction_tokens",
            "gen_ai.usage.experimental.reasoning_tokens_limit",
            "gen_ai.usage.experimental.system_instruction_tokens",
        }
    ),
)
LISTS = tuple(
    (each, names)
    for each in AttributeNames.__struct_fields__
    if each != "cost_of_sides" and isinstance(names := getattr(NAMES, each), tuple)
)
LISTED = frozenset(name for _, names in LISTS for name in names).union(*NAMES.cost_of_sides)
