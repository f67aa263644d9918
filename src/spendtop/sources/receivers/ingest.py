"""Client push: what applications post themselves, one request or an array of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from spendtop.config.types import duration_text
from spendtop.domain.billers import biller_named
from spendtop.domain.known_names import unknown_name
from spendtop.domain.money import Usd, written_amount
from spendtop.domain.requests.request import SAME_CONTENT, BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import NEWEST
from spendtop.domain.sources.records import INGEST, PushedSource
from spendtop.domain.usage import UsageReading, read_response
from spendtop.sources.receivers import Described, Invalid, NotJson, Post, Pushed, Schema, Unreadable
from spendtop.sources.receivers.ingest_fields import (
    BODIES,
    FLAT_COUNTS,
    ITEM_SCHEMA,
    LONGEST_ID,
    NO_COUNT,
    NO_OBJECT,
    OLDER_ITEM_SCHEMA,
    READERS,
    Wrong,
    is_identifier,
    is_zoneless_time,
)
from spendtop.sources.settings import IngestSettings

MOST_ITEMS = 5_000
MOST_HINTS = 20

_NO_TOKENS = "is missing: give prompt_tokens and completion_tokens, or a usage object, or cost_usd"
_PART_OF_PROMPT = "is a part of prompt_tokens: together the parts cannot be more than the whole"
_PART_OF_COMPLETION = "is a part of completion_tokens: it cannot be more than the whole"
_FLAT = frozenset({*FLAT_COUNTS, "total_tokens"})
_COUNTS = tuple(FLAT_COUNTS.values())
_GROUNDS = frozenset({*_FLAT, "usage", "cost_usd", "status"})
"""Fields that say what a request used, or that it need not have used anything."""
_MISSING = {
    "tracking_token": "is missing: `spendtop token create NAME` makes one",
    "model": "is missing",
}
_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The identity of what has no `request_id`: sent again, it is a duplicate.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
}
_BODY: Schema = {"anyOf": [ITEM_SCHEMA, {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": ITEM_SCHEMA}]}
_OLDER_BODY: Schema = {
    "anyOf": [
        OLDER_ITEM_SCHEMA,
        {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": OLDER_ITEM_SCHEMA},
    ]
}
_EXAMPLE: Schema = {"tracking_token": "app-1", "model": "gpt-4o", "prompt_tokens": 1000, "completion_tokens": 100}


class IngestReceiver:
    source: ClassVar[PushedSource] = INGEST
    largest: ClassVar[int] = 8 * 1024 * 1024
    unpacks: ClassVar[bool] = False
    described: ClassVar[Described] = Described(
        summary="Records one request, or an array of them; the answer comes after the durable commit.",
        content={"application/json": {"schema": _BODY, "examples": {"one": {"value": _EXAMPLE}}}},
        older_content={"application/json": {"schema": _OLDER_BODY, "examples": {"one": {"value": _EXAMPLE}}}},
        parameters=(_IDEMPOTENCY_KEY,),
    )

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder()

    def read(self, post: Post) -> Pushed:
        """One request or an array of them; several Idempotency-Keys are as good as an empty one."""
        settings = post.settings.section(IngestSettings)
        times = TimeRule(settings.max_age)
        if post.path in INGEST.older_paths or settings.naive_times == "utc":
            times = TimeRule(settings.max_age, post.settings.retention.requests, takes_zoneless=True)
        key, token = _only(post.header(b"idempotency-key")), _only(post.header(b"x-tracking-token"))
        return self.parse(post.raw, post.received_at, times, key, token)

    def parse(
        self,
        raw: bytes,
        received_at: int,
        times: TimeRule,
        idempotency_key: str | None = None,
        tracking_token: str | None = None,
    ) -> Pushed:
        """What one post says, item by item; `received_at` in UTC µs. The token is that of items that name none.

        Raises NotJson and Unreadable.
        """
        if idempotency_key is not None and not is_identifier(idempotency_key):
            raise Unreadable(
                "bad_idempotency_key", f"Idempotency-Key has to be 1 to {LONGEST_ID} printable characters."
            )
        if tracking_token is not None and not is_identifier(tracking_token):
            raise Unreadable(
                "bad_tracking_token", f"X-Tracking-Token has to be 1 to {LONGEST_ID} printable characters."
            )
        post = _Post(received_at, times, idempotency_key, tracking_token)
        try:
            return _pushed(self._decoded(raw), post)
        except RecursionError:
            raise NotJson("The body is nested too deeply") from None

    def _decoded(self, raw: bytes) -> object:
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _decoded_with_marks(raw)


class TimeRule(Struct, frozen=True):
    """Which times of a client are taken, and which of them without a doubt."""

    max_age: int
    """µs; what lies further back is refused, or taken with a doubt."""
    taken_until: int | None = None
    """µs up to which older ones are taken with a doubt; None refuses them."""
    takes_zoneless: bool = False
    """Whether a time without a zone is taken as UTC, with a doubt."""


class _Post(Struct, frozen=True):
    """What holds for all items of a post."""

    received_at: int
    times: TimeRule
    idempotency_key: str | None
    tracking_token: str | None


class _NotFinite:
    """Stands for NaN, Infinity or a number too large for any type. No field takes it."""


def _decoded_with_marks(raw: bytes) -> object:
    """A document that would be JSON but for numbers that are not finite. Raises NotJson for all others."""
    marks: list[_NotFinite] = []

    def mark(_: str) -> _NotFinite:
        marks.append(_NotFinite())
        return marks[-1]

    def number(text: str) -> float | _NotFinite:
        value = float(text)
        return value if isfinite(value) else mark(text)

    try:
        document: object = json.loads(raw.decode(), parse_float=number, parse_constant=mark)
        msgspec.json.encode(document, enc_hook=lambda mark: None)  # fails on half a surrogate pair, which json takes
    except ValueError:
        raise NotJson("The body is not JSON") from None
    if not marks:
        raise NotJson("The body is not JSON")
    return document


def _pushed(document: object, post: _Post) -> Pushed:
    key = None if post.idempotency_key is None else f"idempotency-key:{post.idempotency_key}"
    if isinstance(document, dict):
        return Pushed((_item(document, post, key),), is_batch=False, hints=_hints(_unread(document)))
    if not isinstance(document, list):
        raise Unreadable("not_an_object", "Post one object, or an array of objects.")
    if not document:
        raise Unreadable("empty_batch", "The array is empty. Post at least one object.")
    if len(document) > MOST_ITEMS:
        raise Unreadable("too_many_items", f"Post at most {MOST_ITEMS:,} objects at once.", status=413)
    return Pushed(
        tuple(_item(item, post, key and f"{key}/{index}") for index, item in enumerate(document)),
        hints=_hints({field for item in document if isinstance(item, dict) for field in _unread(item)}),
    )


def _unread(item: dict[str, object]) -> set[str]:
    """Its fields that are not known here."""
    return {field for field in item.keys() - READERS.keys() if item[field] is not None}


def _hints(unknown: set[str]) -> dict[str, str]:
    """What was probably meant by fields that are not known here; some of them, where they are many."""
    return dict(map(_hint, sorted(unknown)[:MOST_HINTS]))


@lru_cache(maxsize=256)
def _hint(field: str) -> tuple[str, str]:
    return unknown_name(field, READERS, "item")


def _item(item: object, post: _Post, key: str | None) -> Request | Invalid:
    """One request; `key` is its identity by the post's Idempotency-Key."""
    if not isinstance(item, dict):
        return Invalid({"item": NO_OBJECT})
    is_zoneless = post.times.takes_zoneless and is_zoneless_time(item.get("timestamp"))
    fields, problems = _read({**item, "timestamp": f"{item['timestamp']}Z"} if is_zoneless else item)
    if post.tracking_token is not None and item.get("tracking_token") is None:
        fields["tracking_token"] = post.tracking_token
    for field, lack in _MISSING.items():
        if field not in fields:
            problems.setdefault(field, lack)
    if "timestamp" in fields and (problem := _problem_of_time(fields["timestamp"], post)):
        problems["timestamp"] = problem
    reading = _reading(item, fields)
    if "usage" in fields:
        problems |= {f"usage.{name}": NO_COUNT for name in reading.miscounted}
    usage = _usage(fields, reading)
    if not any(field.partition(".")[0] in _GROUNDS for field in problems):
        problems |= _problems_of_usage(fields, usage, reading)
    if problems:
        return Invalid(_hints(_unread(item)) | problems)
    return _request(item, fields, usage, reading, post, key, is_zoneless)


def _read(item: dict[str, object]) -> tuple[dict[str, Any], dict[str, str]]:
    """The known fields in their one form, and what is wrong with the others. A null says nothing."""
    fields: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field, value in item.items():
        read = READERS.get(field)
        if read is None or value is None:
            continue
        try:
            fields[field] = read(value)
        except Wrong as wrong:
            problems.update({field + part: message for part, message in wrong.parts.items()})
    return fields, problems


def _request(
    item: dict[str, object],
    fields: dict[str, Any],
    usage: Usage,
    reading: UsageReading,
    post: _Post,
    key: str | None,
    is_zoneless: bool,
) -> Request:
    at: int | None = fields.get("timestamp")
    is_old = at is not None and at < post.received_at - post.times.max_age
    own_id = fields.get("request_id", key)
    return Request(
        source=INGEST,
        external_id=own_id or _assumed_id(fields, usage),
        received_at=post.received_at,
        occurred_at=post.received_at if at is None else at,
        time_source=TimeSource.RECEIVED if at is None else TimeSource.CLIENT,
        time_suspect=is_old or is_zoneless,
        response_id=provider_response_id(fields.get("response_id")),
        provider=biller_named(fields.get("provider")),
        model=fields["model"],
        status=fields.get("status", Status.OK),
        usage=usage,
        cost=_cost(fields.get("cost_usd"), reading),
        service_level=reading.service_level,
        inference_geo=reading.inference_geo,
        served_model=reading.served_model(fields["model"]),
        provider_usage=reading.provider_usage,
        unread_usage=reading.unread,
        user_id=fields.get("user_id"),
        session_id=fields.get("session_id"),
        session_path=fields.get("session_path"),
        token=fields["tracking_token"],
        properties=fields.get("properties") or None,
        latency_ms=fields.get("latency_ms"),
        request_body=fields.get("request_body"),
        response_body=fields.get("response_body"),
        body_state=BodyState.NOT_SENT if fields.keys().isdisjoint(BODIES) else BodyState.STORED,
        content=None if own_id is None else _content(item, fields, reading),
    )


def _cost(cost_usd: Usd | None, reading: UsageReading) -> Cost:
    """A provider's own figure comes before its client's."""
    if reading.cost is not None:
        return Cost(reported=reading.cost, reported_by=Reporter.PROVIDER)
    return Cost(reported=cost_usd, reported_by=None if cost_usd is None else Reporter.CLIENT)


def _assumed_id(fields: dict[str, Any], usage: Usage) -> str:
    """The identity of a request without id: what it says, where it says when; else none but its own.

    Two answers of a provider are two requests, however alike.
    """
    if "timestamp" not in fields:
        return f"post:{uuid4().hex}"
    said = _stated(fields, usage)
    content = (fields["model"], fields.get("user_id"), said, fields["timestamp"], fields.get("response_id"))
    return SAME_CONTENT + blake2b(msgspec.json.encode(content), digest_size=16).hexdigest()


def _stated(fields: dict[str, Any], usage: Usage) -> Raw:
    """Usage as an identity has it. A response takes part only where nothing else says the tokens."""
    if "usage" not in fields and not fields.keys().isdisjoint(_FLAT):
        return _as_identity(_flat(fields, Usage()))
    return _as_identity(usage)


def _as_identity(usage: Usage) -> Raw:
    """Units only where there are some, so that what was pushed to a version without them is known again."""
    counts = {name: getattr(usage, name) for name in _COUNTS}
    units = {} if usage.units is None else {"units": dict(sorted(usage.units.items()))}
    return Raw(msgspec.json.encode(counts | units))


def _content(item: dict[str, object], fields: dict[str, Any], reading: UsageReading) -> bytes:
    """Digest of all that an item says, however it is written."""
    decoded = {field: item[field] for field in BODIES if field in fields}
    if "usage" in fields:
        decoded["usage"] = _as_identity(reading.usage)
    said = msgspec.json.encode({**fields, **decoded}, enc_hook=written_amount, order="deterministic")
    return blake2b(said, digest_size=16).digest()


def _problem_of_time(at: int, post: _Post) -> str | None:
    if at > post.received_at + NEWEST:
        return (
            f"lies more than {duration_text(NEWEST)} ahead of the time here; "
            "set the sender's clock, or bring such data in with `spendtop import`"
        )
    times = post.times
    oldest = times.max_age if times.taken_until is None else max(times.max_age, times.taken_until)
    if at < post.received_at - oldest:
        return f"lies more than {duration_text(oldest)} back; bring old data in with `spendtop import`"
    return None


def _only(values: Sequence[bytes]) -> str | None:
    """The value of a header; several are as good as an empty one."""
    if not values:
        return None
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _reading(item: dict[str, object], fields: dict[str, Any]) -> UsageReading:
    """What the usage object and the response say; of their counts those of the object count."""
    response = item.get("response_body")
    usage = fields.get("usage")
    if usage is not None:
        response = {**response, "usage": usage} if isinstance(response, dict) else {"usage": usage}
    return read_response(response, item.get("request_body"), biller_named(fields.get("provider")), fields.get("model"))


def _usage(fields: dict[str, Any], reading: UsageReading) -> Usage:
    """The flat counts, and what they leave open from what was read.

    Parts of a response's counts are none of other sums; what it bills besides tokens stays.
    """
    if fields.keys().isdisjoint(_FLAT):
        return reading.usage
    usage, answered = _flat(fields, reading.usage), reading.usage
    if "usage" in fields or (usage.prompt, usage.completion) == (answered.prompt, answered.completion):
        return usage
    calls = {unit: count for unit, count in (answered.units or {}).items() if not unit.endswith("_tokens")}
    return _flat(fields, Usage(units=calls or None))


def _flat(fields: dict[str, Any], usage: Usage) -> Usage:
    """`usage` with the flat counts in it."""
    flat = {name: fields[field] for field, name in FLAT_COUNTS.items() if field in fields}
    usage = replace(usage, **flat)
    total: int | None = fields.get("total_tokens")
    return usage if total is None else _completed(usage, total)


def _completed(usage: Usage, total: int) -> Usage:
    """With what follows from the total."""
    prompt, completion = usage.prompt, usage.completion
    if prompt is None:
        prompt = max(0, total - (completion or 0))
    elif completion is None:
        completion = max(0, total - prompt)
    elif usage.reasoning and total == prompt + completion + usage.reasoning:
        completion += usage.reasoning  # counted beside the completion, not in it
    completed: Usage = replace(usage, prompt=prompt, completion=completion)
    return completed


def _problems_of_usage(fields: dict[str, Any], usage: Usage, reading: UsageReading) -> dict[str, str]:
    """Counts that are missing, and flat counts that cannot be true together. A provider's `usage` is taken as it is."""
    problems = {}
    total: int | None = fields.get("total_tokens")
    if total is not None and total < fields.get("prompt_tokens", 0) + fields.get("completion_tokens", 0):
        problems["total_tokens"] = "is less than prompt_tokens and completion_tokens together"
    if (usage.cache_read or 0) + (usage.cache_write or 0) > (usage.prompt or 0):
        parts = ("cached_tokens", "cache_write_tokens")
        problems |= {field: _PART_OF_PROMPT for field in parts if field in fields}
    if fields.get("reasoning_tokens", 0) > (usage.completion or 0):
        problems["reasoning_tokens"] = _PART_OF_COMPLETION
    is_used = fields.get("status", Status.OK) is Status.OK
    is_known = usage.total is not None or usage.units is not None or reading.cost is not None
    if is_used and not problems and not is_known and "cost_usd" not in fields:
        problems["prompt_tokens"] = _NO_TOKENS
    return problems
