"""LiteLLM's `StandardLoggingPayload`: which of its fields are ours to read, and what they say."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import seconds_to_micros
from spendtop.domain.usage import count

NOBODY = "default_user_id"
"""The user of the proxy's master key."""
CLIENT_LEFT = 499
"""The proxy's code for a stream that its client broke off; what was sent until then is a success with a cost."""
USER_AGENT = "User-Agent:"
GENERATED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A trace id that LiteLLM made, a new one for each call."""
_STATUS = re.compile("[1-5][0-9]{2}")
_MESSAGES = re.compile(rb"\[\s*\{")
NOTHING = (b"", b"null", b"{}", b'""', b"[]")

_Number: TypeAlias = int | float | None
_Object: TypeAlias = dict[str, object] | None


class _CallMetadata(Struct, gc=False):
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


class Payload(Struct, gc=False):
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
    metadata: _CallMetadata | None = None
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
    def known(self) -> _CallMetadata:
        return self.metadata or _CallMetadata()

    @property
    def error(self) -> _ErrorInformation:
        return self.error_information or _ErrorInformation()


class Unusable(Exception):
    """Why nothing can be made of an item."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field)
        self.fields = {field: problem}


def external_id(payload: Payload) -> str:
    """The call's id. A proxy that tries again keeps it, so a failed try must not hide the call that succeeded."""
    call_id = payload.litellm_call_id or payload.id
    if not call_id:
        raise Unusable("litellm_call_id", "is missing")
    return f"{call_id}:failed" if payload.failed else call_id


def response_id(payload: Payload) -> str | None:
    """The provider's id. A cache hit repeats that of the request that filled the cache, so it tells nothing."""
    if payload.failed or payload.cached or payload.id == payload.litellm_call_id:
        return None
    return provider_response_id(payload.id) or None


def model(payload: Payload) -> str | None:
    return (payload.model or "").removeprefix(f"{payload.custom_llm_provider}/") or None


def tokens(payload: Payload, field: str) -> int | None:
    value = getattr(payload, field)
    whole = count(value)
    if whole is None and value is not None:
        raise Unusable(field, "has to be a whole number of tokens, 0 or more")
    return whole


def broken_down(payload: Payload) -> Usd | None:
    """The sum of the cost's parts, where there are any and it is an amount."""
    parts = payload.cost_breakdown if isinstance(payload.cost_breakdown, dict) else {}
    total = parts.get("total_cost")
    if not (type(total) is float or type(total) is int) or total <= 0:
        return None
    try:
        return Usd.of(repr(total))
    except ValueError:
        return None


def reported(payload: Payload) -> Usd | None:
    """The exact decimal that LiteLLM's number spells, also in quotes."""
    spelled = bytes(payload.response_cost).decode().strip('"')
    if spelled in ("", "null"):
        return None
    try:
        return Usd.of(spelled)
    except ValueError:
        raise Unusable("response_cost", "has to be an amount in USD") from None


def user(payload: Payload) -> str | None:
    known = payload.known
    key_user = _name(known.user_api_key_user_id)
    return (
        _name(payload.end_user)
        or _name(known.user_api_key_end_user_id)
        or _name((payload.model_parameters or {}).get("user"))
        or (key_user if key_user != NOBODY else None)
    )


def session(payload: Payload) -> str | None:
    """The session; most versions put it into `trace_id`, where calls without one have a random id of their own.

    So a session with such an id is only known where the proxy says that its client named it.
    """
    if payload.session_id:
        return payload.session_id
    if payload.trace_id and not GENERATED.fullmatch(payload.trace_id):
        return payload.trace_id
    named = payload.known.requester_metadata
    return _name(named.get("session_id")) if isinstance(named, dict) else None


def properties(payload: Payload) -> dict[str, str] | None:
    tags = [tag for tag in payload.request_tags or () if isinstance(tag, str) and not tag.startswith(USER_AGENT)]
    known = payload.known
    named = {
        "tags": ", ".join(tags),
        "key_alias": _name(known.user_api_key_alias),
        "team_alias": _name(known.user_api_key_team_alias),
    }
    return {each: value for each, value in named.items() if value} or None


def status(payload: Payload) -> Status:
    if http_status(payload) == CLIENT_LEFT:
        return Status.CANCELLED
    return Status.ERROR if payload.failed else Status.OK


def http_status(payload: Payload) -> int | None:
    code = payload.error.error_code
    return int(str(code)) if code and _STATUS.fullmatch(str(code)) else None


def request_body(payload: Payload) -> bytes | None:
    """The prompt as its provider takes it: LiteLLM sends the messages, or the text, alone."""
    sent = bytes(payload.messages)
    if sent in NOTHING:
        return None
    if sent.startswith(b"{"):
        return sent
    return b'{"%b":%b}' % (b"messages" if _MESSAGES.match(sent) else b"input", sent)


def response_body(payload: Payload) -> bytes | None:
    sent = bytes(payload.response)
    if sent not in NOTHING:
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


def latency(payload: Payload) -> int | None:
    """Until the end of the answer; `response_time` ends at the first token of a stream."""
    whole = milliseconds(payload.start, payload.end)
    return milliseconds(0, payload.response_time) if whole is None else whole


def milliseconds(start: _Number, end: _Number) -> int | None:
    """From one instant in seconds to a later one."""
    since, until = seconds_to_micros(start), seconds_to_micros(end)
    return round((until - since) / 1000) if since is not None and until is not None and until >= since else None
