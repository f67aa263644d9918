"""What a post of spans holds that is no request, said so that people find what they miss."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import Source
from spendtop.domain.sources.remarks import Remark, RemarkKind, remark
from spendtop.sources.documented import PUSHES
from spendtop.sources.receivers import Invalid
from spendtop.sources.receivers.otlp.attributes import CannotTake, service, text
from spendtop.sources.receivers.otlp.calls import is_of_agent, kind
from spendtop.sources.receivers.otlp.forms import form_of
from spendtop.sources.receivers.otlp.names import LISTED, NAMES, USAGE_PREFIXES
from spendtop.sources.receivers.otlp.nesting import Settled, SpanReading
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan
from spendtop.sources.receivers.otlp.usage import quantities, unread
from spendtop.sources.unknown_fields import ignored

_log = logging.getLogger(__name__)

_MOST_LOGGED = 1_000
_NOT_A_CALL = "has a model and tokens, but is not a call of a model, and no call inside it was taken"
_OF_AGENT = "is of a coding agent, which is no source yet"
_NOT_PRICED = "is not priced"
_TAKEN = (*USAGE_PREFIXES, "trace.metadata.", "span.metadata.")
"""Begin attributes that are taken as they are, or told of as counts."""


class RemarkLog:
    """Logs what was refused, once by name."""

    def __init__(self) -> None:
        self._logged: set[str] = set()
        self._lock = Lock()

    def note(self, remarks: Sequence[Remark]) -> None:
        for each in remarks:
            if each.kind is RemarkKind.REFUSED and self._is_new(each.name):
                _log.warning("otlp: %s was refused: %s", each.name, each.reason)

    def _is_new(self, name: str) -> bool:
        with self._lock:
            if name in self._logged or len(self._logged) >= _MOST_LOGGED:
                return False
            self._logged.add(name)
            return True


def remarks_on(
    spans: Sequence[TraceSpan], stated: Sequence[Attributes], readings: Mapping[int, SpanReading], settled: Settled
) -> Iterator[Remark]:
    """One for each span that was not taken or refused, and for each count that nobody read."""
    for place, (span, attributes) in enumerate(zip(spans, stated, strict=True)):
        reading = readings.get(place)
        if reading is None:
            if is_of_agent(span):
                yield remark(RemarkKind.NOT_TAKEN, _named(span, attributes), _OF_AGENT)
            elif place not in settled.around and _has_tokens(attributes):
                yield remark(RemarkKind.NOT_TAKEN, _named(span, attributes), _NOT_A_CALL)
        elif isinstance(reading.item, Request):
            yield from map(_unpriced, reading.unread)
        elif place not in settled.around:
            yield remark(RemarkKind.REFUSED, _refused(span), _reason(reading.item))


def remarks_on_pushed(source: Source, spans: Sequence[TraceSpan]) -> Iterator[Remark]:
    """One for each count in a provider's own spans that nobody read, and for each attribute that nobody knows."""
    documented = PUSHES[source.name]
    for span in spans:
        yield from map(_unpriced, unread(span.attributes, form_of(span.attributes)))
        for name in span.attributes:
            if not (name in documented or name in LISTED or name.startswith(_TAKEN)):
                yield ignored(name)


def _unpriced(name: str) -> Remark:
    """Of a count that nobody read."""
    return remark(RemarkKind.UNREAD, name, _NOT_PRICED)


def _has_tokens(attributes: Attributes) -> bool:
    if text(attributes, NAMES.model) is None:
        return False
    try:
        used = quantities(attributes, form_of(attributes))
    except CannotTake:
        return False
    return bool(used.get("input_tokens") or used.get("output_tokens"))


def _named(span: TraceSpan, attributes: Attributes) -> str:
    scope = f" by {span.scope_name}" if span.scope_name else ""
    return f"{kind(attributes)} span {span.name!r}{scope}"


def _refused(span: TraceSpan) -> str:
    return f"span {span.name!r} of {service(span.resource) or 'a service without a name'}"


def _reason(refused: Invalid) -> str:
    return "; ".join(f"{name} {problem}" for name, problem in refused.fields.items())
