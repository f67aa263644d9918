"""The traffic of the demo: generated requests, webhooks to come and captured ones, and what applications push
themselves, each under its tracking token."""

from __future__ import annotations

import base64
import gzip
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from spendtop.collector.demo.sample_files import LIVE, RUNAWAY, STREAM, WEBHOOKS, sample_file
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_datetime
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import (
    TEST_PROPERTY,
    BodyState,
    Cost,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, OTLP, Source, source_named
from spendtop.services import tokens
from spendtop.services.recording import missed_requests

SECRET = "6f1d3b0a9c4e8d27b5a1f0c3e6d9284715ab3c7e90d1f2468bace13579fdb024"
"""Public secret that signed the captured webhooks; it protects nothing."""


_MADE = (
    ("billing prod", "billing-prod", False),
    ("chat mirror", "chat-mirror", True),
    ("old crawler", "crawler", False),
)
"""Name, value and whether it is a shadow token, of each tracking token."""
_OFF = "crawler"
_SHADOW = "chat-mirror"
_TIME_SOURCES = {HELICONE_API.name: TimeSource.API, HELICONE.name: TimeSource.PROVIDER}


class Capture(Struct, frozen=True):
    """One webhook as Helicone posted it."""

    scenario: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes
    signature: str
    """Hex HMAC-SHA256 of `raw` under SECRET."""


def requests_of(lines: Iterable[Mapping[str, Any]], end: int) -> Iterator[Request]:
    """The requests that generated lines are, as if the month ended at `end` (UTC µs)."""
    return (request_of(msgspec.convert(line, TrafficLine, strict=False), end) for line in lines)


def coming_lines() -> list[TrafficLine]:
    """What comes after the month, oldest first."""
    return _lines(STREAM)


def runaway_lines() -> list[TrafficLine]:
    """A session that repeats itself, as if it began at the end of the month."""
    return _lines(RUNAWAY)


def _lines(name: str) -> list[TrafficLine]:
    decoder = msgspec.json.Decoder(TrafficLine)
    return [decoder.decode(line) for line in gzip.decompress(sample_file(name).read_bytes()).splitlines()]


def live_bodies() -> list[bytes]:
    """Bodies of webhooks, in the order in which the demo posts them; make each one new with `as_new`."""
    return sample_file(LIVE).read_bytes().splitlines()


def as_new(body: bytes, request_id: str, now: int) -> bytes:
    """A live body as another request that happens at `now` (UTC µs). Sign what this returns."""
    event = msgspec.json.decode(body)
    event["request_response_url"] = event["request_response_url"].replace(event["request_id"], request_id)
    event["request_id"] = request_id
    _renew(event["response_body"], request_id, now)
    return msgspec.json.encode(event)


def as_test(body: bytes, request_id: str, now: int) -> bytes:
    """Like `as_new`, with the mark by which what `send-test` sent is found again."""
    event = msgspec.json.decode(as_new(body, request_id, now))
    return msgspec.json.encode({**event, TEST_PROPERTY: True})


def request_as_new(request: Request, request_id: str) -> Request:
    """A generated request as another one, with an answer of its own."""
    if request.response_body is None:
        return msgspec.structs.replace(request, external_id=request_id)
    response = msgspec.json.decode(request.response_body)
    _renew(response, request_id, request.occurred_at)
    return msgspec.structs.replace(
        request,
        external_id=request_id,
        response_id=response.get("id") or response.get("responseId"),
        response_body=msgspec.json.encode(response),
    )


def _renew(response: dict[str, Any], request_id: str, now: int) -> None:
    if "created" in response:
        response["created"] = now // SECOND
    for key in response.keys() & {"id", "responseId"}:
        response[key] = response[key][:9] + request_id.replace("-", "")[:20]


def webhook_captures() -> list[Capture]:
    """Webhooks captured from Helicone's own code, byte for byte."""
    file = msgspec.json.decode(sample_file(WEBHOOKS).read_bytes(), type=_CaptureFile)
    return [
        Capture(capture.scenario, capture.headers, base64.b64decode(capture.body_base64), capture.signature)
        for capture in file.captures
    ]


class TrafficLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of generated traffic; sample_data/README.md tells the fields."""

    age_s: float
    source: str
    external_id: str
    response_id: str | None
    provider: str | None
    model: str
    status: Status
    http_status: int | None
    usage: Usage
    reported_cost: Decimal | None
    user_id: str | None
    session_id: str | None
    session_path: str | None
    token: str | None
    properties: dict[str, str] | None
    latency_ms: int
    ttft_ms: int | None
    cached: bool
    request_body: dict[str, Any] | None
    response_body: dict[str, Any] | None
    webhook: dict[str, Any] | None = None


class _CapturedLine(msgspec.Struct, frozen=True):
    scenario: str
    signature: str
    headers: tuple[tuple[str, str], ...]
    body_base64: str


class _CaptureFile(msgspec.Struct, frozen=True):
    captures: list[_CapturedLine]


def request_of(line: TrafficLine, end: int) -> Request:
    """The request that a line is, as if the month ended at `end` (UTC µs)."""
    occurred_at = end - round(line.age_s * SECOND)
    response = line.response_body
    if response is not None and "created" in response:
        response["created"] = occurred_at // SECOND
    reported = None if line.reported_cost is None else Usd.of(line.reported_cost)
    return Request(
        source=source_named(line.source),
        external_id=line.external_id,
        received_at=occurred_at + line.latency_ms * 1000,
        occurred_at=occurred_at,
        time_source=_TIME_SOURCES.get(line.source, TimeSource.CLIENT),
        response_id=line.response_id,
        provider=line.provider,
        model=line.model,
        status=line.status,
        http_status=line.http_status,
        usage=line.usage,
        cost=Cost(reported=reported, reported_by=None if reported is None else Reporter.GATEWAY),
        user_id=line.user_id,
        session_id=line.session_id,
        session_path=line.session_path,
        token=line.token,
        properties=line.properties,
        latency_ms=line.latency_ms,
        ttft_ms=line.ttft_ms,
        cached=line.cached,
        verified=line.source == HELICONE_API.name,
        counted=line.token != _SHADOW,
        request_body=None if line.request_body is None else msgspec.json.encode(line.request_body),
        response_body=None if response is None else msgspec.json.encode(response),
        body_state=BodyState.NOT_SENT if line.request_body is None else BodyState.STORED,
    )


def make_tokens(connection: Connection, now: int) -> None:
    """One that is used, one that only watches, and one that was switched off while its clients still send."""
    for name, value, shadow in _MADE:
        made = tokens.create(connection, name, now - 30 * DAY, value=value, shadow=shadow)
        tokens.set_active(connection, made.id, value != _OFF)
    missed_requests.note_refusals(connection, {(INGEST.name, "ingest_bad_token"): 3}, now - HOUR, 0)


def marked_pushes(now: int, chance: random.Random) -> Iterator[Request]:
    """What lists mark with a sign, oldest first: a cost in part, a doubtful one, a call that two sources count; and one
    at a level of its own."""

    def push(source: Source, model: str, minutes_ago: int, usage: Usage, **facts: Any) -> Request:
        token, user = ("billing-prod", "billing") if source is INGEST else (None, "frank")
        at = now - minutes_ago * MINUTE
        latency = chance.randrange(300, 2_500)
        made = Request(
            source=source,
            external_id=str(uuid.UUID(int=chance.getrandbits(128))),
            received_at=at,
            occurred_at=at - latency * 1_000,
            time_source=TimeSource.CLIENT,
            provider={"gpt": "openai", "cla": "anthropic"}[model[:3]],
            model=model,
            http_status=200,
            usage=usage,
            user_id=user,
            token=token,
            latency_ms=latency,
        )
        return msgspec.structs.replace(made, **facts)

    yield push(INGEST, "gpt-4o-mini", 52, Usage(prompt=48_200, completion=2_150), service_level=ServiceLevel.BATCH)
    searching = Usage(prompt=2_840, completion=410, units={"storage_searches": 2})
    yield push(INGEST, "claude-haiku-4-5", 37, searching)
    gateways = Cost(reported=Usd.of("0.12"), reported_by=Reporter.GATEWAY)
    yield push(LITELLM, "claude-haiku-4-5", 23, Usage(prompt=3_170, completion=520), cost=gateways)
    twin = push(LITELLM, "claude-haiku-4-5", 9, Usage(prompt=1_930, completion=274))
    yield twin
    yield push(OTLP, twin.model or "", 9, twin.usage, occurred_at=twin.occurred_at, latency_ms=twin.latency_ms)


def body_of(push: Request) -> bytes:
    """What its application posts to /ingest."""
    return msgspec.json.encode(
        {
            "tracking_token": push.token,
            "provider": push.provider,
            "model": push.model,
            "prompt_tokens": push.usage.prompt,
            "completion_tokens": push.usage.completion,
            "total_tokens": push.usage.total,
            "timestamp": to_datetime(push.occurred_at),
            "user_id": push.user_id,
            "session_id": push.session_id,
            "session_path": push.session_path,
            "latency_ms": push.latency_ms,
            "request_id": push.external_id,
        }
    )
