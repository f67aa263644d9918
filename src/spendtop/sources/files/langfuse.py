"""Langfuse's observations, as its API answers and as its exports to files have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import SECOND
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.sources.records import LANGFUSE, OTLP, Source
from spendtop.domain.usage import count
from spendtop.sources.files.rows import FileRow, WrongField, present, properties_of
from spendtop.sources.skipped import NoCall

_CALLS = ("GENERATION", "EMBEDDING")
_CACHE_READ = ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_tokens")
_CACHE_WRITE = (
    "cache_creation_input_tokens",
    "input_cache_creation",
    "cache_write_input_tokens",
    "input_cache_creation_5m",
    "input_cache_creation_1h",
)
_REASONING = ("output_reasoning_tokens", "output_reasoning")
_UNITS = {
    "input_audio_tokens": "input_audio_tokens",
    "input_audio": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_audio": "output_audio_tokens",
    "input_cache_creation_1h": "cache_write_1h_tokens",
    "input_cache_creation_5m": "cache_write_5m_tokens",
}
"""Of the parts of a usage those that are billed apart, by their unit."""
_OLDER = {"promptTokens": "input", "completionTokens": "output", "totalTokens": "total"}
"""What the parts were called in its first versions."""
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_RESPONSE_ID = "gen_ai.response.id"
_TRACE_ID, _SPAN_ID = 32, 16
"""Hexadecimal digits of OpenTelemetry's ids, which Langfuse keeps."""


def observation(row: FileRow, now: int) -> Request | NoCall:
    """The request of a generation or an embedding; other observations are no calls. Raises WrongField."""
    kind = (row.name("type") or "").upper()
    if kind not in _CALLS:
        return NoCall(present(kind or None, "type", "the kind of an observation, such as GENERATION"))
    id = present(row.name("id"), "id", "the id of an observation")
    start = present(row.instant(now, "start_time", "timestamp"), "startTime", "a date and time, and not in the future")
    attributes, metadata = _metadata(row)
    request_body, response_body = row.body("input"), row.body("output")
    failed = (row.name("level") or "").upper() == "ERROR"
    usage = _usage(row)
    return Request(
        source=LANGFUSE,
        external_id=id,
        other_ids=_span(row.name("trace_id"), id),
        received_at=now,
        occurred_at=start,
        time_source=TimeSource.CLIENT,
        response_id=_response_id(attributes),
        provider=biller_named(next((str(attributes[each]) for each in _PROVIDER if attributes.get(each)), None)),
        model=row.name("provided_model_name", "model"),
        status=Status.ERROR if failed else Status.OK,
        usage=usage,
        cost=_cost(row),
        user_id=row.name("user_id"),
        session_id=row.name("session_id"),
        properties=properties_of(metadata, _labels(row)) or None,
        latency_ms=_milliseconds(row, start, now, "end_time", "latency"),
        ttft_ms=_milliseconds(row, start, now, "completion_start_time", "time_to_first_token"),
        request_body=request_body,
        response_body=response_body,
        body_state=BodyState.NOT_SENT if request_body is response_body is None else BodyState.STORED,
    )


def _metadata(row: FileRow) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """OpenTelemetry's attributes, and what the application itself said."""
    metadata = row.mapping("metadata")
    attributes = metadata.get("attributes")
    return attributes if isinstance(attributes, dict) else {}, metadata


def _labels(row: FileRow) -> Mapping[str, object]:
    return {
        "environment": row.name("environment") or "",
        "trace": row.name("trace_name") or "",
        "tags": ", ".join(row.texts("tags")),
    }


def _span(trace_id: str | None, span_id: str) -> tuple[tuple[Source, str], ...]:
    """Under which id we know the same span where its application reports here, too."""
    if trace_id is not None and _is_hex(trace_id, _TRACE_ID) and _is_hex(span_id, _SPAN_ID):
        return ((OTLP, f"{trace_id}-{span_id}"),)
    return ()


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and all(digit in "0123456789abcdef" for digit in text)


def _response_id(attributes: Mapping[str, object]) -> str | None:
    id = attributes.get(_RESPONSE_ID)
    return provider_response_id(id) if isinstance(id, str) and id else None


def _usage(row: FileRow) -> Usage:
    """The parts of an input are disjoint where all parts together are the total, or where they exceed the input; else
    the input holds them."""
    details = _counts(row)
    total = details.pop("total", None)
    prompt, completion = details.get("input"), details.get("output")
    of_input = {n: v for n, v in details.items() if n != "input" and n.startswith(("input_", "cache_", "cached_"))}
    of_output = {n: v for n, v in details.items() if n != "output" and n.startswith("output_")}
    parts = sum(of_input.values()) + sum(of_output.values())
    is_disjoint = parts > 0 and (
        (prompt or 0) + (completion or 0) + parts == total or sum(of_input.values()) > (prompt or 0)
    )
    if is_disjoint:
        prompt = (prompt or 0) + sum(of_input.values()) if prompt is not None or of_input else None
        completion = (completion or 0) + sum(of_output.values()) if completion is not None or of_output else None
    return Usage(
        prompt=prompt,
        completion=completion,
        cache_read=_sum(of_input, _CACHE_READ),
        cache_write=_sum(of_input, _CACHE_WRITE),
        reasoning=_sum(of_output, _REASONING),
        units={unit: details[name] for name, unit in _UNITS.items() if details.get(name)} or None,
    )


def _counts(row: FileRow) -> dict[str, int]:
    """What is said of the usage, by name. Raises WrongField."""
    details = row.mapping("usage_details") or row.mapping("usage")
    counts: dict[str, int] = {}
    for name, value in details.items():
        number = count(int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value)
        if number is not None:
            counts[_OLDER.get(name, name)] = number
        elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            raise WrongField("usageDetails", "has to hold whole numbers of tokens")
    return counts


def _sum(parts: Mapping[str, int], names: Iterable[str]) -> int | None:
    found = [parts[name] for name in names if name in parts]
    return sum(found) if found else None


def _cost(row: FileRow) -> Cost:
    """The whole cost, else the sum of its parts."""
    total = row.dollars("total_cost", "calculated_total_cost")
    if total is None:
        parts = FileRow(row.mapping("cost_details"))
        total = parts.dollars("total")
    return Cost() if total is None else Cost(reported=total, reported_by=Reporter.INSTRUMENTATION)


def _milliseconds(row: FileRow, start: int, now: int, end: str, seconds: str) -> int | None:
    """From the start to an instant; else as many seconds as are said."""
    until = row.instant(now, end)
    if until is not None and until >= start:
        return round((until - start) * 1000 / SECOND)
    length = row.number(seconds)
    return None if length is None else round(length * 1000)
