"""LiteLLM's callback `generic_api`, of its proxy and its SDK alike: batches of `StandardLoggingPayload`.

LiteLLM sends once and does not send again, so an event is only refused where nothing can be made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeAlias

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.billers import biller_named
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import seconds_to_micros, when
from spendtop.domain.sources.records import LITELLM, PushedSource
from spendtop.domain.sources.remarks import RemarkKind, folded, remark
from spendtop.domain.usage import UsageReading, count, counted, read_response
from spendtop.sources.receivers import Described, Invalid, NotJson, Post, Pushed, Schema, Unreadable, field_of
from spendtop.sources.repaired_json import repaired

MOST_ITEMS = 20_000
"""More than any batch that fits a post."""

NOBODY = "default_user_id"
"""The user of the proxy's master key."""
CLIENT_LEFT = 499
"""The proxy's code for a stream that its client broke off; what was sent until then is a success with a cost."""
USER_AGENT = "User-Agent:"
GENERATED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A trace id that LiteLLM made, a new one for each call."""
NO_CALL = re.compile(
    r"a?(?:get|list|delete|cancel|retrieve|update)_[a-z_]{1,48}|a?file_[a-z]{1,24}|a?_?add_message"
    r"|a?create_(?:file|batch|fine_tuning_job|assistants|thread|container|skill|eval)"
    r"|a?(?:video|container|vector_store|vector_store_file)_(?:list|status|content|retrieve|delete|create|update)"
)
"""`call_type` of what reads or manages things; repeated looks at one answer repeat its usage and cost."""
_TERMS = (
    *("cost", "cost_details", "is_byok", "cost_in_usd_ticks", "service_tier", "speed", "inference_geo"),
    *("cache_creation", "server_tool_use"),
)
"""Of a provider's own usage object, which LiteLLM's leaves out."""
_STATUS = re.compile("[1-5][0-9]{2}")
_MESSAGES = re.compile(rb"\[\s*\{")
_NOTHING = (b"", b"null", b"{}", b'""', b"[]")

_Number: TypeAlias = int | float | None
_Object: TypeAlias = dict[str, object] | None
_ITEM: Schema = {
    "type": ["object", "null"],
    "description": "LiteLLM's standard logging payload. null is passed over.",
    "properties": {"id": {"type": ["string", "null"]}, "litellm_call_id": {"type": ["string", "null"]}},
}


class _Metadata(Struct):
    """Of what the proxy knows of a call, what is ours to read."""

    user_api_key_user_id: object = None
    user_api_key_end_user_id: object = None
    user_api_key_alias: object = None
    user_api_key_team_alias: object = None
    usage_object: object = None
    requester_metadata: object = None


class _ErrorInformation(Struct):
    error_code: object = None
    error_class: object = None


class _Payload(Struct):
    """The fields that are ours to read; the bodies stay as they were sent."""

    id: str | None = None
    litellm_call_id: str | None = None
    call_type: object = None
    status: str | None = None
    custom_llm_provider: str | None = None
    model: str | None = None
    session_id: str | None = None
    trace_id: str | None = None
    end_user: object = None
    stream: object = None
    cache_hit: object = None
    start: _Number = msgspec.field(name="startTime", default=None)
    end: _Number = msgspec.field(name="endTime", default=None)
    first_token: _Number = msgspec.field(name="completionStartTime", default=None)
    response_time: _Number = None
    prompt_tokens: _Number = None
    completion_tokens: _Number = None
    response_cost: Raw = Raw()
    cost_breakdown: object = None
    request_tags: list[object] | None = None
    metadata: _Metadata | None = None
    model_parameters: _Object = None
    error_str: object = None
    error_information: _ErrorInformation | None = None
    messages: Raw = Raw()
    response: Raw = Raw()

    @property
    def failed(self) -> bool:
        return self.status == "failure"

    @property
    def cached(self) -> bool:
        return self.cache_hit in (True, "True")  # Redis gives texts back

    @property
    def known(self) -> _Metadata:
        return self.metadata or _Metadata()

    @property
    def error(self) -> _ErrorInformation:
        return self.error_information or _ErrorInformation()


_NO_CALL_IS = "looks something up or puts it away, and calls no model"


class _NoCall(Struct, frozen=True):
    """An item that says no more than that something was looked up or put away."""

    kind: str


_Read: TypeAlias = Request | Invalid | _NoCall


class LitellmReceiver:
    source: ClassVar[PushedSource] = LITELLM
    largest: ClassVar[int] = 32 * 1024 * 1024
    unpacks: ClassVar[bool] = False
    described: ClassVar[Described] = Described(
        summary="Takes batches of LiteLLM's callback `generic_api`: an array, an object, or an object per line.",
        content={
            "application/json": {"schema": {"anyOf": [_ITEM, {"type": "array", "items": _ITEM}]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    )

    def __init__(self) -> None:
        self._any = msgspec.json.Decoder()
        self._one = msgspec.json.Decoder(Raw)
        self._many = msgspec.json.Decoder(list[Raw])
        self._payload = msgspec.json.Decoder(_Payload)
        self._payloads = msgspec.json.Decoder(list[_Payload | None])

    def read(self, post: Post) -> Pushed:
        return self.parse(post.raw, post.received_at)

    def parse(self, raw: bytes, received_at: int) -> Pushed:
        """What a post says: an array, one object, or an object per line. Elements that are null are no items.

        Raises NotJson, and Unreadable for more than MOST_ITEMS.
        """
        read = self._all_at_once(raw, received_at) or self._one_by_one(raw, received_at)
        items = tuple(item for item in read if not isinstance(item, _NoCall))
        no_calls = (remark(RemarkKind.NOT_TAKEN, each.kind, _NO_CALL_IS) for each in read if isinstance(each, _NoCall))
        return Pushed(items, remarks=folded(no_calls))

    def _all_at_once(self, raw: bytes, received_at: int) -> Sequence[_Read]:
        """The items of an array that needs no repair; nothing of any other post."""
        try:
            if not raw.isascii():
                raw.decode()  # what is not looked into may hold anything
            payloads = self._payloads.decode(raw)
            if len(payloads) > MOST_ITEMS:
                return ()
            return [self._called(payload, received_at) for payload in payloads if payload is not None]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()

    def _one_by_one(self, raw: bytes, received_at: int) -> Sequence[_Read]:
        """The items of any post, each of which may be repaired or refused."""
        try:
            elements = self._elements(raw)
        except (msgspec.DecodeError, RecursionError):
            try:
                elements = self._elements(repaired(raw))
            except (msgspec.DecodeError, RecursionError) as error:
                raise NotJson("The body is not JSON") from error
        if len(elements) > MOST_ITEMS:
            raise Unreadable("too_many_items", f"A post holds at most {MOST_ITEMS:,} items. Send several.", status=413)
        return [self._item(element, received_at) for element in elements if element.strip() != b"null"]

    def _elements(self, raw: bytes) -> list[bytes]:
        text = raw.strip()
        if text.startswith(b"["):
            return [bytes(element) for element in self._many.decode(text)]
        try:
            return [bytes(self._one.decode(text))]
        except msgspec.DecodeError:
            lines = [line for line in map(bytes.strip, text.splitlines()) if line]
            self._one.decode(lines[0] if lines else b"")
            return lines

    def _item(self, element: bytes, received_at: int) -> _Read:
        try:
            try:
                return self._called(self._decoded_payload(element), received_at)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return self._called(self._decoded_payload(repaired(element)), received_at)
        except msgspec.ValidationError as error:
            return Invalid(field_of(error))
        except (msgspec.DecodeError, RecursionError):
            return Invalid({"item": "is not JSON"})

    def _decoded_payload(self, element: bytes) -> _Payload:
        element.decode()  # what is not looked into may hold anything
        return self._payload.decode(element)

    def _called(self, payload: _Payload, received_at: int) -> _Read:
        if isinstance(payload.call_type, str) and NO_CALL.fullmatch(payload.call_type):
            return _NoCall(payload.call_type)
        try:
            return self._request(payload, received_at)
        except _Unusable as error:
            return Invalid(error.fields)

    def _request(self, payload: _Payload, received_at: int) -> Request:
        happened = when(seconds_to_micros(payload.start), TimeSource.CLIENT, received_at)
        prompt, response = _prompt(payload), _response(payload)
        model = _model(payload)
        reading = self._reading(payload, model)
        return Request(
            source=self.source,
            external_id=_external_id(payload),
            received_at=received_at,
            occurred_at=happened.occurred_at,
            time_source=happened.time_source,
            time_suspect=happened.suspect,
            response_id=_response_id(payload),
            provider=biller_named(payload.custom_llm_provider),
            model=model,
            status=_status(payload),
            http_status=_http_status(payload),
            usage=_usage(payload, reading),
            cost=_cost(payload, reading),
            service_level=reading.service_level,
            inference_geo=reading.inference_geo,
            served_model=None if payload.cached else reading.served_model(model),
            provider_usage=reading.provider_usage,
            unread_usage=reading.unread,
            user_id=_user(payload),
            session_id=_session(payload),
            properties=dict(_properties(payload)) or None,
            latency_ms=_latency(payload),
            ttft_ms=_milliseconds(payload.start, payload.first_token) if payload.stream is True else None,
            cached=payload.cached,
            request_body=prompt,
            response_body=response,
            body_state=BodyState.STORED if prompt or response else BodyState.NOT_SENT,
        )

    def _reading(self, payload: _Payload, model: str | None) -> UsageReading:
        """What LiteLLM's usage object and the response say; of their counts those of the object count.

        Of what is not billed by the token it counts no tokens: then those of the response count.
        """
        sent = bytes(payload.response)
        response = None if sent in _NOTHING else self._decoded(sent)
        asked, usage = _asked(payload), payload.known.usage_object
        if isinstance(usage, dict) and usage:
            reading = read_response(_with_usage(response, usage), asked, model=model)
            if reading.usage.is_known:
                return reading
            answered = read_response(response, asked, model=model)
            return answered if answered.usage.is_known else reading
        return read_response(response, asked, model=model)

    def _decoded(self, sent: bytes) -> object:
        try:
            return self._any.decode(sent)
        except RecursionError:
            return None


def _asked(payload: _Payload) -> dict[str, object]:
    """The parameters, with those that its client passed through LiteLLM unread, and the text that was to be spoken,
    which LiteLLM puts where messages are."""
    parameters = payload.model_parameters or {}
    passed = parameters.get("extra_body")
    asked = {**passed, **parameters} if isinstance(passed, dict) else parameters
    if "voice" in asked and payload.messages and bytes(payload.messages).startswith(b'"'):
        return {"input": msgspec.json.decode(payload.messages), **asked}
    return asked


def _with_usage(response: object, usage: dict[str, object]) -> dict[str, object]:
    """The response with LiteLLM's usage object, and with what only the provider's own says in it."""
    if not isinstance(response, dict):
        return {"usage": usage}
    own = response.get("usage")
    terms = {name: own[name] for name in _TERMS if name in own} if isinstance(own, dict) else {}
    return {**response, "usage": {**terms, **usage}}


def _usage(payload: _Payload, reading: UsageReading) -> Usage:
    if reading.usage.total is not None or reading.usage.units is not None:
        return reading.usage
    own = Usage(prompt=_tokens(payload, "prompt_tokens"), completion=_tokens(payload, "completion_tokens"))
    return counted(own, _status(payload))


class _Unusable(Exception):
    """Why nothing can be made of an item."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field)
        self.fields = {field: problem}


def _external_id(payload: _Payload) -> str:
    """The call's id. A proxy that tries again keeps it, so a failed try must not hide the call that succeeded."""
    call_id = payload.litellm_call_id or payload.id
    if not call_id:
        raise _Unusable("litellm_call_id", "is missing")
    return f"{call_id}:failed" if payload.failed else call_id


def _response_id(payload: _Payload) -> str | None:
    """The provider's id. A cache hit repeats that of the request that filled the cache, so it tells nothing."""
    if payload.failed or payload.cached or payload.id == payload.litellm_call_id:
        return None
    return provider_response_id(payload.id) or None


def _model(payload: _Payload) -> str | None:
    return (payload.model or "").removeprefix(f"{payload.custom_llm_provider}/") or None


def _tokens(payload: _Payload, field: str) -> int | None:
    value = getattr(payload, field)
    tokens = count(value)
    if tokens is None and value is not None:
        raise _Unusable(field, "has to be a whole number of tokens, 0 or more")
    return tokens


def _cost(payload: _Payload, reading: UsageReading) -> Cost:
    """The provider's own figure, else LiteLLM's."""
    if reading.cost is not None:
        return Cost(reported=reading.cost, reported_by=Reporter.PROVIDER)
    reported = _broken_down(payload) or _reported(payload)
    return Cost(reported=reported, reported_by=None if reported is None else Reporter.GATEWAY)


def _broken_down(payload: _Payload) -> Usd | None:
    """The sum of the cost's parts, where there are any."""
    parts = payload.cost_breakdown if isinstance(payload.cost_breakdown, dict) else {}
    total = parts.get("total_cost")
    if (type(total) is float or type(total) is int) and total > 0:
        return Usd.of(repr(total))
    return None


def _reported(payload: _Payload) -> Usd | None:
    """The exact decimal that LiteLLM's number spells, also in quotes."""
    spelled = bytes(payload.response_cost).decode().strip('"')
    if spelled in ("", "null"):
        return None
    try:
        return Usd.of(spelled)
    except ValueError:
        raise _Unusable("response_cost", "has to be an amount in USD") from None


def _user(payload: _Payload) -> str | None:
    known = payload.known
    key_user = _name(known.user_api_key_user_id)
    return (
        _name(payload.end_user)
        or _name(known.user_api_key_end_user_id)
        or _name((payload.model_parameters or {}).get("user"))
        or (key_user if key_user != NOBODY else None)
    )


def _session(payload: _Payload) -> str | None:
    """The session; most versions put it into `trace_id`, where calls without one have a random id of their own.

    So a session with such an id is only known where the proxy says that its client named it.
    """
    if payload.session_id:
        return payload.session_id
    if payload.trace_id and not GENERATED.fullmatch(payload.trace_id):
        return payload.trace_id
    named = payload.known.requester_metadata
    return _name(named.get("session_id")) if isinstance(named, dict) else None


def _properties(payload: _Payload) -> Iterator[tuple[str, str]]:
    tags = [tag for tag in payload.request_tags or () if isinstance(tag, str) and not tag.startswith(USER_AGENT)]
    if tags:
        yield "tags", ", ".join(tags)
    known = payload.known
    for name, named in (("key_alias", known.user_api_key_alias), ("team_alias", known.user_api_key_team_alias)):
        if alias := _name(named):
            yield name, alias


def _status(payload: _Payload) -> Status:
    if _http_status(payload) == CLIENT_LEFT:
        return Status.CANCELLED
    return Status.ERROR if payload.failed else Status.OK


def _http_status(payload: _Payload) -> int | None:
    code = payload.error.error_code
    return int(str(code)) if code and _STATUS.fullmatch(str(code)) else None


def _prompt(payload: _Payload) -> bytes | None:
    """The prompt as its provider takes it: LiteLLM sends the messages, or the text, alone."""
    sent = bytes(payload.messages)
    if sent in _NOTHING:
        return None
    if sent.startswith(b"{"):
        return sent
    return b'{"%b":%b}' % (b"messages" if _MESSAGES.match(sent) else b"input", sent)


def _response(payload: _Payload) -> bytes | None:
    sent = bytes(payload.response)
    if sent not in _NOTHING:
        return sent
    message = _name(payload.error_str)
    if message is None:
        return None
    return msgspec.json.encode({"error": {"message": message, "type": _name(payload.error.error_class)}})


def _name(value: object) -> str | None:
    """A name that says something; applications also use numbers."""
    if isinstance(value, str):
        return value or None
    return str(value) if type(value) is int else None


def _latency(payload: _Payload) -> int | None:
    """Until the end of the answer; `response_time` ends at the first token of a stream."""
    whole = _milliseconds(payload.start, payload.end)
    return _milliseconds(0, payload.response_time) if whole is None else whole


def _milliseconds(start: _Number, end: _Number) -> int | None:
    """From one instant in seconds to a later one."""
    since, until = seconds_to_micros(start), seconds_to_micros(end)
    return round((until - since) / 1000) if since is not None and until is not None and until >= since else None
