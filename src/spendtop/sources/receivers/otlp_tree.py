"""The spans of a post, and how they are inside each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from spendtop.sources.receivers.otlp_spans import TraceSpan

SpanKey: TypeAlias = tuple[str, str]
"""The trace of a span and its id; empty texts where others cannot name it."""
NO_SPAN: SpanKey = ("", "")


def key_of(span: TraceSpan) -> SpanKey:
    return (span.trace_id, span.span_id) if span.trace_id and span.span_id else NO_SPAN


def parent_of(span: TraceSpan) -> SpanKey:
    """The span around it; a span is not inside itself."""
    is_inside = span.trace_id and span.parent_id and span.parent_id != span.span_id
    return (span.trace_id, span.parent_id) if is_inside else NO_SPAN


class SpanTree:
    """Spans are named by their place in the post."""

    def __init__(self, spans: Sequence[TraceSpan]) -> None:
        self.spans = spans
        self._places = {key_of(span): place for place, span in enumerate(spans)}
        self._places.pop(NO_SPAN, None)

    def inner_first(self) -> Iterator[int]:
        """All spans, each after those inside it; circles of parents are entered somewhere."""
        below: defaultdict[int, list[int]] = defaultdict(list)
        tops = []
        for place, span in enumerate(self.spans):
            parent = self._places.get(parent_of(span))
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

    def upwards(self, place: int) -> Iterator[SpanKey]:
        """The spans around one, nearest first, up to the first that is not in the post."""
        seen = {place}
        parent = parent_of(self.spans[place])
        while parent != NO_SPAN:
            yield parent
            around = self._places.get(parent)
            if around is None or around in seen:
                return
            seen.add(around)
            parent = parent_of(self.spans[around])

    def is_inside(self, place: int, others: Collection[int]) -> bool:
        """Whether one of the others is around it."""
        return any(self._places.get(key) in others for key in self.upwards(place))

    def way_out(self, place: int) -> SpanKey:
        """The first span around it that is not in the post."""
        return next((key for key in self.upwards(place) if key not in self._places), NO_SPAN)
