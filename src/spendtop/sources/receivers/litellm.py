"""LiteLLM's callback `generic_api`, of its proxy and its SDK alike: batches of `StandardLoggingPayload`.

LiteLLM sends once and does not send again, so an event is only refused where nothing can be made of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import ClassVar, TypeAlias

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import SECOND
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, TimeSource, Usage
from spendtop.domain.requests.timing import seconds_to_micros, when
from spendtop.domain.sources.records import LITELLM, PushedSource
from spendtop.domain.sources.remarks import Remark, RemarkKind, folded, remark
from spendtop.domain.usage import UsageReading, counted, read_response
from spendtop.sources import unknown_fields
from spendtop.sources.documented import PUSHES
from spendtop.sources.receivers import Described, Invalid, NotJson, Post, Pushed, Schema, Unreadable, field_of
from spendtop.sources.receivers import litellm_payload as said
from spendtop.sources.receivers.litellm_payload import NOTHING, Payload, Unusable
from spendtop.sources.repaired_json import repaired

MOST_ITEMS = 20_000
"""More than any batch that fits a post."""

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
_ITEM: Schema = {
    "type": ["object", "null"],
    "description": "LiteLLM's standard logging payload. null is passed over.",
    "properties": {"id": {"type": ["string", "null"]}, "litellm_call_id": {"type": ["string", "null"]}},
}


_LOOK_EVERY = 10 * SECOND
"""Fields that nobody knows are looked for in one post of so much time, in µs: the others are not read a second time."""
_LOOKED_INTO = ("metadata", "error_information")

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
        self._payload = msgspec.json.Decoder(Payload)
        self._payloads = msgspec.json.Decoder(list[Payload | None])
        self._fields = msgspec.json.Decoder(dict[str, Raw])
        self._looked_at = 0

    def read(self, post: Post) -> Pushed:
        return self.parse(post.raw, post.received_at)

    def parse(self, raw: bytes, received_at: int) -> Pushed:
        """What a post says: an array, one object, or an object per line. Elements that are null are no items.

        Raises NotJson, and Unreadable for more than MOST_ITEMS.
        """
        read = self._all_at_once(raw, received_at) or self._one_by_one(raw, received_at)
        items = tuple(item for item in read if not isinstance(item, _NoCall))
        no_calls = (remark(RemarkKind.NOT_TAKEN, each.kind, _NO_CALL_IS) for each in read if isinstance(each, _NoCall))
        return Pushed(items, remarks=folded(chain(no_calls, self._unknown(raw, received_at))))

    def _unknown(self, raw: bytes, received_at: int) -> Sequence[Remark]:
        """What items of a post have that nobody knows, where it is time to look."""
        if 0 <= received_at - self._looked_at < _LOOK_EVERY:
            return ()
        self._looked_at = received_at
        with unknown_fields.collecting() as names, suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            for element in self._elements(raw):
                if element.startswith(b"{"):
                    unknown_fields.tell_beside(self._names(element), Payload, PUSHES[self.source.name])
        return unknown_fields.remarks(names)

    def _names(self, element: bytes) -> dict[str, object]:
        """An item's fields, with the values of those alone that are looked into."""
        fields = self._fields.decode(element)
        return {**fields, **{name: self._any.decode(fields[name]) for name in _LOOKED_INTO if name in fields}}

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

    def _decoded_payload(self, element: bytes) -> Payload:
        element.decode()  # what is not looked into may hold anything
        return self._payload.decode(element)

    def _called(self, payload: Payload, received_at: int) -> _Read:
        if isinstance(payload.call_type, str) and NO_CALL.fullmatch(payload.call_type):
            return _NoCall(payload.call_type)
        try:
            return self._request(payload, received_at)
        except Unusable as error:
            return Invalid(error.fields)

    def _request(self, payload: Payload, received_at: int) -> Request:
        happened = when(seconds_to_micros(payload.start), TimeSource.CLIENT, received_at)
        prompt, response = said.request_body(payload), said.response_body(payload)
        model = said.model(payload)
        reading = self._reading(payload, model)
        return Request(
            source=self.source,
            external_id=said.external_id(payload),
            received_at=received_at,
            occurred_at=happened.occurred_at,
            time_source=happened.time_source,
            time_suspect=happened.suspect,
            response_id=said.response_id(payload),
            provider=biller_named(payload.custom_llm_provider),
            model=model,
            status=said.status(payload),
            http_status=said.http_status(payload),
            usage=_usage(payload, reading),
            cost=_cost(payload, reading),
            service_level=reading.service_level,
            inference_geo=reading.inference_geo,
            served_model=None if payload.cached else reading.served_model(model),
            provider_usage=reading.provider_usage,
            unread_usage=reading.unread,
            user_id=said.user(payload),
            session_id=said.session(payload),
            properties=said.properties(payload),
            latency_ms=said.latency(payload),
            ttft_ms=said.milliseconds(payload.start, payload.first_token) if payload.stream is True else None,
            cached=payload.cached,
            request_body=prompt,
            response_body=response,
            body_state=BodyState.STORED if prompt or response else BodyState.NOT_SENT,
        )

    def _reading(self, payload: Payload, model: str | None) -> UsageReading:
        """What LiteLLM's usage object and the response say; of their counts those of the object count.

        Of what is not billed by the token it counts no tokens: then those of the response count.
        """
        sent = bytes(payload.response)
        response = None if sent in NOTHING else self._decoded(sent)
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


def _asked(payload: Payload) -> dict[str, object]:
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


def _usage(payload: Payload, reading: UsageReading) -> Usage:
    if reading.usage.total is not None or reading.usage.units is not None:
        return reading.usage
    own = Usage(prompt=said.tokens(payload, "prompt_tokens"), completion=said.tokens(payload, "completion_tokens"))
    return counted(own, said.status(payload))


def _cost(payload: Payload, reading: UsageReading) -> Cost:
    """The provider's own figure, else LiteLLM's."""
    if reading.cost is not None:
        return Cost(reported=reading.cost, reported_by=Reporter.PROVIDER)
    reported = said.broken_down(payload) or said.reported(payload)
    return Cost(reported=reported, reported_by=None if reported is None else Reporter.GATEWAY)
