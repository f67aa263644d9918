"""Helicone's webhooks: signature over the raw bytes, and what their fields say.

A webhook carries no time, HTTP status, properties or session; a hit in Helicone's cache looks like any other request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from spendtop.config.settings import Settings
from spendtop.domain.clock import to_micros
from spendtop.domain.discreet import Discreet
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import (
    TEST_PROPERTY,
    BodyState,
    NotUnderstood,
    Parsed,
    Request,
    Status,
    TestEvent,
    TimeSource,
    Usage,
)
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import seconds_to_micros, when
from spendtop.domain.sources.records import HELICONE, PushedSource
from spendtop.domain.usage import UsageReading, count, counted, read_response
from spendtop.sources.helicone_rows import provider_named, reported_cost
from spendtop.sources.receivers import Described, NotJson, Signing
from spendtop.sources.repaired_json import json_text
from spendtop.sources.settings import HeliconeSettings

_SIGNATURE = re.compile(rb"[0-9a-fA-F]{64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TEST_CREDENTIAL = "MOCKAWSCREDENTIAL"
_TEST_PROMPT = "test message"
_NOTHING_BUT = frozenset({"model"})
_FAILURES = ("error", "helicone_error", "html_response")
_MESSAGE_ALONE = frozenset({"id", "message", "Message", "__type", "model", "request_id", "code", "status", "type"})
_TOO_LARGE = "Body too large"

_Number: TypeAlias = int | float | None
_Shape = TypeVar("_Shape")


class _Metadata(Struct):
    cost: Raw = Raw()
    prompt_tokens: _Number = msgspec.field(name="promptTokens", default=None)
    completion_tokens: _Number = msgspec.field(name="completionTokens", default=None)
    latency: _Number = msgspec.field(name="latencyMs", default=None)


class _WebhookEvent(Struct):
    """The fields of an event that are ours to read; the bodies stay as they were sent."""

    request_id: str
    request_body: Raw = Raw()
    response_body: Raw = Raw()
    user_id: str | None = None
    request_response_url: str | None = None
    model: str | None = None
    provider: str | None = None
    metadata: _Metadata | None = None
    spendtop_test: object = None
    """True in what `send-test` signs; Helicone's own events have no such field."""


class _CreatedData(Struct):
    model: str | None = None
    cost: Raw = Raw()
    tokens: _Number = None
    user_id: str | None = None
    timestamp: str | int | float | None = None


class _Created(Struct):
    """The older flow's event `request.created`."""

    data: _CreatedData


class _EventBody(Discreet, frozen=True):
    """A prompt or response: its JSON as sent, or None where nothing worth keeping was, and the same decoded."""

    raw: bytes | None
    value: object
    was_text: bool = False
    """It came as a JSON string holding JSON, as test events and old deliveries have it."""
    truncated: bool = False

    def text(self, key: str) -> str | None:
        """A field of the body, where it is a text that says something."""
        value = self.field(key)
        return value if isinstance(value, str) and value else None

    def field(self, key: str) -> object:
        return self.value.get(key) if isinstance(self.value, dict) else None


class HeliconeReceiver:
    source: ClassVar[PushedSource] = HELICONE
    largest: ClassVar[int] = 32 * 1024 * 1024
    signature_header: ClassVar[bytes] = b"helicone-signature"
    described: ClassVar[Described] = Described(
        summary="Takes one event; the answer comes after the durable commit.",
        description=("A correctly signed event is never limited, and a locked store is waited for up to 60 seconds."),
        content={"application/json": {"schema": {"description": "The event, exactly as it was signed."}}},
        parameters=(
            {
                "name": "Helicone-Signature",
                "in": "header",
                "required": True,
                "description": "HMAC-SHA256 of the raw body as 64 hexadecimal digits.",
                "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
            },
        ),
    )

    def __init__(self) -> None:
        self._event = msgspec.json.Decoder(_WebhookEvent)
        self._created = msgspec.json.Decoder(_Created)
        self._keyed: tuple[tuple[bytes, ...], tuple[hmac.HMAC, ...]] = ((), ())

    @staticmethod
    def signing(settings: Settings) -> Signing:
        helicone = settings.section(HeliconeSettings)
        secrets = tuple(secret.get_secret_value().encode() for secret in helicone.webhook_secrets)
        return Signing(secrets, helicone.allow_unsigned)

    def is_signature(self, signatures: Sequence[bytes]) -> bool:
        return len(signatures) == 1 and _SIGNATURE.fullmatch(signatures[0]) is not None

    def verify(self, raw: bytes, signatures: Sequence[bytes], secrets: Sequence[bytes]) -> bool:
        """Whether `raw` was signed with one of the secrets. There has to be exactly one signature header."""
        if not self.is_signature(signatures):
            return False
        claimed = bytes.fromhex(signatures[0].decode("ascii"))
        matched = False
        for keyed in self._keyed_for(secrets):
            signer = keyed.copy()
            signer.update(raw)
            matched |= hmac.compare_digest(signer.digest(), claimed)
        return matched

    def parse(self, raw: bytes, received_at: int) -> Parsed:
        """What a signed event says. Raises NotJson for what no repair makes JSON."""
        try:
            event = json_text(raw)
            if not isinstance(event.value, dict):
                raise _NotUnderstood("The event is not a JSON object")
            if "request_id" not in event.value and "event" in event.value:
                return self._older_request(event.value, event.raw, raw, received_at)
            return self._request(event.value, event.raw, received_at)
        except _NotUnderstood as error:
            return self._kept(raw, received_at, str(error))
        except RecursionError:
            return self._kept(raw, received_at, "The event is nested too deeply")
        except msgspec.DecodeError as error:
            raise NotJson("The body is not JSON") from error

    def _kept(self, raw: bytes, received_at: int, reason: str) -> NotUnderstood:
        return NotUnderstood(source=self.source, received_at=received_at, reason=reason, raw=raw)

    def _keyed_for(self, secrets: Sequence[bytes]) -> tuple[hmac.HMAC, ...]:
        keyed_for, keyed = self._keyed
        wanted = tuple(secrets)
        if keyed_for != wanted:
            keyed = tuple(hmac.new(secret, digestmod=hashlib.sha256) for secret in wanted if secret)
            self._keyed = (wanted, keyed)
        return keyed

    def _request(self, document: dict[str, object], raw: bytes, received_at: int) -> Request | TestEvent:
        event = _shaped(self._event, raw)
        if _REQUEST_ID.fullmatch(event.request_id) is None:
            raise _NotUnderstood("`$.request_id` is not 1 to 128 letters, digits or any of . _ : -")
        prompt = self._body(event.request_body, document.get("request_body"))
        response = self._body(event.response_body, document.get("response_body"))
        if _is_test(event, prompt, response):
            return TestEvent(source=self.source, external_id=event.request_id, received_at=received_at, raw=raw)
        metadata = event.metadata or _Metadata()
        happened = when(seconds_to_micros(response.field("created")), TimeSource.PROVIDER, received_at)
        model = event.model or response.text("model") or prompt.text("model")
        provider = provider_named(event.provider)
        reading, status = read_response(response.value, prompt.value, provider, model), _status(response)
        return Request(
            source=self.source,
            external_id=event.request_id,
            received_at=received_at,
            occurred_at=happened.occurred_at,
            time_source=happened.time_source,
            time_suspect=happened.suspect,
            response_id=provider_response_id(response.text("id")),
            provider=provider,
            model=model,
            status=status,
            usage=_usage(reading, metadata, status),
            cost=reported_cost(reading.cost, _reported(metadata)),
            service_level=reading.service_level,
            inference_geo=reading.inference_geo,
            served_model=reading.served_model(model),
            provider_usage=reading.provider_usage,
            unread_usage=reading.unread,
            user_id=event.user_id or None,
            properties={TEST_PROPERTY: "1"} if event.spendtop_test is True else None,
            latency_ms=_milliseconds(metadata.latency),
            request_body=prompt.raw,
            response_body=response.raw,
            body_state=_body_state(prompt, response),
        )

    def _older_request(self, document: dict[str, object], event: bytes, raw: bytes, received_at: int) -> Request:
        if document["event"] != "request.created":
            raise _NotUnderstood("`$.event` is none that this version knows, and there is no `$.request_id`")
        data = _shaped(self._created, event).data
        happened = when(_instant(data.timestamp), TimeSource.PROVIDER, received_at)
        return Request(
            source=self.source,
            external_id=hashlib.sha256(raw).hexdigest(),
            received_at=received_at,
            occurred_at=happened.occurred_at,
            time_source=happened.time_source,
            time_suspect=happened.suspect,
            model=data.model or None,
            usage=Usage(prompt=count(data.tokens)),
            cost=reported_cost(None, _dollars(data.cost, "$.data.cost")),
            user_id=data.user_id or None,
        )

    @staticmethod
    def _body(sent: Raw, value: object) -> _EventBody:
        if not isinstance(value, str):
            return _EventBody(bytes(sent) if _says_something(value) else None, value)
        if value.startswith(_TOO_LARGE):
            return _EventBody(None, None, truncated=True)
        try:
            inner = json_text(value.encode())
        except (msgspec.DecodeError, RecursionError):
            return _EventBody(bytes(sent) if value else None, value)
        return _EventBody(inner.raw if _says_something(inner.value) else None, inner.value, was_text=True)


class _NotUnderstood(Exception):
    """Why an event has no shape we know; names the field, not its value."""


def _shaped(decoder: msgspec.json.Decoder[_Shape], raw: bytes) -> _Shape:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _NotUnderstood(str(error)) from error


def _says_something(value: object) -> bool:
    """Whether a body is more than what Helicone puts where none was stored: `{}` or `{"model": ...}`."""
    return value is not None and value != "" and not (isinstance(value, dict) and value.keys() <= _NOTHING_BUT)


def _is_test(event: _WebhookEvent, prompt: _EventBody, response: _EventBody) -> bool:
    if _TEST_CREDENTIAL in (event.request_response_url or ""):
        return True
    if not (prompt.was_text and response.was_text):
        return False
    messages = prompt.field("messages")
    return isinstance(messages, list) and any(
        isinstance(message, dict) and message.get("content") == _TEST_PROMPT for message in messages
    )


def _usage(reading: UsageReading, metadata: _Metadata, status: Status) -> Usage:
    if reading.usage.total is not None or reading.usage.units is not None:
        return reading.usage
    return counted(Usage(prompt=count(metadata.prompt_tokens), completion=count(metadata.completion_tokens)), status)


def _reported(metadata: _Metadata) -> Usd | None:
    """Helicone's cost. Beside a negative token count only a negative cost is told, as nobody will trust that."""
    reported = _dollars(metadata.cost, "$.metadata.cost")
    believed = (metadata.prompt_tokens or 0) >= 0 and (metadata.completion_tokens or 0) >= 0
    return reported if believed or (reported is not None and reported < ZERO) else None


def _status(response: _EventBody) -> Status:
    """Events carry no HTTP status, so a failure is what looks like one: Gemini's streams are arrays, Mistral has
    errors as objects, Bedrock and Cohere answer with a message alone."""
    answers = response.value if isinstance(response.value, list) else [response.value]
    return Status.ERROR if any(isinstance(each, dict) and _is_failure(each) for each in answers) else Status.OK


def _is_failure(answer: dict[str, object]) -> bool:
    if any(answer.get(name) for name in _FAILURES) or "error" in (answer.get("object"), answer.get("type")):
        return True
    return isinstance(answer.get("message") or answer.get("Message"), str) and answer.keys() <= _MESSAGE_ALONE


def _body_state(prompt: _EventBody, response: _EventBody) -> BodyState:
    if prompt.truncated or response.truncated:
        return BodyState.TRUNCATED
    return BodyState.NOT_SENT if prompt.raw is None and response.raw is None else BodyState.STORED


def _dollars(number: Raw, field: str) -> Usd | None:
    """The exact decimal that a JSON number spells, also in quotes."""
    text = bytes(number).decode().strip('"')
    if text in ("", "null"):
        return None
    try:
        return Usd.of(text)
    except ValueError:
        raise _NotUnderstood(f"`{field}` is not an amount of money") from None


def _milliseconds(latency: _Number) -> int | None:
    return count(round(latency)) if latency is not None else None


def _instant(value: object) -> int | None:
    """Unix seconds, or ISO 8601 with a zone, as UTC µs."""
    if not isinstance(value, str):
        return seconds_to_micros(value)
    try:
        return to_micros(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None
