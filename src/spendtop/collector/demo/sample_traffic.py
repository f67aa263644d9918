"""The sample data that the demo replays: a month of traffic, webhooks to come, and captured ones."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

import spendtop
from spendtop.domain.clock import SECOND
from spendtop.domain.errors import CannotCreate
from spendtop.domain.money import Usd
from spendtop.domain.request import BodyState, Cost, Request, Status, TimeSource, Usage
from spendtop.domain.sources import HELICONE_API, source_named

SECRET = "6f1d3b0a9c4e8d27b5a1f0c3e6d9284715ab3c7e90d1f2468bace13579fdb024"
"""Public secret that signed the captured webhooks; it protects nothing."""


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
