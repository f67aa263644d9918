"""The fields of a pushed request: what each may hold, and the one form in which it goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.requests.timing import seconds_to_micros
from spendtop.domain.untrusted import NAME_LIMIT, clean_line, storable_name
from spendtop.domain.usage import MOST_TOKENS, count
from spendtop.sources.receivers import Schema

LONGEST_ID = 128
MOST_PROPERTIES = 100
MOST_DOLLARS = 1_000_000
LONGEST_LATENCY = 7 * DAY // 1000
"""Milliseconds."""
NO_OBJECT = "has to be an object"

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_NO_TIME = "has to be RFC 3339 text with a zone, such as 2026-11-20T14:03:07Z, or a number of Unix seconds"
_NO_ZONE = "has to name its zone, such as Z or +01:00; old data without zones comes in with `spendtop import`"
NO_COUNT = f"has to be a whole number from 0 to {MOST_TOKENS:,}"


class Wrong(ValueError):
    """How a field has to be. `parts` are what is wrong inside it, such as `.team`; "" is the field itself."""

    def __init__(self, message: str = "", parts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.parts = parts or {"": message}


def is_identifier(text: str) -> bool:
    """Whether a client may call something so."""
    return 0 < len(text) <= LONGEST_ID and text.isprintable()


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not is_identifier(value):
        raise Wrong(f"has to be text of 1 to {LONGEST_ID} printable characters")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LIMIT:
        raise Wrong(f"has to be text of 1 to {NAME_LIMIT} characters")
    return storable_name(value)


def _count(value: object) -> int:
    tokens = count(value)
    if tokens is None:
        raise Wrong(NO_COUNT)
    return tokens


def _amount(value: object) -> Usd:
    return Usd.of(repr(_number(value, MOST_DOLLARS, "US dollars")))


def _milliseconds(value: object) -> int:
    return round(_number(value, LONGEST_LATENCY, "milliseconds"))


def _number(value: object, most: int, of: str) -> int | float:
    if (type(value) is int or type(value) is float) and 0 <= value <= most:
        return value
    raise Wrong(f"has to be a number of {of} from 0 to {most:,}")


def _status(value: object) -> Status:
    status = _STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        raise Wrong(f"has to be one of {', '.join(Status)}")
    return status


def _instant(value: object) -> int:
    """Text or Unix seconds as UTC µs."""
    if not isinstance(value, str):
        micros = seconds_to_micros(value)
        if micros is None:
            raise Wrong(_NO_TIME)
        return micros
    match = _RFC3339.fullmatch(value)
    if match is None:
        raise Wrong(_NO_TIME)
    if match["zone"] is None:
        raise Wrong(_NO_ZONE)
    try:
        return to_micros(datetime.fromisoformat(value.upper()))
    except ValueError:
        raise Wrong(_NO_TIME) from None


def is_zoneless_time(value: object) -> bool:
    """Whether it is a time that does not name its zone."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    return match is not None and match["zone"] is None


def _properties(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Wrong(NO_OBJECT)
    if len(value) > MOST_PROPERTIES:
        raise Wrong(f"has to hold at most {MOST_PROPERTIES}")
    properties: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, text in value.items():
        if text is None:
            continue
        try:
            properties[_name(name)] = _name(text)
        except Wrong as error:
            wrong[f".{clean_line(name, 64)}"] = str(error)
    if wrong:
        raise Wrong(parts=wrong)
    return properties


def _provider_usage(value: object) -> Mapping[str, object]:
    """A provider's usage object, as it was sent: its counts are read together with the response."""
    if not isinstance(value, dict):
        raise Wrong(f"{NO_OBJECT}, as providers' answers hold it")
    wrong = {
        f".{name}": NO_OBJECT
        for name, inner in value.items()
        if name in _USAGE_GROUPS and not (inner is None or isinstance(inner, dict))
    }
    if wrong:
        raise Wrong(parts=wrong)
    return value


def _body(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except TypeError:
        raise Wrong("has to be JSON, which knows neither NaN nor Infinity") from None


BODIES = ("request_body", "response_body")
FLAT_COUNTS: Mapping[str, str] = {
    "prompt_tokens": "prompt",
    "completion_tokens": "completion",
    "cached_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "reasoning_tokens": "reasoning",
}
"""Field to its place in `Usage`."""
READERS: Mapping[str, Callable[[object], object]] = {
    **dict.fromkeys(("tracking_token", "request_id", "response_id"), _identifier),
    **dict.fromkeys(("model", "provider", "user_id", "session_id", "session_path"), _name),
    **dict.fromkeys((*FLAT_COUNTS, "total_tokens"), _count),
    **dict.fromkeys(BODIES, _body),
    "usage": _provider_usage,
    "timestamp": _instant,
    "properties": _properties,
    "cost_usd": _amount,
    "latency_ms": _milliseconds,
    "status": _status,
}
"""Field to what reads it, or raises `Wrong`."""
_USAGE_GROUPS = frozenset(
    {
        *("prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"),
        *("input_token_details", "output_token_details", "cache_creation", "server_tool_use"),
    }
)
_STATUSES = {str(status): status for status in Status}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_ID: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": NAME_LIMIT}
_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_TOKENS}
ITEM_SCHEMA: Schema = {
    "type": "object",
    "description": (
        "One LLM API call. null is the same as missing; unknown fields are left, with a hint in the answer. "
        "Tokens are given as counts, as a provider's usage object or in the response, or there is a cost."
    ),
    "required": ["model"],
    "properties": {
        "tracking_token": {**_or_null(_ID), "description": "Or in the header X-Tracking-Token, for all items."},
        "model": _NAME,
        **dict.fromkeys((*FLAT_COUNTS, "total_tokens"), _COUNT),
        "usage": {"type": ["object", "null"], "description": "As a provider's answer, a gateway or an SDK holds it."},
        "timestamp": {
            "description": "RFC 3339 with a zone, or Unix seconds; recent.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}],
        },
        **dict.fromkeys(("request_id", "response_id"), _or_null(_ID)),
        **dict.fromkeys(("provider", "user_id", "session_id", "session_path"), _or_null(_NAME)),
        "properties": {
            "type": ["object", "null"],
            "maxProperties": MOST_PROPERTIES,
            "propertyNames": {"minLength": 1, "maxLength": NAME_LIMIT},
            "additionalProperties": _or_null(_NAME),
        },
        "cost_usd": {"type": ["number", "null"], "minimum": 0, "maximum": MOST_DOLLARS},
        "latency_ms": {"type": ["number", "null"], "minimum": 0, "maximum": LONGEST_LATENCY},
        "status": {"enum": [*map(str, Status), None]},
        "request_body": {"description": "What was sent to the provider."},
        "response_body": {"description": "What the provider answered."},
    },
}
"""A pushed request as the OpenAPI description has it."""
OLDER_ITEM_SCHEMA: Schema = {
    **ITEM_SCHEMA,
    "properties": {
        **ITEM_SCHEMA["properties"],
        "timestamp": {
            "description": "RFC 3339, as UTC where it names no zone, or Unix seconds.",
            "anyOf": [
                {
                    "type": "string",
                    "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[T ]"
                    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?$",
                },
                *ITEM_SCHEMA["properties"]["timestamp"]["anyOf"],
            ],
        },
    },
}
"""What older clients post, whose times may name no zone."""
