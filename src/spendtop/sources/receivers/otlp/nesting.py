"""Calls inside calls: what several spans tell of one call is one request, in whichever order and posts they come.

A framework's span is around that of the client library, which may be around that of the provider's own SDK. A span
ends, and so arrives, after the spans inside it, often in a later post.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.reports.merging import bare_model
from spendtop.domain.requests.request import Request, Status
from spendtop.sources.receivers import Invalid
from spendtop.sources.receivers.otlp.reports import Counts, contradict, one_report
from spendtop.sources.receivers.otlp.spans import TraceSpan
from spendtop.sources.receivers.otlp.tree import NO_SPAN, SpanKey, SpanTree

MOST_REMEMBERED = 20_000
"""Of the calls that were taken, of spans around them, and of failed calls."""

_MOST_INSIDE = 100
"""Calls that are told apart below one span; with two it only sums them up."""
_MOST_SIBLINGS = 50
"""Failed calls of one parent among which one more is looked for, the last ones."""
_OWNER = re.compile(
    r"^(?:[a-z]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|nvidia|openai"
    r"|qwen|stability|writer|zai)\."
)
_VERSION = re.compile(r"-v\d+(?::\d+)?$")


class SpanReading(Struct, frozen=True, gc=False):
    """What a span says that looks like a call of a model."""

    item: Request | Invalid
    models: Sequence[str] = ()
    """All names that it has for the model."""
    unread: Sequence[str] = ()
    """Counts that nobody reads."""


class Settled(Struct, frozen=True):
    """What the spans of a post come to."""

    items: tuple[Request | Invalid, ...]
    around: frozenset[int]
    """Which of the spans have calls inside them that were taken."""


class _TakenCall(Struct, eq=False, gc=False):
    """A call that was taken: the request it is recorded as, and what tells it from others."""

    external_id: str
    response_id: str | None
    families: frozenset[str]
    prompt: int | None
    completion: int | None
    has_failed: bool
    innermost: SpanKey
    """The span nearest to the provider that told of it."""
    is_remembered: bool = False
    """Whether it is of an earlier post."""

    @property
    def counts(self) -> Counts:
        return self.prompt, self.completion

    @property
    def is_counted(self) -> bool:
        return self.counts != (None, None)


class _Failure(Struct):
    """A failed call, as one or several instrumentations saw it."""

    call: _TakenCall
    scopes: set[str]
    start: int
    end: int


class Nesting:
    """What is known of calls that were taken. May be used by several threads."""

    def __init__(self) -> None:
        self._inside: dict[SpanKey, dict[_TakenCall, None]] = {}
        """By span: the calls nearest below it that were taken."""
        self._told_by: dict[SpanKey, tuple[_TakenCall, SpanKey]] = {}
        """By span: the call that it told of, or that it is inside of, and the span that told of it."""
        self._failed: dict[SpanKey, deque[_Failure]] = {}
        """By parent: its calls that failed."""
        self._lock = Lock()

    def settle(self, spans: Sequence[TraceSpan], readings: Mapping[int, SpanReading]) -> Settled:
        """One item per call; `readings` are those of the spans that look like calls, by their place."""
        tree = SpanTree(spans, {place for place, reading in readings.items() if isinstance(reading.item, Request)})
        with self._lock:
            found = self._settled(tree, readings)
            around = frozenset(place for place, key in enumerate(tree.keys) if key in self._inside)
            self._forget()
        return Settled(tuple(found[place] for place in sorted(found)), around)

    def _settled(self, tree: SpanTree, readings: Mapping[int, SpanReading]) -> dict[int, Request | Invalid]:
        """What is to be recorded or refused, by the place of the first span that says it."""
        order = list(tree.inner_first())
        told: dict[_TakenCall, list[int]] = {}
        found: dict[int, Request | Invalid] = {}
        for place in order:
            reading, parent = readings.get(place), tree.parents[place]
            inside = self._inside.get(tree.keys[place], {})
            call = None
            if reading is not None and isinstance(reading.item, Request):
                call = self._taken(tree, place, reading.item, _families(reading.models))
            elif reading is not None and not inside:
                found[place] = reading.item
            if call is None:
                self._pass_up(parent, inside)
            else:
                told.setdefault(call, []).append(place)
                self._pass_up(parent, [call] if call in inside else [call, *inside])
        self._remember_under((tree.keys[place], tree.parents[place]) for place in reversed(order))
        for call, places in told.items():
            items = (readings[place].item for place in places)
            requests = [item for item in items if isinstance(item, Request)]
            report = one_report(requests, call.counts if call.is_remembered else None)
            response_id = call.response_id or report.response_id
            if (report.external_id, report.response_id) != (call.external_id, response_id):
                report = replace(report, external_id=call.external_id, response_id=response_id)
            found[places[0]] = report
            call.is_remembered = True
        return found

    def _taken(self, tree: SpanTree, place: int, request: Request, families: frozenset[str]) -> _TakenCall | None:
        """The call that a span tells of; None where it only sums up what was taken."""
        span, key = tree.spans[place], tree.keys[place]
        inside = self._inside.get(key, {})
        before, _ = self._told_by.get(key, (None, key))
        if before is not None:
            fresh = [each for each in _others(before, inside) if not each.is_remembered]
            if before.innermost == key and len(fresh) == 1:
                _take_in(before, fresh[0])
            return before
        call = _told_inside(_call(request, families, key), inside)
        if call is None:
            return None
        way_out = tree.way_out(place)
        if way_out is not None:
            outer, teller = self._told_by.get(way_out, (call, key))
            came_first = outer.external_id != call.external_id and outer.innermost == teller
            if came_first and not _take_in(outer, call) and _agree(outer, call) and _is_within(call, outer):
                return None
        if call.innermost == key and request.status is Status.ERROR and request.response_id is None:
            call = self._failure(span, call)
        if key != NO_SPAN:
            self._told_by[key] = (call, key)
        return call

    def _failure(self, span: TraceSpan, call: _TakenCall) -> _TakenCall:
        """The same failed call as another instrumentation saw it, or this one."""
        siblings = self._failed.setdefault((span.trace_id, span.parent_id), deque(maxlen=_MOST_SIBLINGS))
        for each in siblings:
            if (
                span.trace_id
                and span.scope_name not in each.scopes
                and span.start <= each.end
                and each.start <= span.end
                and each.call.families & call.families
                and not contradict(each.call.counts, call.counts)
            ):
                each.scopes.add(span.scope_name)
                return each.call
        siblings.append(_Failure(call, {span.scope_name}, span.start, span.end))
        return call

    def _pass_up(self, parent: SpanKey, calls: Iterable[_TakenCall]) -> None:
        if parent != NO_SPAN:
            for call in calls:
                known = self._inside.setdefault(parent, {})
                if len(known) >= _MOST_INSIDE:
                    return
                known[call] = None

    def _remember_under(self, outer_first: Iterable[tuple[SpanKey, SpanKey]]) -> None:
        """Spans inside a call, each after its parent, so that what is inside them is known to be inside that call as
        well."""
        for key, parent in outer_first:
            if key != NO_SPAN and parent in self._told_by:
                self._told_by.setdefault(key, self._told_by[parent])

    def _forget(self) -> None:
        memories: tuple[dict[SpanKey, Any], ...] = (self._inside, self._told_by, self._failed)
        for memory in memories:
            for key in list(islice(memory, max(0, len(memory) - MOST_REMEMBERED))):
                del memory[key]


def _told_inside(call: _TakenCall, inside: Collection[_TakenCall]) -> _TakenCall | None:
    """The one call inside that the outer one is the same as, or the outer one where it is a call of its own; None
    where it has several inside, or nothing else to say."""
    if not inside:
        return call
    inner = _others(call, inside)
    # Attempts that failed before the one that succeeded cost nothing.
    counted = [each for each in inner if each.is_counted or not each.has_failed] or inner
    same = [each for each in inside if each.external_id == call.external_id]
    if len(counted) == 1 and _is_same(call, counted[0]):
        return _joined(counted[0], call)
    if len(counted) > 1 or (counted and not call.is_counted):
        return None
    return _joined(same[0], call) if same else call


def _take_in(outer: _TakenCall, inner: _TakenCall) -> bool:
    """Report a call inside one that was reported before as that one, where they are the same."""
    if not _agree(outer, inner) or contradict(outer.counts, inner.counts):
        return False
    inner.external_id, inner.response_id = outer.external_id, outer.response_id or inner.response_id
    outer.innermost = inner.innermost
    return True


def _others(call: _TakenCall, inside: Iterable[_TakenCall]) -> list[_TakenCall]:
    """Those inside that are recorded as other requests, one of each."""
    return list({each.external_id: each for each in inside if each.external_id != call.external_id}.values())


def _call(request: Request, families: frozenset[str], key: SpanKey) -> _TakenCall:
    return _TakenCall(
        external_id=request.external_id,
        response_id=request.response_id,
        families=families,
        prompt=request.usage.prompt,
        completion=request.usage.completion,
        has_failed=request.status is Status.ERROR,
        innermost=key,
    )


def _joined(inner: _TakenCall, outer: _TakenCall) -> _TakenCall:
    """The inner call, which the outer span tells of as well. Its id stays once it was reported."""
    if not inner.is_remembered and inner.response_id is None and outer.response_id is not None:
        inner.external_id = outer.external_id
    inner.response_id = inner.response_id or outer.response_id
    inner.families |= outer.families
    if not contradict(inner.counts, outer.counts):
        inner.prompt = outer.prompt if inner.prompt is None else inner.prompt
        inner.completion = outer.completion if inner.completion is None else inner.completion
    return inner


def _is_same(outer: _TakenCall, inner: _TakenCall) -> bool:
    """Whether a span tells of the one call inside it. A name that an application made up for a model is no family."""
    if _agree(outer, inner):
        return True
    return None not in outer.counts and outer.counts == inner.counts != (0, 0)


def _agree(one: _TakenCall, other: _TakenCall) -> bool:
    return not one.families or not other.families or not one.families.isdisjoint(other.families)


def _is_within(inner: _TakenCall, outer: _TakenCall) -> bool:
    """Whether the outer counts can be a sum that the inner ones are in."""
    pairs = zip(inner.counts, outer.counts, strict=True)
    return outer.is_counted and all(a is None or (b is not None and a <= b) for a, b in pairs)


def _families(models: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_family, models))


@lru_cache(maxsize=1024)
def _family(model: str) -> str:
    return bare_model(_VERSION.sub("", _OWNER.sub("", model.lower().rpartition("/")[2])))
