"""What is kept of an answer to price it by: the provider's usage object and counts of what else is billed.

Numbers and known words only. Queries, arguments and other texts never get in, of searches and calls only how many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from spendtop.domain.conversation_stream import events_of, is_event_stream
from spendtop.domain.usage.levels import level_word, place_word, speed_word

Flat: TypeAlias = dict[str, Any]
"""Dotted name to number, word or flag; entries of lists by their modality, lifetime or kind."""

NO_NUMBER = -1
"""Stands for what should be a number and is none: its sum is unknown, also when it is read again."""

_LARGEST = 2**63
_DEEPEST = 4
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_GOOD: set[str] = set()
"""Names that were seen to be names, as most come again and again."""
_MOST_GOOD = 4096
_COUNTS = ("tokens", "Tokens", "Count", "_count")
_MODALITIES = frozenset({"TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"})
_CURRENCY = re.compile("[A-Z]{3}")


def _one_of(*words: str) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in words else None


def _modality(value: object) -> str | None:
    return value.upper() if isinstance(value, str) and value.upper() in _MODALITIES else None


def _currency(value: object) -> str | None:
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


_TIERS = frozenset({"service_tier", "serviceTier", "trafficType", "traffic_type"})
_WORDS: Mapping[str, Callable[[object], str | None]] = {
    "modality": _modality,
    "ttl": _one_of("5m", "1h"),
    "type": _one_of("tokens", "duration", "message", "compaction", "advisor_message", "fallback_message"),
    **dict.fromkeys(_TIERS, level_word),
    "speed": speed_word,
    "latency": speed_word,
    "inference_geo": place_word,
    "search_context_size": _one_of("low", "medium", "high"),
    "currency": _currency,
}
"""Fields whose words are kept, and what gives a word in its one form."""
_FLAGS = frozenset({"is_byok"})
_LABELS = ("modality", "ttl", "type")

_USAGE = ("usage", "usageMetadata", "usage_metadata", "usage_info", "totalUsage", "token_usage")
_BESIDE = ("amazon-bedrock-invocationMetrics", "meta")
"""Where usage is where an answer has none of its own."""
_OWN_COUNTS = (
    *("prompt_eval_count", "eval_count"),  # Ollama
    *("prompt_token_count", "generation_token_count", "inputTextTokenCount"),  # Llama and Titan at Bedrock
)
"""Counts that an answer itself holds."""
_ENVELOPES = ("response", "message", "result", "body", "metadata", "x_groq", "delta", "kwargs", "response_metadata")
_CALLS = frozenset({"web_search_call", "file_search_call", "code_interpreter_call"})
_FREE_ACTIONS = ("open_page", "find_in_page", "find")
_STREAMED = (
    *(*_USAGE, *_BESIDE, *_OWN_COUNTS, "candidates", "output", "model", "modelVersion"),
    *("service_tier", "serviceTier", "performanceConfig"),
)
"""What chunks of a stream say that counts."""


class Kept(NamedTuple):
    """What is kept of one answer."""

    object: dict[str, Any]
    flat: Flat


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
    for name, value in {**_terms(answer, opened, usage or {}, asked), **_pieces(opened, usage, asked)}.items():
        if name not in kept.flat:
            kept.object[name] = kept.flat[name] = value
    model = opened.get("model") or opened.get("modelVersion") or answer.get("model") or answer.get("modelVersion")
    return kept, model if isinstance(model, str) and model else None


def keep(usage: Mapping[str, Any]) -> Kept:
    """What is kept of a usage object."""
    raw = usage.get("raw")
    if isinstance(raw, dict) and any(name.endswith(_COUNTS) for name in raw if isinstance(name, str)):
        usage = raw  # the provider's own object inside that of an SDK
    flat: Flat = {}
    return Kept(_reduced(usage, "", flat, 0), flat)


def _reduced(source: Mapping[str, Any], prefix: str, flat: Flat, depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in source.items():
        kind = type(value)
        if kind is int:
            if not -_LARGEST < value < _LARGEST:
                value = NO_NUMBER
        elif value is None:
            continue
        elif kind is dict or kind is list:
            if depth < _DEEPEST and _is_name(name):
                if kind is dict:
                    inner: Any = _reduced(value, f"{prefix}{name}.", flat, depth + 1)
                else:
                    inner = [*_entries(value, prefix + name, flat, depth + 1)]
                if inner:
                    kept[name] = inner
                    continue
            if not name.endswith(_COUNTS):
                continue
            value = NO_NUMBER
        elif kind is not float:
            value = _word(name, value)
            if value is None:
                continue
        elif not -_LARGEST < value < _LARGEST:
            value = NO_NUMBER
        if name not in _GOOD and not _is_name(name):
            continue
        kept[name] = value
        flat[prefix + name] = value
    return kept


def _is_name(name: str) -> bool:
    if _NAME.fullmatch(name) is None:
        return False
    if len(_GOOD) < _MOST_GOOD:
        _GOOD.add(name)
    return True


def _word(name: str, value: object) -> object:
    """A known word or flag; what stands where a count should be, but is none, is no number."""
    read = _WORDS.get(name)
    if read is not None:
        return read(value)
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    return NO_NUMBER if name.endswith(_COUNTS) else None


def _entries(values: list[Any], name: str, flat: Flat, depth: int) -> Iterator[dict[str, Any]]:
    """Objects of a list; those with the same label are one in the flat form."""
    for value in values:
        if not isinstance(value, dict):
            continue
        of_entry: Flat = {}
        kept = _reduced(value, "", of_entry, depth)
        if not kept:
            continue
        yield kept
        label = next((word for key in _LABELS if isinstance(word := of_entry.get(key), str)), "")
        for part, amount in of_entry.items():
            if part in _LABELS:
                continue
            path = f"{name}.{label}.{part}" if label else f"{name}.{part}"
            before = flat.get(path)
            if isinstance(before, int | float) and isinstance(amount, int | float):
                amount = NO_NUMBER if before < 0 or amount < 0 else before + amount
            flat[path] = amount


def _opened(answer: Mapping[str, Any], depth: int) -> Mapping[str, Any] | None:
    """The part of an answer that holds its usage: itself, or what is in an envelope of a stream, batch or gateway."""
    usage = answer.get("usage")
    if isinstance(usage, dict) and usage:
        return answer
    if any(isinstance(answer.get(name), dict) for name in _USAGE[1:]) or any(name in answer for name in _OWN_COUNTS):
        return answer
    if depth < _DEEPEST:
        for name in _ENVELOPES:
            inner = answer.get(name)
            if isinstance(inner, dict) and (opened := _opened(inner, depth + 1)) is not None:
                return opened
    return answer if any(_is_usage_beside(answer, name) for name in _BESIDE) else None


def _is_usage_beside(answer: Mapping[str, Any], name: str) -> bool:
    beside = answer.get(name)
    return isinstance(beside, dict) and (name != "meta" or "billed_units" in beside or "tokens" in beside)


def _usage_object(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
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
    if _TIERS.isdisjoint(usage) or not any(level_word(usage.get(name)) for name in _TIERS):
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
    output, model = answer.get("output"), answer.get("model")
    if isinstance(output, list):
        _count_calls(output, pieces)
    elif isinstance(model, str) and "-search-" in model and model.startswith("gpt-"):
        pieces["web_search_call"] = 1  # these search the web in each call
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
    """Of searches for grounding how many queries, and whether the answer rests on any."""
    queries = 0
    kinds: set[str] = set()
    for candidate in candidates:
        grounding = candidate.get("groundingMetadata") if isinstance(candidate, dict) else None
        if not isinstance(grounding, dict):
            continue
        asked, chunks = grounding.get("webSearchQueries"), grounding.get("groundingChunks")
        queries += len(asked) if isinstance(asked, list) else 0
        for chunk in chunks if isinstance(chunks, list) else ():
            kinds.update(chunk if isinstance(chunk, dict) else ())
    if queries:
        pieces["webSearchQueries"] = queries
    if queries or "web" in kinds:
        pieces["groundedRequests"] = 1
    if "maps" in kinds:
        pieces["groundedByMaps"] = 1


def _count_unsaid(answer: Mapping[str, Any], asked: Mapping[str, Any], pieces: Flat) -> None:
    """What answers without usage were about: pictures, seconds of speech, characters that were spoken."""
    data, speech = answer.get("data"), asked.get("input")
    if isinstance(data, list):
        pictures = sum(isinstance(item, dict) and ("b64_json" in item or "url" in item) for item in data)
        if pictures:
            pieces["images"] = pictures
    if answer.get("task") in ("transcribe", "translate"):
        pieces |= keep({"type": "duration", "seconds": answer.get("duration")}).flat
    if "voice" in asked and isinstance(speech, str) and speech:
        pieces["input_characters"] = len(speech)


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
