"""Spans that Anthropic's API pushes itself: each request once, whatever the model runs inside it carry.

A request's span is of a server, and what runs inside it is repeated below it. In a managed session the turn only sums
up its model requests, and ends after them. Spans come in any order, in any number of posts, and again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from itertools import islice
from threading import Lock
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import MINUTE
from spendtop.domain.requests.request import Request, Status, TimeSource, Usage, WaitedFor, Waiting
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OTLP, Source
from spendtop.sources.receivers import Invalid, Item
from spendtop.sources.receivers.otlp import attributes as read
from spendtop.sources.receivers.otlp.calls import is_call
from spendtop.sources.receivers.otlp.requests import ANTHROPIC_REQUEST, anthropic_request_id, call_of, span_id, trial
from spendtop.sources.receivers.otlp.spans import SERVER, Attributes, TraceSpan
from spendtop.sources.receivers.otlp.tree import MOST_LEVELS, NO_SPAN, SpanKey, key_of, parent_of

HELD_FOR = 10 * MINUTE
"""So long a model run waits for the span around it."""
MOST_REMEMBERED = 20_000
"""Spans that may be around others, and requests that wait for their usage or for what is around them."""

_SCOPE = "com.anthropic.claude-platform"
_TEST = "anthropic.test"
_TURN = "invoke_agent"
_OF_A_SESSION = ("anthropic.session.id", "gen_ai.agent.id")
_PROPERTIES = (
    "anthropic.workspace.id",
    "anthropic.organization.id",
    ANTHROPIC_REQUEST,
    "gen_ai.agent.id",
    "gen_ai.agent.name",
)
_SERVER_TOOL = "srvtoolu_"
"""Begins the ids of calls of tools that the API runs itself."""
_MESSAGES = (".messages", ".system_instructions", ".tool.definitions")
_LIFETIMES = ("cache_write_5m_tokens", "cache_write_1h_tokens")


class _Role(Enum):
    """What a span is to those inside it."""

    REQUEST = auto()
    """It is counted, so they are not."""
    RUN = auto()
    """A model's, inside something else."""
    TURN = auto()
    """It sums them up, so they are counted."""
    DOOR = auto()
    """The API begins here; what is around it is the caller's."""
    OTHER = auto()


class _Known(Struct, frozen=True):
    """What is remembered of a span."""

    role: _Role
    parent: SpanKey


class _Held(Struct, frozen=True):
    """A model run inside a span that nobody told of yet."""

    run: Request
    parent: SpanKey
    since: int
    is_of_session: bool
    """Whether it is a managed session's: only turns are around these, and end much later."""


class _Told(Struct, frozen=True):
    """What the store keeps of a model run that waits."""

    span: TraceSpan
    received_at: int
    token: str = ""
    """The tracking token that it came under, if any."""


class _Bare(Struct, frozen=True):
    """A request whose span says nothing of what was used."""

    request: Request
    runs: dict[SpanKey, Usage]
    """What its model runs say."""


def is_by_anthropic(span: TraceSpan) -> bool:
    """Whether the API wrote the span, and not a client of it."""
    return span.scope_name == _SCOPE


class AnthropicSpans:
    """What is known of the spans that were told. May be used by several threads."""

    def __init__(self) -> None:
        self._known: dict[SpanKey, _Known] = {}
        self._held: dict[SpanKey, _Held] = {}
        self._bare: dict[SpanKey, _Bare] = {}
        self._lock = Lock()

    def items(self, spans: Sequence[TraceSpan], received_at: int, token: str = "") -> list[Item]:
        """What is to be recorded once these spans are known; the runs that waited are among it, under the tracking
        tokens that they came with, and those that wait from now on."""
        if not spans:
            return []
        stated = [read.readable(span.attributes) for span in spans]
        roles = [_role(span, attributes) for span, attributes in zip(spans, stated, strict=True)]
        with self._lock:
            for span, role in zip(spans, roles, strict=True):
                if key_of(span) != NO_SPAN:
                    self._known[key_of(span)] = _Known(role, parent_of(span))
            items: list[Item] = []
            waited = set(self._held)
            for span, attributes, role in zip(spans, stated, roles, strict=True):
                if span.name == _TEST:
                    items.append(trial(ANTHROPIC_PUSH, span, received_at))
                elif role in (_Role.REQUEST, _Role.RUN):
                    items += self._call(span, attributes, role, received_at, token)
            items += self._settled(received_at, waited)
            for span in spans:
                if key_of(span) in self._held:
                    bare, whole = (
                        msgspec.json.encode(_Told(each, received_at, token)).decode()
                        for each in (_without_messages(span), span)
                    )
                    items.append(Waiting(name=_named(key_of(span)), told=bare, whole=whole))
            items += self._forget()
        return items

    def recall(self, told: Mapping[str, str], now: int) -> None:
        """Have exactly these runs wait, by name, besides those of the last minute, which may be on their way there."""
        with self._lock:
            held = {key: each for key, each in self._held.items() if _named(key) in told or now - each.since < MINUTE}
            for name, value in told.items():
                kept = msgspec.json.decode(value, type=_Told)
                key, attributes = key_of(kept.span), read.readable(kept.span.attributes)
                if name == _named(key) and key not in held:
                    run = replace(_request(kept.span, attributes, _Role.RUN, kept.received_at), token=kept.token)
                    held[key] = _Held(run, parent_of(kept.span), kept.received_at, is_of_session=False)
                    self._known.setdefault(key, _Known(_Role.RUN, parent_of(kept.span)))
            self._held = held

    def overdue(self, now: int) -> list[Item]:
        """The runs that have waited long enough, as requests."""
        with self._lock:
            return list(self._settled(now, set(self._held)))

    def _call(
        self, span: TraceSpan, attributes: Attributes, role: _Role, received_at: int, token: str
    ) -> Iterator[Item]:
        try:
            call = _request(span, attributes, role, received_at)
        except read.CannotTake as problem:
            yield Invalid(problem.fields)
            return
        key = key_of(span)
        if role is _Role.RUN and key != NO_SPAN:
            is_of_session = read.text(attributes, _OF_A_SESSION) is not None
            run = replace(call, token=token)
            self._held.setdefault(key, _Held(run, parent_of(span), received_at, is_of_session))
            return
        if not call.usage.is_known and key != NO_SPAN:
            self._bare.setdefault(key, _Bare(call, {}))
        yield call

    def _settled(self, now: int, waited: Collection[SpanKey]) -> Iterator[Item]:
        """The runs of which it is known by now that they count, and requests of which a run says what they used; with
        those of `waited` that wait no more."""
        for key, held in list(self._held.items()):
            around = self._around(key)
            if around is None and now - held.since < HELD_FOR and not held.is_of_session:
                continue
            del self._held[key]
            if key in waited:
                yield WaitedFor(name=_named(key))
            if around is None and not held.is_of_session:
                yield _alone(held)
            elif around is None or around[0] in (_Role.TURN, _Role.DOOR):
                yield held.run
            elif (bare := self._bare.get(around[1])) is not None and held.run.usage.is_known:
                bare.runs[key] = held.run.usage
                yield _with_usage(bare, held.run)

    def _around(self, key: SpanKey) -> tuple[_Role, SpanKey] | None:
        """What decides about a run: the nearest span around it that is more than a tool; None while that may come."""
        parent = self._known[key].parent if key in self._known else NO_SPAN
        for _ in range(MOST_LEVELS):
            if parent == NO_SPAN:
                break
            known = self._known.get(parent)
            if known is None:
                return None
            if known.role is not _Role.OTHER:
                return known.role, parent
            parent = known.parent
        return _Role.DOOR, NO_SPAN

    def _forget(self) -> Iterator[Item]:
        """Remember no more than that; the runs that have waited longest wait no more."""
        for key in list(islice(self._held, max(0, len(self._held) - MOST_REMEMBERED))):
            yield WaitedFor(name=_named(key))
            yield _alone(self._held.pop(key))
        memories: tuple[dict[SpanKey, Any], ...] = (self._known, self._bare)
        for memory in memories:
            for key in list(islice(memory, max(0, len(memory) - MOST_REMEMBERED))):
                del memory[key]


def _alone(held: _Held) -> Request:
    """A run that waited in vain; it joins its request when that comes after all."""
    return replace(held.run, other_ids=((ANTHROPIC_PUSH, _named(held.parent)),))


def _without_messages(span: TraceSpan) -> TraceSpan:
    attributes = {name: value for name, value in span.attributes.items() if not name.endswith(_MESSAGES)}
    return replace(span, attributes=attributes, events=())


def _role(span: TraceSpan, attributes: Attributes) -> _Role:
    if attributes.get("gen_ai.operation.name") == _TURN:
        return _Role.TURN
    if is_call(span, attributes):
        return _Role.REQUEST if span.kind == SERVER else _Role.RUN
    return _Role.DOOR if span.kind == SERVER else _Role.OTHER


def _request(span: TraceSpan, attributes: Attributes, role: _Role, received_at: int) -> Request:
    """Raises CannotTake."""
    call = call_of(span, attributes, received_at).request
    is_request = role is _Role.REQUEST
    status = call.status
    if status is Status.OK and not span.has_succeeded:
        status = Status.CANCELLED
    asked_as = anthropic_request_id(attributes) if is_request else None
    http_status = 200 if is_request and call.http_status is None and status is Status.OK else call.http_status
    stated = {name: read.text(attributes, (name,)) for name in _PROPERTIES}
    return replace(
        call,
        source=ANTHROPIC_PUSH,
        external_id=call.response_id or asked_as or span_id(span),
        other_ids=tuple(_other_ids(span, asked_as)) if is_request else (),
        time_source=TimeSource.PROVIDER if call.time_source is TimeSource.CLIENT else call.time_source,
        provider=call.provider or ANTHROPIC_PUSH.provider,
        status=status,
        http_status=http_status,
        usage=_with_searches(_whole(call.usage), attributes),
        properties={**(call.properties or {}), **{name: value for name, value in stated.items() if value}} or None,
    )


def _other_ids(span: TraceSpan, asked_as: str | None) -> Iterator[tuple[Source, str]]:
    """Also by its span, by which a run is known that waited for it in vain: it joins its request then."""
    if asked_as is not None:
        yield ANTHROPIC_PUSH, asked_as
        yield OTLP, asked_as
        yield OTLP, asked_as.partition(":")[2]  # as Claude Code's own telemetry names it
    if key_of(span) != NO_SPAN:
        yield ANTHROPIC_PUSH, _named(key_of(span))


def _named(key: SpanKey) -> str:
    return "-".join(key)


def _whole(usage: Usage) -> Usage:
    """Without lifetimes of writes that are those of the last model run only."""
    units = usage.units or {}
    lifetimes = [units[unit] for unit in _LIFETIMES if unit in units]
    if not lifetimes or sum(lifetimes) == usage.cache_write:
        return usage
    return replace(usage, units={unit: each for unit, each in units.items() if unit not in _LIFETIMES} or None)


def _with_searches(usage: Usage, attributes: Attributes) -> Usage:
    """With the searches of the web, which are paid for each; they are told by the answer alone, where that is sent."""
    messages = read.opened(attributes.get("gen_ai.output.messages"))
    parts = [
        part
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict) and isinstance(message.get("parts"), list)
        for part in message["parts"]
        if isinstance(part, dict) and part.get("name") == "web_search"
    ]
    searches = {id for part in parts if isinstance(id := part.get("id"), str) and id.startswith(_SERVER_TOOL)}
    if not searches or "web_searches" in (usage.units or {}):
        return usage
    return replace(usage, units={**(usage.units or {}), "web_searches": len(searches)})


def _with_usage(bare: _Bare, run: Request) -> Request:
    """The request with the sum of what its runs used."""
    return replace(bare.request, usage=_sum(bare.runs.values()), model=bare.request.model or run.model)


def _sum(usages: Iterable[Usage]) -> Usage:
    total: dict[str, Any] = {}
    units: dict[str, int | float] = {}
    for usage in usages:
        for name in ("prompt", "completion", "cache_read", "cache_write", "reasoning"):
            count = getattr(usage, name)
            if count is not None:
                total[name] = total.get(name, 0) + count
        for unit, quantity in (usage.units or {}).items():
            units[unit] = units.get(unit, 0) + quantity
    return Usage(**total, units=units or None)
