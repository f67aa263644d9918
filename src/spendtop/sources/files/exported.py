"""Our own exports: one request per line, as CSV or JSON, with its sources merged and its cost decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.domain.requests.fields import FIELDS, REPORTED, RequestField, ValueKind, arguments
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import COUNTED_UNITS, Basis, BodyState, Quantities, Request, Restored
from spendtop.domain.requests.timing import NEWEST
from spendtop.domain.sources.records import SOURCES, by_trust, source_named
from spendtop.domain.spreadsheet import restored
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources import unknown_fields
from spendtop.sources.files import Read
from spendtop.sources.files.csv_rows import csv_rows
from spendtop.sources.skipped import Skipped

_MOST_NANO = 9_000_000_000_000_000

_TEXT_IS = "a text, or empty"


class _Form(NamedTuple):
    """How the values of a field have to be."""

    type: Any
    has_to_be: str


_FORMS: Mapping[ValueKind, _Form] = {
    ValueKind.IDS: _Form(
        Annotated[dict[str, Annotated[str, Meta(min_length=1)]], Meta(min_length=1)],
        f"an object with the id that each source gave, of {', '.join(map(str, by_trust()))}",
    ),
    ValueKind.INSTANT: _Form(
        Annotated[datetime, Meta(tz=True)], "a date and time with its zone, and not in the future"
    ),
    ValueKind.TEXT: _Form(str | None, _TEXT_IS),
    ValueKind.NAME: _Form(str | None, _TEXT_IS),
    ValueKind.TEXTS: _Form(dict[str, str] | None, "an object of texts, or empty"),
    ValueKind.FLAG: _Form(bool, "true or false"),
    ValueKind.TOKENS: _Form(
        Annotated[int, Meta(ge=0, le=MOST_TOKENS)] | None, f"a whole number from 0 to {MOST_TOKENS:,}, or empty"
    ),
    ValueKind.MILLISECONDS: _Form(
        Annotated[int, Meta(ge=0, le=2**53)] | None, "a whole number of milliseconds, or empty"
    ),
    ValueKind.HTTP_STATUS: _Form(Annotated[int, Meta(ge=0, le=999)] | None, "a whole number from 0 to 999, or empty"),
    ValueKind.MONEY: _Form(Decimal | None, "an amount in USD, or empty"),
    ValueKind.QUANTITIES: _Form(
        dict[
            Annotated[str, Meta(pattern="^[a-z0-9_]{1,64}$")], Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
        ]
        | None,
        "an object of units and numbers, 0 or more, or empty",
    ),
    ValueKind.USAGE: _Form(dict[str, Any] | None, "a provider's usage object, or empty"),
}
_NANO = _Form(
    Annotated[int, Meta(ge=-_MOST_NANO, le=_MOST_NANO)] | None,
    "a whole number of nano-USD, and empty where the basis is unknown or plan, only there",
)


def _form(field: RequestField) -> _Form:
    if field.kind is ValueKind.WORD:
        word = field.words if field.default is not None else field.words | None
        return _Form(word, f"one of {', '.join(field.words)}")
    return _NANO if field.exact else _FORMS[field.kind]


_READ = {field.exported[-1]: field for field in FIELDS if field.merging is not None or field.kind is ValueKind.IDS}
"""By their columns, the fields that have to be read; the rest, such as sums and our own id, follows from them or is
given anew."""
_FORM = {column: _form(field) for column, field in _READ.items()}
COLUMNS = frozenset(_READ)
"""What is read of a line."""
_KNOWN = frozenset(column for field in FIELDS for column in field.exported)
REQUIRED = frozenset(column for column, field in _READ.items() if field.required)
"""Without these a line is no request."""
_Line = msgspec.defstruct(
    "_Line",
    [
        (column, _FORM[column].type) if field.required else (column, _FORM[column].type, field.default)
        for column, field in _READ.items()
    ],
    frozen=True,
    kw_only=True,
)
_ids_of = attrgetter("external_ids")
_values_of = attrgetter(*(field.exported[-1] for field in REPORTED))
_OBJECTS = (ValueKind.IDS, ValueKind.TEXTS, ValueKind.QUANTITIES, ValueKind.USAGE)
_JSON_COLUMNS = tuple(column for column, field in _READ.items() if field.kind in _OBJECTS)
_AT = re.compile(r" - at `(?:key` in `)?\$\.?(\w*)[^`]*`")
_MISSING = re.compile(r"missing required field `(\w+)`")


def read_jsonl(lines: Iterable[bytes], now: int) -> Read:
    """Requests from lines of JSON. What says that it happened after `now` (UTC µs) is not taken."""
    decoder, fields = msgspec.json.Decoder(_Line), msgspec.json.Decoder(dict[str, Raw])
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            request = _restored(decoder.decode(line), now)
            unknown_fields.tell(sorted(fields.decode(line).keys() - _KNOWN))
            yield request
        except _WrongField as wrong:
            yield _skipped(place, wrong.field)
        except msgspec.ValidationError as error:
            yield _skipped(place, _field_of(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield Skipped(place, "", "it has to be one JSON object")


def read_csv(lines: Iterable[bytes], now: int) -> Read:
    """Requests from the lines of a CSV file with a header. What says that it happened after `now` is not taken."""
    for place, cells in csv_rows(lines):
        if isinstance(cells, Skipped):
            yield cells
            continue
        unknown_fields.tell(sorted(cells.keys() - _KNOWN))
        try:
            yield _restored(_row({name: cell for name, cell in cells.items() if name in COLUMNS}), now)
        except _WrongField as wrong:
            yield _skipped(place, wrong.field)


class _WrongField(Exception):
    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _row(cells: dict[str, str]) -> Struct:
    values: dict[str, object] = {name: restored(cell) for name, cell in cells.items()}
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = _json(name, str(values[name]))
    try:
        return msgspec.convert(values, _Line, strict=False)
    except msgspec.ValidationError as error:
        raise _WrongField(_field_of(error)) from None


def _json(name: str, cell: str) -> object:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _WrongField(name) from None


def _restored(line: Struct, now: int) -> Restored:
    """The request without its bodies, as an export has none."""
    external_ids: dict[str, str] = _ids_of(line)
    if not external_ids.keys() <= SOURCES.keys():
        raise _WrongField("external_ids")
    source = min(map(source_named, external_ids), key=lambda each: each.trust)
    ids = {name: storable_name(id) for name, id in external_ids.items()}
    values = list(_values_of(line))
    for place, column, convert in _RESTORED:
        try:
            if values[place] is not None:
                values[place] = convert(values[place])
        except ValueError:
            raise _WrongField(column) from None
    request = Request(source=source, external_id=ids[source.name], **arguments(values))
    for column in ("received_at", "occurred_at"):
        # An id made of a time to come would stand above all that follow.
        if not 0 <= getattr(request, column) <= now + NEWEST:
            raise _WrongField(column)
    if (request.cost.amount is None) is not (request.cost.basis in (Basis.UNKNOWN, Basis.PLAN)):
        raise _WrongField("cost_nanousd")
    return Restored(request=request, external_ids=ids)


def _restoring(field: RequestField) -> Callable[[Any], Any] | None:
    """What makes a field's value of what a line holds in its place."""
    match field.kind:
        case ValueKind.INSTANT:
            return to_micros
        case ValueKind.NAME:
            return lambda name: storable_name(name) or None
        case ValueKind.MONEY:
            return Usd if field.exact else Usd.of
        case ValueKind.QUANTITIES:
            return _not_counted
        case ValueKind.USAGE:
            return pack
    return _without_body if field.name == "body_state" else None


def _not_counted(quantities: Quantities) -> Quantities | None:
    """Of all quantities those that no column of its own tells."""
    return {unit: count for unit, count in quantities.items() if count and unit not in COUNTED_UNITS} or None


def _without_body(state: BodyState) -> BodyState:
    return BodyState.NOT_KEPT if state is BodyState.STORED else state


_RESTORED = tuple(
    (place, field.exported[-1], convert)
    for place, field in enumerate(REPORTED)
    if (convert := _restoring(field)) is not None
)


def _field_of(error: msgspec.ValidationError) -> str:
    place = _MISSING.search(str(error)) or _AT.search(str(error))
    return place[1] if place else ""


def _skipped(place: str, field: str) -> Skipped:
    if not field:
        return Skipped(place, "", "it has to be one JSON object")
    return Skipped(place, field, f"has to be {_FORM[field].has_to_be if field in _FORM else _TEXT_IS}")
