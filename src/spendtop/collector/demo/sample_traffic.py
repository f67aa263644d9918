"""The traffic of the demo: a month of requests, webhooks to come and captured ones, and what applications push
themselves, each under its tracking token."""

from __future__ import annotations

import base64
import gzip
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

import spendtop
from spendtop.domain.clock import HOUR, MINUTE, SECOND, to_datetime
from spendtop.domain.errors import CannotCreate
from spendtop.domain.money import Usd
from spendtop.domain.request import (
    SAME_CONTENT,
    BodyState,
    Cost,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources import HELICONE_API, INGEST, LITELLM, OTLP, Source, source_named
from spendtop.services import missed_requests, tokens

SECRET = "6f1d3b0a9c4e8d27b5a1f0c3e6d9284715ab3c7e90d1f2468bace13579fdb024"
"""Public secret that signed the captured webhooks; it protects nothing."""


_MADE = (
    ("billing prod", "billing-prod", False),
    ("chat mirror", "chat-mirror", True),
    ("old crawler", "crawler", False),
)
"""Name, value and whether it is a shadow token, of each tracking token."""
_OFF = "crawler"
_JOBS = {
    "billing": ("invoices", ("/invoices/read", "/invoices/match/lines", "/invoices/match/taxes")),
    "grace": ("briefing", ("/briefing/collect", "/briefing/write")),
}
"""Users whose pushes belong to a session per hour, its name and its paths."""
_PUSHED = (
    (INGEST, "billing-prod", "gpt-4o-mini", "billing"),
    (INGEST, "billing-prod", "gpt-4o-mini", "billing"),
    (INGEST, "chat-mirror", "gpt-4o-mini", "erin"),
    (LITELLM, None, "claude-haiku-4-5", "frank"),
    (OTLP, None, "gemini-2.5-flash", "grace"),
    (INGEST, _OFF, "gpt-4o-mini", "crawler"),
)
"""Source, token, model and user of what is pushed; the last one's token is switched off by now."""
_PAST = 6 * HOUR


@dataclass(frozen=True, slots=True)
class Capture:
    """One webhook as Helicone posted it."""

    scenario: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes
    signature: str
    """Hex HMAC-SHA256 of `raw` under SECRET."""


def sample_folder() -> Path:
    """Where the sample data lies: in the package, or beside `src` in a checkout.

    Raises CannotCreate when neither exists.
    """
    package = Path(spendtop.__file__).parent
    for folder in (package / "_sample_data", package.parent.parent / "sample_data"):
        if (folder / "traffic.jsonl.gz").is_file():
            return folder
    raise CannotCreate("The sample data is missing from this installation; reinstall spendtop to get the demo.")


def history(now: int) -> Iterator[Request]:
    """The month of traffic, oldest first, shifted so that it ends at `now` (UTC µs)."""
    decoder = msgspec.json.Decoder(_Line)
    with gzip.open(sample_folder() / "traffic.jsonl.gz", "rb") as file:
        for line in file:
            yield _request(decoder.decode(line), now)


def live_bodies() -> list[bytes]:
    """Bodies of webhooks, in the order in which the demo posts them; make each one new with `as_new`."""
    return (sample_folder() / "live.jsonl").read_bytes().splitlines()


def as_new(body: bytes, request_id: str, now: int) -> bytes:
    """A live body as another request that happens at `now` (UTC µs). Sign what this returns."""
    event = msgspec.json.decode(body)
    event["request_response_url"] = event["request_response_url"].replace(event["request_id"], request_id)
    event["request_id"] = request_id
    response = event["response_body"]
    if "created" in response:
        response["created"] = now // SECOND
    for key in response.keys() & {"id", "responseId"}:
        response[key] = response[key][:9] + request_id.replace("-", "")[:20]
    return msgspec.json.encode(event)


def webhook_captures() -> list[Capture]:
    """Webhooks captured from Helicone's own code, byte for byte."""
    file = msgspec.json.decode((sample_folder() / "webhooks.json").read_bytes(), type=_CaptureFile)
    return [
        Capture(capture.scenario, capture.headers, base64.b64decode(capture.body_base64), capture.signature)
        for capture in file.captures
    ]


class _Line(msgspec.Struct, frozen=True):
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


class _CapturedLine(msgspec.Struct, frozen=True):
    scenario: str
    signature: str
    headers: tuple[tuple[str, str], ...]
    body_base64: str


class _CaptureFile(msgspec.Struct, frozen=True):
    captures: list[_CapturedLine]


def _request(line: _Line, now: int) -> Request:
    occurred_at = now - round(line.age_s * SECOND)
    confirmed = line.source == HELICONE_API.name
    response = line.response_body
    if response is not None and "created" in response:
        response["created"] = occurred_at // SECOND
    return Request(
        source=source_named(line.source),
        external_id=line.external_id,
        received_at=occurred_at + line.latency_ms * 1000,
        occurred_at=occurred_at,
        time_source=TimeSource.API if confirmed else TimeSource.PROVIDER,
        response_id=line.response_id,
        provider=line.provider,
        model=line.model,
        status=line.status,
        http_status=line.http_status,
        usage=line.usage,
        cost=Cost(reported=None if line.reported_cost is None else Usd.of(line.reported_cost)),
        user_id=line.user_id,
        session_id=line.session_id,
        session_path=line.session_path,
        token=line.token,
        properties=line.properties,
        latency_ms=line.latency_ms,
        ttft_ms=line.ttft_ms,
        cached=line.cached,
        verified=confirmed,
        request_body=None if line.request_body is None else msgspec.json.encode(line.request_body),
        response_body=None if response is None else msgspec.json.encode(response),
        body_state=BodyState.NOT_SENT if line.request_body is None else BodyState.STORED,
    )


def make_tokens(connection: Connection, now: int) -> None:
    """One that is used, one that only watches, and one that was switched off while its clients still send."""
    for name, value, shadow in _MADE:
        made = tokens.create(connection, name, now, value=value, shadow=shadow)
        tokens.set_active(connection, made.id, value != _OFF)
    missed_requests.note_refusals(connection, {(INGEST.name, "ingest_bad_token"): 3}, now - HOUR, 0)


def past_pushes(now: int, chance: random.Random) -> Iterator[Request]:
    """Those of the last hours, oldest first."""
    at = now - _PAST
    while (at := at + chance.randrange(MINUTE, 4 * MINUTE)) < now:
        yield _push(chance.choice(_PUSHED[:-1]), at, chance)
        if at < now - 2 * HOUR:
            yield _push(_PUSHED[-1], at, chance)


def marked_pushes(now: int, chance: random.Random) -> Iterator[Request]:
    """What lists mark with a sign, oldest first: a cost in part, a doubtful one, a call that two sources count; and one
    at a level of its own."""

    def push(source: Source, model: str, minutes_ago: int, usage: Usage, **facts: Any) -> Request:
        token, user = ("billing-prod", "billing") if source is INGEST else (None, "frank")
        made = _push((source, token, model, user), now - minutes_ago * MINUTE, chance)
        return msgspec.structs.replace(made, usage=usage, **facts)

    yield push(INGEST, "gpt-4o-mini", 52, Usage(prompt=48_200, completion=2_150), service_level=ServiceLevel.BATCH)
    searching = Usage(prompt=2_840, completion=410, units={"storage_searches": 2})
    yield push(INGEST, "claude-haiku-4-5", 37, searching)
    gateways = Cost(reported=Usd.of("0.12"), reported_by=Reporter.GATEWAY)
    yield push(LITELLM, "claude-haiku-4-5", 23, Usage(prompt=3_170, completion=520), cost=gateways)
    twin = push(LITELLM, "claude-haiku-4-5", 9, Usage(prompt=1_930, completion=274))
    yield twin
    yield push(OTLP, twin.model or "", 9, twin.usage, occurred_at=twin.occurred_at, latency_ms=twin.latency_ms)


def a_push(now: int, chance: random.Random) -> Request:
    """One that arrives at `now` (UTC µs)."""
    return _push(chance.choice(_PUSHED), now, chance)


def body_of(push: Request) -> bytes:
    """What its application posts to /ingest."""
    external_id = {} if push.external_id.startswith(SAME_CONTENT) else {"request_id": push.external_id}
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
            **external_id,
        }
    )


def _push(pushed: tuple[Source, str | None, str, str], now: int, chance: random.Random) -> Request:
    source, token, model, user = pushed
    latency = chance.randrange(300, 2_500)
    prompt = chance.randrange(120, 900)
    number = str(uuid.UUID(int=chance.getrandbits(128)))
    has_id = source is not INGEST or chance.random() < 0.9
    job, paths = _JOBS.get(user, (None, (None,)))
    return Request(
        source=source,
        external_id=number if has_id else SAME_CONTENT + number,
        received_at=now,
        occurred_at=now - latency * 1_000 - chance.randrange(SECOND // 5, SECOND),
        time_source=TimeSource.CLIENT,
        provider={"gpt": "openai", "cla": "anthropic", "gem": "google"}[model[:3]],
        model=model,
        http_status=200,
        usage=Usage(prompt=prompt, completion=prompt // 4),
        user_id=user,
        session_id=job and f"{job}-{to_datetime(now):%m%d-%H}",
        session_path=chance.choice(paths),
        token=token,
        counted=token != "chat-mirror",
        latency_ms=latency,
    )
