"""How the ways in for pushes are described."""

from __future__ import annotations

from spendtop.api.description.answers import COMMON, Schema, answer, failure, json_answer
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources.receivers.ingest import MOST_ITEMS
from spendtop.sources.receivers.ingest_fields import (
    LONGEST_ID,
    LONGEST_LATENCY,
    MOST_DOLLARS,
    MOST_PROPERTIES,
)

_SECURITY: list[Schema] = [{"IngestKey": []}, {"HTTPBearer": []}]
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_TOKENS}
_RECORDED: Schema = {
    "type": "object",
    "required": ["status", "id"],
    "properties": {
        "status": {"enum": ["stored", "duplicate"]},
        "id": {"type": "string", "description": "Our id of the request."},
    },
}
_PROBLEM: Schema = {"$ref": "#/components/schemas/Failure"}
_TOKEN_HEADER: Schema = {
    "name": "X-Tracking-Token",
    "in": "header",
    "description": "Puts all that the post holds under this tracking token.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The identity of what has no `request_id`: sent again, it is a duplicate.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
}
_SUCCESSOR: Schema = {
    "Deprecation": {"description": "Since when.", "required": True, "schema": {"type": "string"}},
    "Link": {"description": "The successor.", "required": True, "schema": {"type": "string"}},
}
_REFUSALS = COMMON | {
    "401": answer("WrongKey"),
    "413": answer("TooLarge"),
    "503": answer("Unavailable"),
    "507": answer("NoRoom"),
}


def push_routes() -> dict[str, Schema]:
    """`/ingest`, `/log`, `/litellm` and `/v1/traces`."""
    return {
        "/ingest": {"post": _ingest("ingest")},
        "/log": {"post": _log()},
        "/litellm": {"post": _litellm()},
        "/v1/traces": {"post": _traces()},
    }


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _request() -> Schema:
    names = ("provider", "user_id", "session_id", "session_path")
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    parts = ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
    return {
        "type": "object",
        "description": (
            "One LLM API call. null is the same as missing; unknown fields are ignored. "
            "Tokens are given as counts, as a provider's usage object or in the response, or there is a cost."
        ),
        "required": ["tracking_token", "model"],
        "properties": {
            "tracking_token": _ID,
            "model": _NAME,
            **dict.fromkeys((*counts, *parts), _COUNT),
            "usage": {"type": ["object", "null"], "description": "As OpenAI's and Anthropic's answers hold it."},
            "timestamp": {
                "description": "RFC 3339 with a zone, or Unix seconds; recent.",
                "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}],
            },
            **dict.fromkeys(("request_id", "response_id"), _or_null(_ID)),
            **dict.fromkeys(names, _or_null(_NAME)),
            "properties": {
                "type": ["object", "null"],
                "maxProperties": MOST_PROPERTIES,
                "propertyNames": {"minLength": 1, "maxLength": 256},
                "additionalProperties": _or_null(_NAME),
            },
            "cost_usd": {"type": ["number", "null"], "minimum": 0, "maximum": MOST_DOLLARS},
            "latency_ms": {"type": ["number", "null"], "minimum": 0, "maximum": LONGEST_LATENCY},
            "status": {"enum": ["ok", "error", "cancelled", None]},
            "request_body": {"description": "What was sent to the provider."},
            "response_body": {"description": "What the provider answered."},
        },
    }


def _results() -> Schema:
    rejected: Schema = {
        "type": "object",
        "required": ["status", "error"],
        "properties": {"status": {"const": "rejected"}, "error": _PROBLEM},
    }
    return {
        "type": "object",
        "required": ["accepted", "rejected", "results"],
        "properties": {
            "accepted": {"type": "integer"},
            "rejected": {"type": "integer"},
            "results": {
                "type": "array",
                "description": "In the order of the items.",
                "items": {"anyOf": [_RECORDED, rejected]},
            },
        },
    }


def _ingest(name: str) -> Schema:
    many = _results()
    error: Schema = {"$ref": "#/components/schemas/ErrorAnswer"}
    request = _request()
    body: Schema = {"anyOf": [request, {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": request}]}
    example = {"tracking_token": "app-1", "model": "gpt-4o", "prompt_tokens": 1000, "completion_tokens": 100}
    return {
        "summary": "Records one request, or an array of them; the answer comes after the durable commit.",
        "operationId": name,
        "tags": ["receivers"],
        "security": _SECURITY,
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": {"one": {"value": example}}}},
        },
        "responses": _REFUSALS
        | {
            "200": json_answer("All are recorded, now or before.", {"anyOf": [_RECORDED, many]}),
            "207": json_answer("Some items of an array cannot be taken; the others are recorded.", many),
            "403": failure(
                "The tracking token does not exist or is switched off; or no ingest key is configured, "
                "or a web page of a foreign origin calls."
            ),
            "409": failure("This request_id or Idempotency-Key was pushed before, with other content."),
            "422": json_answer("Nothing can be taken; `fields` names what is wrong.", {"anyOf": [error, many]}),
        },
    }


def _log() -> Schema:
    operation = _ingest("log")
    for status in ("200", "207", "409", "422"):
        operation["responses"][status]["headers"] = _SUCCESSOR
    return {**operation, "summary": "The older name of /ingest.", "deprecated": True}


def _litellm() -> Schema:
    payload: Schema = {
        "type": ["object", "null"],
        "description": "LiteLLM's standard logging payload. null is passed over.",
        "properties": {"id": {"type": ["string", "null"]}, "litellm_call_id": {"type": ["string", "null"]}},
    }
    results = _results()
    return {
        "summary": "Takes batches of LiteLLM's callback `generic_api`: an array, an object, or an object per line.",
        "operationId": "litellm",
        "tags": ["receivers"],
        "security": _SECURITY,
        "parameters": [_TOKEN_HEADER],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [payload, {"type": "array", "items": payload}]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": _REFUSALS
        | {
            "200": json_answer("All are recorded, now or before.", results),
            "207": json_answer("Some items cannot be taken; the others are recorded.", results),
            "422": json_answer(
                "No item can be taken.", {"anyOf": [{"$ref": "#/components/schemas/ErrorAnswer"}, results]}
            ),
        },
    }


def _traces() -> Schema:
    partial: Schema = {
        "type": "object",
        "required": ["rejectedSpans", "errorMessage"],
        "properties": {"rejectedSpans": {"type": "string"}, "errorMessage": {"type": "string"}},
    }
    taken: Schema = {"type": "object", "properties": {"partialSuccess": partial}}
    binary: Schema = {"type": "string", "format": "binary"}
    return {
        "summary": "Takes exports of OpenTelemetry (OTLP/HTTP), plain or gzipped.",
        "description": "Answered in the format of the post. Spans that are no calls of models are passed over.",
        "operationId": "traces",
        "tags": ["receivers"],
        "security": _SECURITY,
        "parameters": [_TOKEN_HEADER],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-protobuf": {"schema": binary},
                "application/json": {"schema": {"type": "object"}},
            },
        },
        "responses": _REFUSALS
        | {
            "200": {
                "description": "All are recorded but those that `partialSuccess` counts.",
                "content": {"application/json": {"schema": taken}, "application/x-protobuf": {"schema": binary}},
            },
        },
    }
