"""Rows as Langfuse, LiteLLM and Portkey write them, and tables of unknown origin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spendtop.domain.clock import SECOND
from spendtop.domain.errors import UsageError
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Reporter, Request, Status, Usage
from spendtop.domain.sources.records import LANGFUSE, LITELLM, LITELLM_LOGS, OTLP, PORTKEY, TABLE
from spendtop.sources.files import Format
from spendtop.sources.files.reading import READERS, format_of
from spendtop.sources.skipped import NoCall, Skipped

NOW = 1_795_910_400 * SECOND
CALL = "6902b035-82bc-4d0a-8782-43a3db4e9e74"

OBSERVATION: dict[str, Any] = {
    "id": "o1",
    "traceId": "t-1",
    "type": "GENERATION",
    "startTime": "2026-11-27T08:00:00.000Z",
    "endTime": "2026-11-27T08:00:02.500Z",
    "completionStartTime": "2026-11-27T08:00:00.900Z",
    "level": "DEFAULT",
    "environment": "production",
    "userId": "alice",
    "sessionId": "s-1",
    "model": "claude-sonnet-4-5-20250929",
    "usageDetails": {
        "input": 1000,
        "input_cached_tokens": 1800,
        "cache_creation_input_tokens": 400,
        "output": 250,
        "total": 3450,
    },
    "costDetails": {"total": 0.00879},
    "totalCost": 0.00879,
    "latency": 2.5,
    "metadata": {"order": "42", "attributes": {"gen_ai.system": "anthropic", "gen_ai.response.id": "msg_1"}},
    "tags": ["checkout"],
}
SPEND: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "litellm_call_id": CALL,
    "call_type": "acompletion",
    "spend": 0.00018,
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "startTime": "2026-11-28T09:00:00.123000Z",
    "endTime": "2026-11-28T09:00:01.090000Z",
    "completionStartTime": "2026-11-28T09:00:00.700000Z",
    "model": "openai/gpt-4o-mini",
    "custom_llm_provider": "openai",
    "user": "u1",
    "end_user": "alice",
    "metadata": {
        "user_api_key_alias": "ci",
        "spend_logs_metadata": {"env": "prod"},
        "additional_usage_values": {
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        "usage_object": None,
    },
    "cache_hit": "False",
    "request_tags": ["User-Agent: curl", "team:checkout"],
    "team_id": "team-1",
    "session_id": "sess-9",
    "status": "success",
}
LOG: dict[str, Any] = {
    "id": "pk-1",
    "trace_id": "tr-1",
    "created_at": "2026-11-27T08:00:00.000Z",
    "ai_org": "openai",
    "ai_model": "gpt-4o-mini",
    "req_units": 1000,
    "res_units": 100,
    "cost": 0.021,
    "cost_currency": "USD",
    "response_time": 967,
    "response_status_code": 200,
    "cache_status": "MISS",
    "metadata": {"_user": "alice", "env": "prod"},
}


def read(held: Format, *rows: object) -> list[Any]:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows]
    return list(READERS[held](lines, NOW))


def one(held: Format, row: dict[str, Any], **changes: object) -> Request:
    (found,) = read(held, {**row, **changes})
    assert isinstance(found, Request), found
    return found


def test_an_observation_is_a_request() -> None:
    request = one(Format.LANGFUSE, OBSERVATION)
    assert (request.source, request.external_id, request.response_id) == (LANGFUSE, "o1", "msg_1")
    assert (request.provider, request.model) == ("anthropic", "claude-sonnet-4-5-20250929")
    assert (request.user_id, request.session_id) == ("alice", "s-1")
    assert (request.latency_ms, request.ttft_ms, request.status) == (2500, 900, Status.OK)
    assert request.usage == Usage(prompt=3200, completion=250, cache_read=1800, cache_write=400)
    assert (request.cost.reported, request.cost.reported_by) == (Usd.of("0.00879"), Reporter.INSTRUMENTATION)
    assert request.properties == {"order": "42", "environment": "production", "tags": "checkout"}


def test_its_names_may_be_those_of_the_exports_to_files() -> None:
    renamed = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): v for name, v in OBSERVATION.items()}
    renamed["provided_model_name"] = renamed.pop("model")
    assert one(Format.LANGFUSE, renamed) == one(Format.LANGFUSE, OBSERVATION)


@pytest.mark.parametrize(
    ("details", "prompt", "completion", "parts"),
    [
        ({"input": 8}, 8, None, {}),
        ({}, None, None, {}),
        ({"input": 3200, "input_cached_tokens": 1800, "output": 250, "total": 3450}, 3200, 250, {"cache_read": 1800}),
        ({"input": 10, "cache_read_input_tokens": 1800, "output": 5}, 1810, 5, {"cache_read": 1800}),
        ({"input": 10, "output": 5, "output_reasoning_tokens": 7, "total": 22}, 10, 12, {"reasoning": 7}),
        ({"promptTokens": 10, "completionTokens": 5, "totalTokens": 15}, 10, 5, {}),
        ({"input": 10, "input_audio_tokens": 4, "total": 14}, 14, None, {"units": {"input_audio_tokens": 4}}),
    ],
    ids=["whole", "nothing", "held", "exceeding", "reasoning", "older", "audio"],
)
def test_parts_of_its_usage_are_added_where_they_are_apart(
    details: dict[str, int], prompt: int | None, completion: int | None, parts: dict[str, Any]
) -> None:
    request = one(Format.LANGFUSE, OBSERVATION, usageDetails=details)
    assert request.usage == Usage(prompt=prompt, completion=completion, **parts)


def test_other_observations_are_no_calls_and_failures_are_errors() -> None:
    assert read(Format.LANGFUSE, {**OBSERVATION, "type": "SPAN"}) == [NoCall("SPAN")]
    failed = one(Format.LANGFUSE, OBSERVATION, level="ERROR", usageDetails={}, totalCost=None, costDetails={})
    assert (failed.status, failed.http_status, failed.cost.reported) == (Status.ERROR, None, None)


def test_a_span_that_its_application_reports_here_too_is_the_same() -> None:
    trace, span = "ab" * 16, "cd" * 8
    assert one(Format.LANGFUSE, OBSERVATION, traceId=trace, id=span).other_ids == ((OTLP, f"{trace}-{span}"),)
    assert one(Format.LANGFUSE, OBSERVATION).other_ids == ()


def test_a_spend_log_is_the_request_that_the_proxy_pushes() -> None:
    request = one(Format.LITELLM, SPEND)
    assert (request.source, request.external_id, request.response_id) == (LITELLM_LOGS, CALL, "chatcmpl-1")
    assert request.source.space == LITELLM.space
    assert (request.provider, request.model, request.user_id) == ("openai", "gpt-4o-mini", "alice")
    assert request.usage == Usage(prompt=1000, completion=100, cache_read=400, reasoning=20)
    assert (request.latency_ms, request.ttft_ms, request.session_id) == (967, 577, "sess-9")
    assert request.cost.reported == Usd.of("0.00018")
    assert request.properties == {
        "env": "prod",
        "litellm.key_alias": "ci",
        "litellm.team_id": "team-1",
        "tag": "team:checkout",
    }


def test_a_copied_table_says_the_same_in_its_cells() -> None:
    cells = {name: json.dumps(v) if isinstance(v, dict | list) else str(v) for name, v in SPEND.items()}
    cells["startTime"] = "2026-11-28 09:00:00.123000"
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells.values())
    (found,) = read(Format.LITELLM, ",".join(cells).encode() + b"\r\n", line.encode() + b"\r\n")
    assert found == one(Format.LITELLM, SPEND)


def test_a_failed_try_is_apart_from_the_call_that_succeeded_under_its_id() -> None:
    error = {"error_information": {"error_code": "429"}}
    failed = one(Format.LITELLM, SPEND, request_id=CALL, status="failure", spend=0, metadata=error)
    assert (failed.status, failed.http_status, failed.response_id) == (Status.ERROR, 429, None)
    assert failed.external_id == CALL and failed.scope != one(Format.LITELLM, SPEND).scope
    assert failed.other_ids == ((LITELLM, f"{CALL}:failed"),)


def test_cache_hits_and_calls_that_only_look_something_up() -> None:
    hit = one(Format.LITELLM, SPEND, cache_hit="True", spend=0)
    assert (hit.cached, hit.response_id) == (True, None)
    assert read(Format.LITELLM, {**SPEND, "call_type": "aretrieve_batch"}) == [NoCall("aretrieve_batch")]
    assert one(Format.LITELLM, SPEND, session_id=CALL).session_id is None, "the proxy makes one up for each call"


def test_portkeys_costs_are_cents() -> None:
    request = one(Format.PORTKEY, LOG)
    assert (request.source, request.external_id, request.provider) == (PORTKEY, "pk-1", "openai")
    assert (request.usage, request.cost.reported) == (Usage(prompt=1000, completion=100), Usd.of("0.00021"))
    assert (request.user_id, request.http_status, request.latency_ms) == ("alice", 200, 967)
    assert request.properties == {"env": "prod", "portkey.trace_id": "tr-1"}
    assert one(Format.PORTKEY, LOG, cost_currency="EUR").cost.reported is None
    assert one(Format.PORTKEY, LOG, cache_status="HIT").cached
    assert one(Format.PORTKEY, LOG, response_status_code=500).status is Status.ERROR


@pytest.mark.parametrize(
    ("held", "row", "field"),
    [
        (Format.LANGFUSE, {**OBSERVATION, "startTime": "soon"}, "startTime"),
        (Format.LANGFUSE, {**OBSERVATION, "startTime": "2036-01-01T00:00:00Z"}, "startTime"),
        (Format.LANGFUSE, {**OBSERVATION, "id": None}, "id"),
        (Format.LANGFUSE, {**OBSERVATION, "type": None}, "type"),
        (Format.LANGFUSE, {**OBSERVATION, "usageDetails": {"input": -1}}, "usageDetails"),
        (Format.LANGFUSE, {**OBSERVATION, "totalCost": "much"}, "totalCost"),
        (Format.LITELLM, {**SPEND, "prompt_tokens": 1.5}, "prompt_tokens"),
        (Format.LITELLM, {**SPEND, "spend": [1]}, "spend"),
        (Format.LITELLM, {"startTime": SPEND["startTime"]}, "request_id"),
        (Format.PORTKEY, {**LOG, "created_at": None}, "created_at"),
        (Format.PORTKEY, {**LOG, "cost": "NaN"}, "cost"),
        (Format.PORTKEY, b"no json\n", ""),
    ],
)
def test_what_cannot_be_taken_is_named_and_the_next_row_is_read(held: Format, row: Any, field: str) -> None:
    whole = {Format.LANGFUSE: OBSERVATION, Format.LITELLM: SPEND, Format.PORTKEY: LOG}[held]
    skipped, taken = read(held, row, whole) if isinstance(row, dict) else read(held, b'{"a": 1}\n', whole)
    assert isinstance(skipped, Skipped) and skipped.place == "line 1"
    assert (not field or skipped.field == field) and isinstance(taken, Request)


def test_formats_are_known_by_their_first_row() -> None:
    assert format_of(json.dumps(OBSERVATION).encode()) is Format.LANGFUSE
    assert format_of(json.dumps({"data": [SPEND]}, indent=1).encode()) is Format.LITELLM
    assert format_of(",".join(SPEND).encode()) is Format.LITELLM
    assert format_of(json.dumps(LOG).encode()) is Format.PORTKEY
    assert format_of(b"\xef\xbb\xbfDate;Model;Cost (USD)") is Format.CSV
    assert format_of(b"weather,mood") is None and format_of(b'{"a": 1}') is None


TABLE_LINES = (
    b"Date;Model;User;Input Tokens;Output Tokens;Cost (USD);Weather\n",
    b"2026-11-20T10:00:00Z;gpt-4o;ada;1000;50;$0.0125;fine\n",
    b"2026-11-20T10:00:00Z;gpt-4o;ada;1000;50;$0.0125;fine\n",
    b"yesterday;gpt-4o;ada;1;1;;\n",
    b"2026-11-20T10:00:00Z;gpt-4o;bob;much;50;;\n",
)


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    first, again, no_time, no_number = read(Format.CSV, *TABLE_LINES)
    assert (first.source, first.user_id, first.model) == (TABLE, "ada", "gpt-4o")
    assert (first.usage, first.cost.reported) == (Usage(prompt=1000, completion=50), Usd.of("0.0125"))
    assert first.external_id != again.external_id, "two equal rows are two requests"
    assert [no_time.field, no_number.field] == ["Date", "Input Tokens"]
    assert (no_time.place, no_number.place) == ("line 4", "line 5")


def test_a_longer_table_repeats_what_it_begins_with() -> None:
    ids = [each.external_id for each in read(Format.CSV, *TABLE_LINES[:3])]
    assert [each.external_id for each in read(Format.CSV, *TABLE_LINES)[:2]] == ids


@pytest.mark.parametrize("header", [b"weather,mood\n", b"timestamp,weather\n", b"model,cost\n", b"\n"])
def test_columns_that_say_too_little_are_refused_with_what_is_needed(header: bytes) -> None:
    with pytest.raises(UsageError, match="such as `"):
        read(Format.CSV, header, b"1,2\n")
