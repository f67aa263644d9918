"""Where an answer says its usage, and what else in it is billed: of searches and calls only how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from spendtop.domain.bodies.stream import events_of, is_event_stream
from spendtop.domain.usage.counts import count
from spendtop.domain.usage.kept import NO_NUMBER, TIERS, Flat, Kept, keep
from spendtop.domain.usage.levels import level_word, place_word, speed_word

_USAGE = ("usage", "usageMetadata", "usage_metadata", "usage_info", "totalUsage", "token_usage")
_BESIDE = ("amazon-bedrock-invocationMetrics", "meta")
"""Where usage is where an answer has none of its own."""
_OWN_COUNTS = (
    *("prompt_eval_count", "eval_count"),  # Ollama
    *("prompt_token_count", "generation_token_count", "inputTextTokenCount"),  # Llama and Titan at Bedrock
)
"""Counts that an answer itself holds."""
_MOST_ENVELOPES = 4
_ENVELOPES = (
    *("response", "message", "result", "body", "metadata", "x_groq", "delta"),
    *("kwargs", "response_metadata", "llm_output"),  # LangChain's
)
_CALLS = frozenset({"web_search_call", "file_search_call", "code_interpreter_call"})
_FREE_ACTIONS = ("open_page", "find_in_page", "find")
_PICTURES = ("b64_json", "url", "bytesBase64Encoded")
_MORE = frozenset(
    {
        *("service_tier", "serviceTier", "performanceConfig", "speed", "inference_geo", "custom_id"),
        *("output", "candidates", "server_side_tool_usage"),
        *("document_annotation_format", "bbox_annotation_format"),
    }
)
"""Fields of an answer or a request that say more than the usage object does: most have none of them."""
_STREAMED = (
    *(*_USAGE, *_BESIDE, *_OWN_COUNTS, "candidates", "output", "model", "modelVersion"),
    *("service_tier", "serviceTier", "performanceConfig"),
)
"""What chunks of a stream say that counts."""


def kept_answer(answer: object, request: object) -> tuple[Kept, str | None]:
    """What is kept of a provider's answer (decoded JSON, chunks of a stream, or the text of one), and its model.

    Where the answer does not say at which level it was served, what the request asked for counts.
    """
    if not isinstance(answer, dict):
        answer = _of_stream(answer) or {}
    opened = _opened(answer, 0)
    if opened is None:
        stream = _of_stream(answer.get("streamed_data"))
        opened = answer if stream is None else _opened(stream, 0) or stream
    usage = _usage_object(opened)
    kept = keep(usage) if usage is not None else Kept({}, {})
    asked = request if isinstance(request, dict) else {}
    model = opened.get("model") or opened.get("modelVersion") or answer.get("model") or answer.get("modelVersion")
    if not isinstance(model, str):
        model = None
    if usage is None or not (_MORE.isdisjoint(opened) and _MORE.isdisjoint(answer) and _MORE.isdisjoint(asked)):
        for name, value in {**_terms(answer, opened, usage or {}, asked), **_pieces(opened, usage, asked)}.items():
            kept.add(name, value)
    if model is not None and model.startswith("gpt-") and "-search-" in model and "output" not in opened:
        kept.add("web_search_call", 1)  # these search the web in each call
    return kept, model or None


def _opened(answer: Mapping[str, Any], depth: int) -> Mapping[str, Any] | None:
    """The part of an answer that holds its usage: itself, or what is in an envelope of a stream, batch or gateway."""
    usage = answer.get("usage")
    if isinstance(usage, dict) and usage:
        return answer
    if any(isinstance(answer.get(name), dict) for name in _USAGE[1:]) or any(name in answer for name in _OWN_COUNTS):
        return answer
    if depth < _MOST_ENVELOPES:
        for name in _ENVELOPES:
            inner = answer.get(name)
            if isinstance(inner, dict) and (opened := _opened(inner, depth + 1)) is not None:
                return opened
        choices = answer.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict) and choices[0].get("usage"):
            return _opened(choices[0], depth + 1)  # as Moonshot streams it
    return answer if any(_is_usage_beside(answer, name) for name in _BESIDE) else None


def _is_usage_beside(answer: Mapping[str, Any], name: str) -> bool:
    beside = answer.get(name)
    return isinstance(beside, dict) and (name != "meta" or "billed_units" in beside or "tokens" in beside)


def _usage_object(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    handed_on = answer.get("providerMetadata")
    anthropic = handed_on.get("anthropic") if isinstance(handed_on, dict) else None
    if (
        isinstance(anthropic, dict)
        and isinstance(anthropic.get("usage"), dict)
        and "input_tokens" in anthropic["usage"]
    ):
        return cast("Mapping[str, Any]", anthropic["usage"])  # the AI SDK's own says nothing of writes to the cache
    for name in _USAGE:
        usage = answer.get(name)
        if isinstance(usage, dict) and usage:
            return usage
    for name in _BESIDE:
        if _is_usage_beside(answer, name):
            return cast("Mapping[str, Any]", answer[name])
    own = {name: answer[name] for name in _OWN_COUNTS if name in answer}
    if "inputTextTokenCount" in own:
        results = answer.get("results")
        if isinstance(results, list):
            counts = [result.get("tokenCount") for result in results if isinstance(result, dict)]
            own["tokenCount"] = sum(counts) if all(type(each) is int for each in counts) else NO_NUMBER
    return own or None


def _terms(
    answer: Mapping[str, Any], opened: Mapping[str, Any], usage: Mapping[str, Any], asked: Mapping[str, Any]
) -> Flat:
    """Service level and place, as the answer says, else as the request asked for."""
    terms: Flat = {}
    if TIERS.isdisjoint(usage) or not any(level_word(usage.get(name)) for name in TIERS):
        is_of_batch = "custom_id" in answer  # a line of a batch's results
        tier = "batch" if is_of_batch else _tier(opened) or _tier(answer) or _tier(asked)
        if tier is not None:
            terms["service_tier"] = tier
    if "performanceConfig" in opened or "performanceConfig" in asked:
        latency = _latency(opened) or _latency(asked)
        if latency is not None:
            terms["latency"] = latency
    if "speed" in asked and (speed := speed_word(asked["speed"])) is not None:
        terms["speed"] = speed
    if "inference_geo" in asked and "inference_geo" not in usage:
        place = place_word(asked["inference_geo"])
        if place is not None:
            terms["inference_geo"] = place
    return terms


def _latency(source: Mapping[str, Any]) -> str | None:
    config = source.get("performanceConfig")
    return speed_word(config.get("latency")) if isinstance(config, dict) else None


def _tier(source: Mapping[str, Any]) -> str | None:
    word = level_word(source.get("service_tier"))
    if word is not None:
        return word
    tier = source.get("serviceTier")
    return level_word(tier.get("type") if isinstance(tier, dict) else tier)


def _pieces(answer: Mapping[str, Any], usage: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> Flat:
    """What is billed by the piece, and is not in the usage object."""
    pieces: Flat = {}
    output = answer.get("output")
    if isinstance(output, list):
        _count_calls(output, pieces)
    candidates = answer.get("candidates")
    if isinstance(candidates, list):
        _count_grounding(candidates, pieces)
    tools = answer.get("server_side_tool_usage")
    if isinstance(tools, dict):
        pieces |= keep({"server_side_tool_usage": tools}).flat
    if usage is None:
        _count_unsaid(answer, asked, pieces)
    elif asked.get("document_annotation_format") or asked.get("bbox_annotation_format"):
        pieces |= keep({"annotated_pages_processed": usage.get("pages_processed")}).flat
    return pieces


def _count_calls(output: list[Any], pieces: Flat) -> None:
    """Billed calls of tools among an answer's items."""
    for item in output:
        if not isinstance(item, dict):
            continue
        kind, action = item.get("type"), item.get("action")
        if not isinstance(kind, str) or kind not in _CALLS:
            continue
        if not isinstance(action, dict) or action.get("type") not in _FREE_ACTIONS:
            pieces[kind] = pieces.get(kind, 0) + 1


def _count_grounding(candidates: list[Any], pieces: Flat) -> None:
    """Of searches for grounding how many different queries, and whether the answer rests on any."""
    queries: set[str] = set()
    kinds: set[str] = set()
    for candidate in candidates:
        grounding = candidate.get("groundingMetadata") if isinstance(candidate, dict) else None
        if not isinstance(grounding, dict):
            continue
        asked, chunks = grounding.get("webSearchQueries"), grounding.get("groundingChunks")
        queries.update(query for query in _list(asked) if isinstance(query, str) and query.strip())
        for chunk in _list(chunks):
            kinds.update(chunk if isinstance(chunk, dict) else ())
    if queries:
        pieces["webSearchQueries"] = len(queries)
    if queries or "web" in kinds:
        pieces["groundedRequests"] = 1
    if "maps" in kinds:
        pieces["groundedByMaps"] = 1


def _count_unsaid(answer: Mapping[str, Any], asked: Mapping[str, Any], pieces: Flat) -> None:
    """What answers without usage were about: pictures, seconds of speech, characters that were spoken, embeddings."""
    speech, predictions = asked.get("input"), _list(answer.get("predictions"))
    items = [item for item in (*_list(answer.get("data")), *predictions) if isinstance(item, dict)]
    pictures = sum(any(form in item for form in _PICTURES) for item in items)
    if pictures:
        pieces["images"] = pictures
    if answer.get("task") in ("transcribe", "translate"):
        pieces |= keep({"type": "duration", "seconds": answer.get("duration")}).flat
    if "voice" in asked and isinstance(speech, str) and speech:
        pieces["input_characters"] = len(speech)
    embedded = [_token_count(item) for item in items if "embeddings" in item]
    if embedded:
        pieces["tokens"] = sum(embedded) if min(embedded) >= 0 else NO_NUMBER


def _token_count(prediction: Mapping[str, Any]) -> int:
    """Of one of Vertex' embeddings."""
    embeddings = prediction["embeddings"]
    statistics = embeddings.get("statistics") if isinstance(embeddings, dict) else None
    tokens = count(statistics.get("token_count")) if isinstance(statistics, dict) else None
    return NO_NUMBER if tokens is None else tokens


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_stream(stream: object) -> dict[str, Any] | None:
    """The answer that a stream's text or its chunks make together; counts in it are running totals."""
    chunks: Iterable[object]
    if isinstance(stream, str) and is_event_stream(stream):
        chunks = events_of(stream)
    elif isinstance(stream, list):
        chunks = stream
    else:
        return None
    whole: dict[str, Any] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        opened = _opened(chunk, 0) or chunk
        for name in _STREAMED:
            value = opened.get(name, chunk.get(name))
            before = whole.get(name)
            if isinstance(value, dict) and isinstance(before, dict):
                whole[name] = {**before, **{key: part for key, part in value.items() if part is not None}}
            elif isinstance(value, list) and isinstance(before, list):
                whole[name] = [*before, *value]
            elif value is not None:
                whole[name] = value
    return whole or None
