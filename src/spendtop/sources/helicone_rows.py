"""Rows of Helicone's query API, as its answers, exports and saved answers hold them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import to_micros
from spendtop.domain.discreet import Discreet
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import NEWEST
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import UsageReading, count, counted, read_response
from spendtop.sources.documented import ANSWERS
from spendtop.sources.repaired_json import decoded, json_text
from spendtop.sources.unknown_fields import tell_beside


def provider_named(helicone_name: str | None) -> str | None:
    """Our name of a provider that Helicone names; None for none. `CUSTOM` names none, so the model has to."""
    biller = biller_named(helicone_name)
    return storable_name(biller) if biller else None


def reported_cost(of_provider: Usd | None, of_helicone: Usd | None) -> Cost:
    """What a provider's own answer says comes before what Helicone made of it."""
    if of_provider is not None:
        return Cost(reported=of_provider, reported_by=Reporter.PROVIDER)
    return Cost(reported=of_helicone, reported_by=None if of_helicone is None else Reporter.GATEWAY)


_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NO_ONE = frozenset({"", "null", "undefined"})
_NOT_CACHED = frozenset({"", "00000000-0000-0000-0000-000000000000"})
_ELSEWHERE = "helicone_message"
"""In place of a body that has to be fetched from somewhere else."""
_LONGEST_PLACEHOLDER = 1024
_CANCELLED = -3
SESSION_PROPERTY = "Helicone-Session-Id"
_SESSION_PATH, _SESSION_NAME = "Helicone-Session-Path", "Helicone-Session-Name"
_OF_HELICONE = "helicone-"
_FAILURES = ("error", "helicone_error", "html_response")
_LEVEL_ASKED = re.compile(rb'"(?:service_tier|serviceTier|speed|inference_geo|performanceConfig)"')
_MOST_USD = 10**9
_MOST_MILLISECONDS = 2**53
_FIELD = re.compile(r"(?:missing required field `|at `\$\.?)(\w*)")


class Row(Struct, frozen=True):
    """One row. Whole numbers may be quoted."""

    request_id: str
    request_created_at: datetime
    updated_at: str | None = None
    response_status: int | None = None
    request_user_id: str | None = None
    properties: dict[str, str] | None = None
    provider: str | None = None
    model: str | None = None
    request_model: str | None = None
    delay_ms: int | None = None
    time_to_first_token: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_cache_read_tokens: int | None = None
    prompt_cache_write_tokens: int | None = None
    cost: Decimal | None = None
    cache_reference_id: str | None = None
    request_body: Raw = Raw()
    response_body: Raw = Raw()


_KnownRow: type[Row] = msgspec.defstruct(  # type: ignore[assignment]  # of its bases mypy knows nothing
    "_KnownRow",
    [(name, Raw, Raw()) for name in sorted(ANSWERS["Helicone"])],
    bases=(Row,),
    frozen=True,
    forbid_unknown_fields=True,
)
"""A row that has nothing but what is documented, as nearly all of them."""


class NotARow(ValueError):
    """What has no shape that we know; names the field, never its value."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field
        """Empty for what is no JSON object."""


class RowReader:
    def __init__(self) -> None:
        self._known = msgspec.json.Decoder(_KnownRow, strict=False)
        self._row = msgspec.json.Decoder(Row, strict=False)
        self._fields = msgspec.json.Decoder(dict[str, Raw])

    def row(self, raw: bytes | Raw, now: int) -> Row:
        """A row by which a request can be made, as it stands at `now` (UTC µs). Raises NotARow."""
        row = self._decoded(bytes(raw))
        if _REQUEST_ID.fullmatch(row.request_id) is None:
            raise NotARow("request_id")
        if not 0 <= instant_of(row) <= now + NEWEST:
            raise NotARow("request_created_at")
        if row.cost is not None and not (row.cost.is_finite() and abs(row.cost) <= _MOST_USD):
            raise NotARow("cost")
        if not isinstance(row, _KnownRow):
            tell_beside(decoded(self._fields, bytes(raw)), Row, ANSWERS["Helicone"])
        return row

    def _decoded(self, raw: bytes) -> Row:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._known.decode(raw)
        try:
            return decoded(self._row, raw)
        except msgspec.ValidationError as error:
            field = _FIELD.search(str(error))
            raise NotARow(field[1] if field else "") from None
        except (msgspec.DecodeError, RecursionError):
            raise NotARow("") from None


def instant_of(row: Row) -> int:
    """When the request began, UTC µs."""
    moment = row.request_created_at
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class _RowBody(Discreet, frozen=True):
    raw: bytes | None
    """Its JSON, or None where nothing was stored."""
    value: object = None


def request_of(row: Row, now: int) -> Request:
    """The request that a row confirms, received at `now` (UTC µs)."""
    prompt, response = _prompt(row.request_body), _body(row.response_body)
    answer = response.value if isinstance(response.value, dict) else {}
    body_id = answer.get("id")
    status = row.response_status
    properties = row.properties or {}
    model = _name(row.model or row.request_model)
    provider = provider_named(row.provider)
    reading = read_response(response.value, _asked(prompt), provider, model)
    return Request(
        source=HELICONE_API,
        external_id=row.request_id,
        received_at=now,
        occurred_at=instant_of(row),
        time_source=TimeSource.API,
        response_id=provider_response_id(_name(body_id)) if isinstance(body_id, str) else None,
        provider=provider,
        model=model,
        status=_status(status, answer),
        http_status=status if status is not None and 100 <= status <= 599 else None,
        usage=_usage(row, reading, _status(status, answer)),
        cost=reported_cost(reading.cost, _reported(row)),
        service_level=reading.service_level,
        inference_geo=reading.inference_geo,
        served_model=reading.served_model(model),
        provider_usage=reading.provider_usage,
        unread_usage=reading.unread,
        user_id=None if row.request_user_id in _NO_ONE else _name(row.request_user_id),
        session_id=_name(properties.get(SESSION_PROPERTY)),
        session_path=_name(properties.get(_SESSION_PATH)),
        properties=_own(properties) or None,
        latency_ms=_milliseconds(row.delay_ms),
        ttft_ms=_milliseconds(row.time_to_first_token),
        cached=(row.cache_reference_id or "") not in _NOT_CACHED,
        verified=True,
        request_body=prompt.raw,
        response_body=response.raw,
        body_state=BodyState.NOT_SENT if prompt.raw is response.raw is None else BodyState.STORED,
    )


def _prompt(sent: Raw) -> _RowBody:
    """As `_body`, but what is too long to stand for nothing is not looked into."""
    raw = bytes(sent)
    return _RowBody(raw) if len(raw) > _LONGEST_PLACEHOLDER and raw.startswith(b"{") else _body(sent)


def _body(sent: Raw) -> _RowBody:
    """A body is JSON, or a text that holds JSON; `{"model": ...}` stands where none was stored."""
    raw, value = bytes(sent), None
    try:
        if raw:
            raw, value = json_text(raw)
        if isinstance(value, str):
            raw = value.encode()
            raw, value = json_text(raw) if raw else (raw, None)
    except (msgspec.DecodeError, RecursionError):
        return _RowBody(None, value)  # the text of a stream, which still says what was used
    if not value or (isinstance(value, dict) and (value.keys() <= {"model"} or _ELSEWHERE in value)):
        return _RowBody(None)
    return _RowBody(raw, value)


def _asked(prompt: _RowBody) -> object:
    """The request, as far as it is needed: only where it asks for a service level."""
    if prompt.value is None and prompt.raw is not None and _LEVEL_ASKED.search(prompt.raw):
        return _body(Raw(prompt.raw)).value
    return prompt.value


def _usage(row: Row, reading: UsageReading, status: Status) -> Usage:
    """The answer's own usage; Helicone's counts leave cached and reasoning tokens out of the sums."""
    if reading.usage.total is not None or reading.usage.units is not None:
        return reading.usage
    read, written, reasoning = map(
        count, (row.prompt_cache_read_tokens, row.prompt_cache_write_tokens, row.reasoning_tokens)
    )
    prompt, completion = count(row.prompt_tokens), count(row.completion_tokens)
    own = Usage(
        prompt=None if prompt is None else prompt + (read or 0) + (written or 0),
        completion=None if completion is None else completion + (reasoning or 0),
        cache_read=read,
        cache_write=written,
        reasoning=reasoning,
    )
    return counted(own, status)


def _reported(row: Row) -> Usd | None:
    """Helicone's cost; beside a negative token count it says nothing."""
    if row.cost is None or min(row.prompt_tokens or 0, row.completion_tokens or 0) < 0:
        return None
    return Usd.of(row.cost)


def _status(status: int | None, answer: dict[str, object]) -> Status:
    """Helicone has numbers below zero for what ended without an HTTP status, and 0 where it knows none."""
    if status == _CANCELLED:
        return Status.CANCELLED
    failed = status is not None and (status < 0 or status >= 400)
    return Status.ERROR if failed or any(answer.get(key) for key in _FAILURES) else Status.OK


def _own(properties: dict[str, str]) -> dict[str, str]:
    """The properties that the application set, and the session's name, which has no place of its own."""
    return {
        name: value
        for name, value in properties.items()
        if name == _SESSION_NAME or not name.lower().startswith(_OF_HELICONE)
    }


def _milliseconds(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _MOST_MILLISECONDS else None


def _name(text: str | None) -> str | None:
    return storable_name(text) if text else None
