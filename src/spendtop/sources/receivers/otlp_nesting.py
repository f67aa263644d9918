"""Calls inside calls: what several spans tell of one call is one request, in whichever order and posts they come.

A framework's span is around that of the client library, which may be around that of the provider's own SDK. A span
ends, and so arrives, after the spans inside it, often in a later post.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.merging import bare_model
from spendtop.domain.request import BodyState, Cost, Request, Status, Usage
from spendtop.sources.receivers import Invalid
from spendtop.sources.receivers.otlp_spans import TraceSpan

MOST_REMEMBERED = 20_000
"""Of the calls that were taken, of spans around them, and of failed calls."""

_Key: TypeAlias = tuple[str, str]
"""Of a span: its trace and itself."""
_OWNER = re.compile(
    r"^(?:[a-z]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|nvidia|openai"
    r"|qwen|stability|writer|zai)\."
)
_VERSION = re.compile(r"-v\d+(?::\d+)?$")


class Reading(Struct, frozen=True):
    """What a span says that looks like a call of a model."""

    item: Request | Invalid
    models: Sequence[str] = ()
    """All names that it has for the model."""


class Settled(Struct, frozen=True):
    """What the spans of a post come to."""

    items: tuple[Request | Invalid, ...]
    around: frozenset[int]
    """Which of the spans have calls inside them that were taken."""


class _Call(Struct, eq=False):
    """A call that was taken: the request it is recorded as, and what tells it from others."""

    external_id: str
    response_id: str | None
    families: frozenset[str]
    prompt: int | None
    completion: int | None
    has_failed: bool
    is_remembered: bool = False
    """Whether it is of an earlier post."""
    inner: _Key | None = None
    """The span inside the first one that told of it, which told the same."""

    @property
    def counts(self) -> tuple[int | None, int | None]:
        return self.prompt, self.completion

    @property
    def is_counted(self) -> bool:
        return self.counts != (None, None)


class _Failure(Struct):
    """A failed call, as one or several instrumentations saw it."""

    call: _Call
    scopes: set[str]
    start: int
    end: int


class Nesting:
    """What is known of calls that were taken. May be used by several threads."""

    def __init__(self) -> None:
        self._inside: dict[_Key, list[_Call]] = {}
        """By span: the calls nearest below it that were taken."""
        self._told_by: dict[_Key, _Call] = {}
        """By span: the call that it told of, or the one that it is inside of."""
        self._failed: dict[_Key, list[_Failure]] = {}
        """By parent: its calls that failed."""
        self._lock = Lock()

    def settle(self, spans: Sequence[TraceSpan], readings: Mapping[int, Reading]) -> Settled:
        """One item per call; `readings` are those of the spans that look like calls, by their place."""
        with self._lock:
            post = _Post(spans, readings)
            told: dict[int, tuple[_Call, list[Request]]] = {}
            places: dict[int, int] = {}
            refused: dict[int, Invalid] = {}
            around = set()
            for place in post.inner_first():
                span, reading = spans[place], readings.get(place)
                inside = self._inside.get(_key(span), [])
                if inside:
                    around.add(place)
                if reading is None:
                    self._pass_up(span, inside)
                elif isinstance(reading.item, Invalid):
                    if not inside:
                        refused[place] = reading.item
                    self._pass_up(span, inside)
                else:
                    call = self._taken(post, place, reading.item, _families(reading.models), inside)
                    if call is None:
                        self._pass_up(span, inside)
                        continue
                    told.setdefault(id(call), (call, []))[1].append(reading.item)
                    places.setdefault(id(call), place)
                    self._pass_up(span, [call] if call.inner or not inside else [*inside, call])
            self._remember_under(post)
            found: dict[int, Request | Invalid] = {**refused}
            for identity, (call, requests) in told.items():
                found[places[identity]] = _one(call, requests)
            for call, _ in told.values():
                call.is_remembered = True
            self._forget()
        return Settled(tuple(found[place] for place in sorted(found)), frozenset(around))

    def _taken(
        self, post: _Post, place: int, request: Request, families: frozenset[str], inside: Sequence[_Call]
    ) -> _Call | None:
        """The call that a span tells of; None where it only sums up what was taken."""
        span = post.spans[place]
        key = _key(span)
        before = self._told_by.get(key) if key[1] else None
        if before is not None:
            return before
        call = _call(request, families)
        inner = _by_id(each for each in inside if each.external_id != call.external_id)
        counted = [each for each in inner if each.is_counted or not each.has_failed] or inner
        if len(counted) == 1 and _is_same(call, counted[0]):
            (same,) = counted
            call = _joined(same, call, key)
        elif len(counted) > 1 or (counted and not call.is_counted):
            return None
        else:
            same_id = next((each for each in inside if each.external_id == call.external_id), None)
            if same_id is not None:
                call = _joined(same_id, call, key)
        if not post.is_inside(place):
            outer = self._told_by.get(post.way_out(place))
            if outer is not None and outer is not call and outer.external_id != call.external_id:
                if outer.inner in (None, key) and _agree(outer, call) and not _contradict(outer.counts, call.counts):
                    outer.inner = key
                    call.external_id, call.response_id = outer.external_id, outer.response_id or call.response_id
                elif outer.inner is None and _agree(outer, call) and _is_within(call, outer):
                    return None
        if call.inner is None and request.status is Status.ERROR and request.response_id is None:
            call = self._failure(span, call)
        if key[1]:
            self._told_by[key] = call
        return call

    def _failure(self, span: TraceSpan, call: _Call) -> _Call:
        """The same failed call as another instrumentation saw it, or this one."""
        siblings = self._failed.setdefault((span.trace_id, span.parent_id), [])
        for each in siblings:
            if (
                span.trace_id
                and span.scope_name not in each.scopes
                and span.start <= each.end
                and each.start <= span.end
                and each.call.families & call.families
                and not _contradict(each.call.counts, call.counts)
            ):
                each.scopes.add(span.scope_name)
                return each.call
        siblings.append(_Failure(call, {span.scope_name}, span.start, span.end))
        return call

    def _pass_up(self, span: TraceSpan, calls: Sequence[_Call]) -> None:
        parent = _parent(span)
        if parent is not None and calls:
            known = self._inside.setdefault(parent, [])
            known += [call for call in calls if not any(call is each for each in known)]

    def _remember_under(self, post: _Post) -> None:
        """Spans inside a call, so that what is inside them is known to be inside that call as well."""
        for place, span in enumerate(post.spans):
            key = _key(span)
            if key[1] and key not in self._told_by:
                call = next((self._told_by[each] for each in post.upwards(place) if each in self._told_by), None)
                if call is not None:
                    self._told_by[key] = call

    def _forget(self) -> None:
        memories: tuple[dict[_Key, Any], ...] = (self._inside, self._told_by, self._failed)
        for memory in memories:
            for key in list(islice(memory, max(0, len(memory) - MOST_REMEMBERED))):
                del memory[key]


class _Post:
    """The spans of a post, and how they are inside each other."""

    def __init__(self, spans: Sequence[TraceSpan], readings: Mapping[int, Reading]) -> None:
        self.spans = spans
        self._places = {_key(span): place for place, span in enumerate(spans) if _key(span)[1]}
        self._calls = {place for place, reading in readings.items() if isinstance(reading.item, Request)}

    def inner_first(self) -> Iterator[int]:
        """All places, each after those of the spans inside it; circles of parents are entered somewhere."""
        below: defaultdict[int, list[int]] = defaultdict(list)
        tops = []
        for place, span in enumerate(self.spans):
            parent = self._places.get(_parent(span) or ("", ""))
            if parent is None or parent == place:
                tops.append(place)
            else:
                below[parent].append(place)
        seen: set[int] = set()
        for top in (*tops, *range(len(self.spans))):
            way = [(top, False)]
            while way:
                place, is_done = way.pop()
                if is_done:
                    yield place
                elif place not in seen:
                    seen.add(place)
                    way.append((place, True))
                    way += [(each, False) for each in reversed(below[place])]

    def upwards(self, place: int) -> Iterator[_Key]:
        """The spans around one, nearest first, up to the first that is not in the post."""
        seen = {place}
        parent = _parent(self.spans[place])
        while parent is not None:
            yield parent
            around = self._places.get(parent)
            if around is None or around in seen:
                return
            seen.add(around)
            parent = _parent(self.spans[around])

    def is_inside(self, place: int) -> bool:
        """Whether a span of the post that looks like a call is around it."""
        return any(self._places.get(key) in self._calls for key in self.upwards(place))

    def way_out(self, place: int) -> _Key:
        """The first span around it that is not in the post."""
        return next((key for key in self.upwards(place) if key not in self._places), ("", ""))


def _one(call: _Call, requests: Sequence[Request]) -> Request:
    """What several spans say of one call. The innermost's word counts: it is nearest to the provider."""
    first, *others = requests
    if call.is_remembered:
        first = _agreeing(first, call.counts)
    for other in others:
        first = _filled(first, other)
    return replace(first, external_id=call.external_id, response_id=call.response_id or first.response_id)


def _filled(first: Request, other: Request) -> Request:
    other = _agreeing(other, (first.usage.prompt, first.usage.completion))
    filled = {
        name: getattr(first, name) if getattr(first, name) is not None else getattr(other, name)
        for name in (
            "provider",
            "model",
            "http_status",
            "user_id",
            "session_id",
            "latency_ms",
            "ttft_ms",
            "request_body",
            "response_body",
        )
    }
    counts = {
        name: getattr(other.usage, name) if getattr(first.usage, name) is None else getattr(first.usage, name)
        for name in Usage.__struct_fields__
    }
    is_kept = BodyState.STORED in (first.body_state, other.body_state)
    return replace(
        first,
        **filled,
        usage=Usage(**counts),
        cost=first.cost if first.cost.reported is not None else other.cost,
        properties={**(other.properties or {}), **(first.properties or {})} or None,
        body_state=BodyState.STORED if is_kept else first.body_state,
    )


def _agreeing(request: Request, counts: tuple[int | None, int | None]) -> Request:
    """The report without what it counted, where that contradicts these counts."""
    if _contradict((request.usage.prompt, request.usage.completion), counts):
        return replace(request, usage=Usage(), cost=Cost())
    return request


def _call(request: Request, families: frozenset[str]) -> _Call:
    return _Call(
        external_id=request.external_id,
        response_id=request.response_id,
        families=families,
        prompt=request.usage.prompt,
        completion=request.usage.completion,
        has_failed=request.status is Status.ERROR,
    )


def _joined(inner: _Call, outer: _Call, key: _Key) -> _Call:
    """The inner call, which the outer span tells of as well. Its id stays once it was reported."""
    if not inner.is_remembered and inner.response_id is None and outer.response_id is not None:
        inner.external_id = outer.external_id
    inner.response_id = inner.response_id or outer.response_id
    inner.families |= outer.families
    if not _contradict(inner.counts, outer.counts):
        inner.prompt = outer.prompt if inner.prompt is None else inner.prompt
        inner.completion = outer.completion if inner.completion is None else inner.completion
    inner.inner = inner.inner or key
    return inner


def _by_id(calls: Iterable[_Call]) -> list[_Call]:
    return list({call.external_id: call for call in calls}.values())


def _is_same(outer: _Call, inner: _Call) -> bool:
    """Whether a span tells of the one call inside it. A name that an application made up for a model is no family."""
    if _agree(outer, inner):
        return True
    return None not in outer.counts and outer.counts == inner.counts != (0, 0)


def _agree(one: _Call, other: _Call) -> bool:
    return not one.families or not other.families or not one.families.isdisjoint(other.families)


def _contradict(counts: tuple[int | None, int | None], others: tuple[int | None, int | None]) -> bool:
    return any(a is not None and b is not None and a != b for a, b in zip(counts, others, strict=True))


def _is_within(inner: _Call, outer: _Call) -> bool:
    """Whether the outer counts can be a sum that the inner ones are in."""
    pairs = zip(inner.counts, outer.counts, strict=True)
    return outer.is_counted and all(a is None or (b is not None and a <= b) for a, b in pairs)


def _families(models: Iterable[str]) -> frozenset[str]:
    return frozenset(bare_model(_VERSION.sub("", _OWNER.sub("", each.lower().rpartition("/")[2]))) for each in models)


def _key(span: TraceSpan) -> _Key:
    """Without a trace or an id of its own, it is no span that others can name."""
    return (span.trace_id, span.span_id) if span.trace_id and span.span_id else ("", "")


def _parent(span: TraceSpan) -> _Key | None:
    is_inside = span.trace_id and span.parent_id and span.parent_id != span.span_id
    return (span.trace_id, span.parent_id) if is_inside else None
