"""Which tables are the older systems', and what their columns mean, and those of files of unknown origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from spendtop.domain.requests.request import TimeSource
from spendtop.domain.sources.records import HELICONE, INGEST, Source

_MEANINGS = {
    "key": ("id",),
    "request_id": ("request_id", "helicone_request_id", "helicone_id", "call_id", "generation_id"),
    "response_id": ("response_id",),
    "occurred_at": (
        *("timestamp", "created_at", "ts", "request_created_at", "occurred_at", "logged_at", "time", "date"),
        *("datetime", "start_time", "started_at"),
    ),
    "provider": ("provider", "provider_name", "vendor"),
    "model": ("model", "model_name", "model_id", "ai_model"),
    "cost": ("cost_usd", "cost", "total_cost_usd", "total_cost", "spend", "spend_usd", "amount_usd", "price_usd"),
    "prompt_tokens": ("prompt_tokens", "input_tokens", "tokens_prompt", "tokens_in"),
    "completion_tokens": ("completion_tokens", "output_tokens", "tokens_completion", "tokens_out"),
    "total_tokens": ("total_tokens", "tokens", "tokens_total", "token_count"),
    "cached_tokens": ("cached_tokens", "cache_read_tokens", "cached_input_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "output_reasoning_tokens"),
    "user_id": ("user_id", "user", "request_user_id", "username", "end_user", "user_email", "email"),
    "token": ("tracking_token", "token", "ingest_token", "token_value"),
    "token_id": ("token_id", "tracking_token_id", "ingest_token_id"),
    "session_id": ("session_id", "job_id", "session", "job"),
    "session_path": ("session_path", "path"),
    "latency_ms": ("latency_ms", "latency", "delay_ms", "duration_ms", "response_time_ms"),
    "status": ("status", "status_code", "http_status", "response_status"),
    "error": ("error", "error_message"),
    "properties": ("properties", "metadata"),
    "request_body": ("request_body", "prompt", "request"),
    "response_body": ("response_body", "response", "completion"),
}
_TOKEN_MEANINGS = {
    "key": ("id",),
    "token": ("token", "tracking_token", "value", "token_value"),
    "name": ("name", "label", "app", "app_name", "description"),
    "active": ("active", "is_active", "enabled"),
    "created_at": ("created_at", "timestamp", "ts"),
}
_SAYS_SOMETHING = ("model", "cost", "prompt_tokens", "completion_tokens", "total_tokens")


class LegacyKind(StrEnum):
    """What the rows of a table are."""

    REQUESTS = "requests"
    TOKENS = "tokens"


class TableOrigin(Struct, frozen=True):
    """An older system's table."""

    kind: LegacyKind
    source: Source
    """Who reported what is in it."""
    time_source: TimeSource


ORIGINS: Mapping[str, TableOrigin] = {
    "requests": TableOrigin(LegacyKind.REQUESTS, HELICONE, TimeSource.RECEIVED),
    "llm_usage": TableOrigin(LegacyKind.REQUESTS, HELICONE, TimeSource.RECEIVED),
    "usage_log": TableOrigin(LegacyKind.REQUESTS, INGEST, TimeSource.CLIENT),
    "ingest_tokens": TableOrigin(LegacyKind.TOKENS, INGEST, TimeSource.CLIENT),
}
"""By name of table. Gateways' monitors dated a request by its webhook, the usage service by its client."""


class Table(Struct, frozen=True, kw_only=True):
    """A table that is taken over."""

    name: str
    origin: TableOrigin
    columns: Mapping[str, str]
    """Meaning to name of column."""
    key: tuple[str, ...]
    """Columns that tell rows apart."""
    unused: tuple[str, ...]
    """Columns that have no place in a request or token."""


class NotTaken(Struct, frozen=True):
    """A table that is not taken over, and why."""

    name: str
    reason: str


def in_file(name: str, source: Source, columns: Sequence[str]) -> Table | NotTaken:
    """What a file with these columns is, if they say enough."""
    meanings = _meanings(columns, _MEANINGS)
    lacking = _missing(LegacyKind.REQUESTS, meanings, columns)
    if lacking:
        return NotTaken(name, lacking)
    unused = tuple(column for column in columns if column not in meanings.values())
    origin = TableOrigin(LegacyKind.REQUESTS, source, TimeSource.CLIENT)
    return Table(name=name, origin=origin, columns=meanings, key=(), unused=unused)


def recognised(name: str, columns: Sequence[str], key: Sequence[str]) -> Table | NotTaken:
    """What a table of this name, columns and primary key is."""
    origin = ORIGINS.get(name.lower())
    if origin is None:
        return NotTaken(name, f"only {', '.join(ORIGINS)} are taken over")
    meanings = _meanings(columns, _TOKEN_MEANINGS if origin.kind is LegacyKind.TOKENS else _MEANINGS)
    own_key = tuple(key) or tuple(meanings[each] for each in ("key", "request_id") if each in meanings)[:1]
    reason = _missing(origin.kind, meanings, own_key)
    if reason:
        return NotTaken(name, reason)
    used = {*meanings.values(), *own_key}
    unused = tuple(column for column in columns if column not in used)
    return Table(name=name, origin=origin, columns=meanings, key=own_key, unused=unused)


def _meanings(columns: Iterable[str], synonyms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each column means one thing, the first that its name stands for; each thing has one column."""
    by_name = {_plain(column): column for column in columns}
    meanings: dict[str, str] = {}
    for meaning, names in synonyms.items():
        column = next((by_name[_plain(name)] for name in names if _plain(name) in by_name), None)
        if column is not None:
            meanings[meaning] = column
    return meanings


def _plain(name: str) -> str:
    """`createdAt`, `created_at` and `Created At` are one name, and so are `cost_usd` and `Cost (USD)`."""
    return "".join(filter(str.isalnum, name)).lower()


def _missing(kind: LegacyKind, meanings: Mapping[str, str], key: Sequence[str]) -> str:
    """What a table lacks to be taken over; empty for nothing."""
    if kind is LegacyKind.TOKENS:
        return "" if "token" in meanings else "it has no column with the token, such as `token`"
    if "occurred_at" not in meanings:
        return "it has no column with the time, such as `timestamp`, `created_at` or `date`"
    if not any(meaning in meanings for meaning in _SAYS_SOMETHING):
        return "it has no column with model, cost or tokens, such as `model`, `cost_usd`, `input_tokens`"
    return "" if key else "it has no primary key and no `id` that tells its rows apart"
