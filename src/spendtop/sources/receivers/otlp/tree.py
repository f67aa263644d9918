"""The spans of a post, and how they are inside each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from spendtop.sources.receivers.otlp.spans import TraceSpan

SpanKey: TypeAlias = tuple[str, str]
"""The trace of a span and its id; empty texts where others cannot name it."""
NO_SPAN: SpanKey = ("", "")
MOST_LEVELS = 1_000
"""So far is looked upwards, also where the parents of spans make a circle."""


def key_of(span: TraceSpan) -> SpanKey:
    return (span.trace_id, span.span_id) if span.trace_id and span.span_id else NO_SPAN


def parent_of(span: TraceSpan) -> SpanKey:
    """The span around it; a span is not inside itself."""
    is_inside = span.trace_id and span.parent_id and span.parent_id != span.span_id
    return (span.trace_id, span.parent_id) if is_inside else NO_SPAN


class SpanTree:
    """Spans are named by their place in the post."""

    def __init__(self, spans: Sequence[TraceSpan], calls: Collection[int]) -> None:
        self.spans = spans
        self.keys = list(map(key_of, spans))
        self.parents = list(map(parent_of, spans))
        """The keys of the spans around them."""
        self._calls = calls
        self._places = {key: place for place, key in enumerate(self.keys)}
        self._places.pop(NO_SPAN, None)
        self._ways: dict[SpanKey, SpanKey | None] = {}

    def inner_first(self) -> Iterator[int]:
        """All spans, each after those inside it; circles of parents are entered somewhere."""
        below: defaultdict[int, list[int]] = defaultdict(list)
        tops = []
        for place, around in enumerate(self.parents):
            parent = self._places.get(around)
            if parent is None:
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

    def way_out(self, place: int) -> SpanKey | None:
        """The first span around one that is not in the post; None where a call is around it before that."""
        parent = self.parents[place]
        if parent not in self._ways:
            self._ways[parent] = self._way_from(parent)
        return self._ways[parent]

    def _way_from(self, key: SpanKey) -> SpanKey | None:
        for _ in range(MOST_LEVELS):
            place = self._places.get(key)
            if place is None:
                return key
            if place in self._calls:
                return None
            key = self.parents[place]
        return NO_SPAN
