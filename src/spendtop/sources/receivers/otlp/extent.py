"""How much an OTLP post holds, counted before it is read: two bytes of it can become a hundred times as many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spendtop.sources.receivers import Unreadable

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

MOST_PARTS = 1_000_000
"""Messages and texts of one post. A call of a model has about a hundred."""
MOST_SPANS = 50_000
_UNCOUNTED = 128 * 1024
"""Bytes that hold too few parts to be counted."""
_DEEPEST = 100
"""As deep as protobuf reads messages in messages."""
_SPAN = "opentelemetry.proto.trace.v1.Span"
_TAGS = bytes(byte for byte in range(256) if byte & 7 == 2)
"""What a message or a text can begin with. Other bytes may be the same, so there are at most as many as these."""

_Parts = Mapping[int, "Descriptor"]
"""Fields of a message that hold messages, by number."""


def check_protobuf(raw: bytes, message: Descriptor) -> None:
    """Raises Unreadable for more than a post may hold, and for what is no protobuf."""
    if len(raw) > _UNCOUNTED:
        try:
            _Count(raw).run(message)
        except IndexError:
            raise malformed() from None


def check_json(raw: bytes) -> None:
    """Raises Unreadable for more than a post may hold."""
    if raw.count(b"{") > MOST_PARTS:
        raise too_much()


def check_spans(number: int) -> None:
    """Raises Unreadable for more spans than a post may hold."""
    if number > MOST_SPANS:
        raise too_much()


def malformed() -> Unreadable:
    return Unreadable("malformed", "The body is no export of OpenTelemetry in protobuf.", status=400)


def too_much() -> Unreadable:
    message = f"A post holds at most {MOST_SPANS:,} spans, with {MOST_PARTS:,} attributes and values. Send several."
    return Unreadable("too_many_items", message, status=413)


class _Count:
    """Counts along the wire format, which needs no memory."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._place = 0
        self._known: dict[str, _Parts] = {}
        self._looks_into_spans = len(raw) - len(raw.translate(None, _TAGS)) > MOST_PARTS

    def run(self, message: Descriptor) -> None:
        """Raises Unreadable, and IndexError for what ends too early."""
        raw, end, parts = self._raw, len(self._raw), self._parts_of(message)
        outer: list[tuple[int, _Parts]] = []
        count = spans = 0
        while self._place < end or outer:
            if self._place >= end:
                end, parts = outer.pop()
                continue
            tag = self._number()
            match tag & 7:
                case 2:  # of a length that it states: a message or a text
                    inner_end = self._number() + self._place
                    if inner_end > end:
                        raise malformed()
                    part = parts.get(tag >> 3)
                    count += 1
                    if part is not None and part.full_name == _SPAN:
                        spans += 1
                        part = part if self._looks_into_spans else None
                    if count > MOST_PARTS or spans > MOST_SPANS:
                        raise too_much()
                    if part is None:
                        self._place = inner_end
                        continue
                    if len(outer) >= _DEEPEST:
                        raise malformed()
                    outer.append((end, parts))
                    end, parts = inner_end, self._parts_of(part)
                case 0:  # a number
                    self._number()
                case 1:  # eight bytes
                    self._place += 8
                case 5:  # four bytes
                    self._place += 4
                case 3 | 4:
                    pass  # a group has no length of its own: what is in it counts as if it stood outside
                case _:
                    raise malformed()
        if self._place > len(raw):
            raise malformed()

    def _number(self) -> int:
        """The next number of variable length."""
        number = shift = 0
        while True:
            byte = self._raw[self._place]
            self._place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise malformed()

    def _parts_of(self, message: Descriptor) -> _Parts:
        known = self._known.get(message.full_name)
        if known is None:
            known = {field.number: field.message_type for field in message.fields if field.message_type is not None}
            self._known[message.full_name] = known
        return known
