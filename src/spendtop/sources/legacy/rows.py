"""From a row of an older system's table to a request or a tracking token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct

from spendtop.domain.requests.request import BodyState, Cost, Request, Usage
from spendtop.domain.requests.timing import NEWEST
from spendtop.domain.sources.records import INGEST
from spendtop.sources import cells
from spendtop.sources.legacy.columns import Table
from spendtop.sources.skipped import Skipped

_GIVEN_ID = re.compile(r"(?!\d+$)[A-Za-z0-9._:-]{1,128}")
"""Ids of gateways and clients; a plain number only counts the rows."""

Row = Mapping[str, object]
"""Meaning to value."""
Value = TypeVar("Value")


class OldToken(Struct, frozen=True, kw_only=True):
    """A tracking token of the older usage service."""

    token: str
    """What clients send."""
    name: str
    active: bool
    created_at: int | None
    """UTC µs; None where it is not known."""


class Rows:
    """Reads the rows of one table, and knows afterwards how many had a time without a zone."""

    def __init__(self, table: Table, tokens: Mapping[object, str], now: int) -> None:
        """`tokens` are tracking tokens by the row that holds them; `now` is UTC µs."""
        self.zoneless = 0
        self._table = table
        self._tokens = tokens
        self._now = now

    def request(self, row: Row, key: str) -> Request | Skipped:
        """The request that a row recorded; `key` tells it from other rows of its table."""
        try:
            return self._request(row, key)
        except _WrongCell as wrong:
            column = self._table.columns[wrong.meaning]
            return Skipped(f"row {key}", column, f"has to be {_HAS_TO_BE[wrong.meaning]}")

    def _request(self, row: Row, key: str) -> Request:
        occurred_at = self._occurred_at(row)
        request_body, response_body = cells.body(row.get("request_body")), cells.body(row.get("response_body"))
        status, http_status = cells.status(row.get("status"), row.get("error"))
        is_push = self._table.origin.source is INGEST
        return Request(
            source=self._table.origin.source,
            external_id=self._given_id(row) or f"old:{self._table.name}:{key}@{occurred_at}",
            received_at=self._now,
            occurred_at=occurred_at,
            time_source=self._table.origin.time_source,
            response_id=cells.name(row.get("response_id")),
            provider=(cells.name(row.get("provider")) or "").lower() or None,
            model=cells.name(row.get("model")),
            status=status,
            http_status=http_status,
            usage=_usage(row),
            cost=Cost(reported=_read(row, "cost", cells.dollars)),
            user_id=cells.name(row.get("user_id")),
            session_id=cells.name(row.get("session_id")),
            session_path=cells.name(row.get("session_path")),
            token=self._token(row) if is_push else None,
            properties=cells.properties(row.get("properties")),
            latency_ms=cells.milliseconds(row.get("latency_ms")),
            request_body=request_body,
            response_body=response_body,
            body_state=BodyState.NOT_SENT if request_body is response_body is None else BodyState.STORED,
        )

    def _occurred_at(self, row: Row) -> int:
        happened = _read(row, "occurred_at", cells.instant)
        if happened.micros > self._now + NEWEST:
            raise _WrongCell("occurred_at")
        self.zoneless += not happened.had_zone
        return happened.micros

    def _given_id(self, row: Row) -> str | None:
        """The id under which the request's source knows it, so that its next report is no other request."""
        for meaning in ("request_id", "key"):
            value = row.get(meaning)
            if value is not None and _GIVEN_ID.fullmatch(str(value)):
                return str(value)
        return None

    def _token(self, row: Row) -> str | None:
        return cells.name(row.get("token")) or self._tokens.get(row.get("token_id"))


def token_of(row: Row) -> OldToken | None:
    """The tracking token that a row holds; None where it holds none."""
    value = cells.name(row.get("token"))
    if value is None:
        return None
    try:
        created_at = cells.instant(row.get("created_at")).micros
    except (ValueError, OverflowError):
        created_at = None
    name, active = cells.name(row.get("name")) or value, cells.is_on(row.get("active"))
    return OldToken(token=value, name=name, active=active, created_at=created_at)


_HAS_TO_BE = {
    "occurred_at": "a date and time or a Unix time, and not in the future",
    "cost": "an amount in USD, or empty",
    **dict.fromkeys(
        (
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
        ),
        "a whole number of tokens, or empty",
    ),
}


class _WrongCell(Exception):
    """A value that is not as its column's meaning has to be."""

    def __init__(self, meaning: str) -> None:
        super().__init__(meaning)
        self.meaning = meaning


def _read(row: Row, meaning: str, read: Callable[[object], Value]) -> Value:
    try:
        return read(row.get(meaning))
    except (ValueError, OverflowError):
        raise _WrongCell(meaning) from None


def _usage(row: Row) -> Usage:
    """Where only a sum of tokens is known, all of it counts as prompt."""

    def tokens(meaning: str) -> int | None:
        return _read(row, meaning, cells.tokens)

    prompt, completion, total = tokens("prompt_tokens"), tokens("completion_tokens"), tokens("total_tokens")
    if total is not None and prompt is None:
        prompt = max(0, total - (completion or 0))
    elif total is not None and completion is None:
        completion = max(0, total - (prompt or 0))
    return Usage(
        prompt=prompt,
        completion=completion,
        cache_read=tokens("cached_tokens"),
        cache_write=tokens("cache_write_tokens"),
        reasoning=tokens("reasoning_tokens"),
    )
