"""Between what is known of a request and its row of the table `request`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from spendtop.domain.money import Usd
from spendtop.domain.reports.merging import STATED, StoredRequest, plain, statement
from spendtop.domain.requests.fields import FIELDS, REPORTED, RequestField, ValueKind
from spendtop.domain.requests.request import Cost, Request, Usage
from spendtop.domain.sources.records import Source, source_named
from spendtop.store.reads.rows import TEXTS, columns, conversions, fields_of


def to_values(stored: StoredRequest) -> dict[str, Any]:
    """Column name to value."""
    return dict(zip(COLUMNS, to_row(stored), strict=True))


def to_row(stored: StoredRequest) -> list[Any]:
    """The values of `COLUMNS`, in their order."""
    request = stored.request
    values = list(_reported((*astuple(request), *astuple(request.usage), *astuple(request.cost))))
    for place, convert in _TO_COLUMN:
        if values[place] is not None:
            values[place] = convert(values[place])
    values += (
        stored.id,
        request.source.name,
        ",".join(stored.sources),
        msgspec.json.encode(stored.external_ids).decode(),
        _given_by(stored) if stored.reports else None,
        stored.probable_twin_of,
    )
    return values


def from_row(row: Sequence[Any]) -> StoredRequest:
    """What is known of a request, from a row that begins with all columns."""
    id, source, external_ids, given_by, twin = _identity_of(row)
    ids = TEXTS.decode(external_ids)
    request = Request(source=source_named(source), external_id=ids[source], **fields_of(row, _FROM_COLUMN))
    return StoredRequest(
        id=id,
        request=request,
        external_ids=ids,
        reports=_reports(request, ids, given_by) if given_by else {},
        probable_twin_of=twin,
    )


def _given_by(stored: StoredRequest) -> str:
    """By source, by the place of the field in `FIELDS`, what the source states otherwise than all together."""
    together = _stated(stored.request)
    given = {
        source.name: {
            str(place): plain(value)
            for place, value, all_say in zip(_PLACES, _stated(report), together, strict=True)
            if value != all_say
        }
        for source, report in stored.reports.items()
    }
    return msgspec.json.encode(given).decode()


def _reports(request: Request, external_ids: Mapping[str, str], given_by: str) -> dict[Source, Request]:
    given = msgspec.json.decode(given_by)
    if not all(isinstance(each, dict) for each in given.values()):
        given = _by_source(request, external_ids, given)
    together = statement(request)
    reports = (_report(together, name, external_ids[name], each) for name, each in given.items())
    return {each.source: each for each in sorted(reports, key=lambda each: each.source.trust)}


def _report(together: Request, source: str, external_id: str, given: Mapping[str, Any]) -> Request:
    parts: dict[str, dict[str, Any]] = {"": {}, "usage": {}, "cost": {}}
    for place, value in given.items():
        field = FIELDS[int(place)]
        parts[field.part][field.attribute] = None if value is None else _from_json(field, value)
    return replace(
        together,
        source=source_named(source),
        external_id=external_id,
        usage=replace(together.usage, **parts["usage"]) if parts["usage"] else together.usage,
        cost=replace(together.cost, **parts["cost"]) if parts["cost"] else together.cost,
        **parts[""],
    )


def _from_json(field: RequestField, value: Any) -> Any:
    match field.kind:
        case ValueKind.WORD:
            return field.words(value)
        case ValueKind.MONEY:
            return Usd(value)
        case ValueKind.USAGE:
            return b64decode(value)
    return value


def _by_source(
    request: Request, external_ids: Mapping[str, str], givers: Mapping[str, str]
) -> dict[str, dict[str, None]]:
    """What older versions kept: by field the source that gave it, where that is not the most trusted one.

    What other sources said of it is not known.
    """
    givers = {"reported" if name == "reported_cost" else name: giver for name, giver in givers.items()}
    optional = [(str(place), FIELDS[place].attribute) for place in _PLACES if FIELDS[place].default is None]
    return {
        source: {place: None for place, name in optional if givers.get(name, request.source.name) != source}
        for source in external_ids
    }


def _to_column(field: RequestField) -> Callable[[Any], Any] | None:
    """What makes a column's value of a field's value that is not None; None where it is that itself."""
    match field.kind:
        case ValueKind.WORD:
            return {word: word.value for word in field.words}.__getitem__
        case ValueKind.MONEY:
            return attrgetter("nano")
        case ValueKind.TEXTS:
            return lambda texts: msgspec.json.encode(texts).decode() if texts else None
        case ValueKind.QUANTITIES:
            return lambda quantities: msgspec.json.encode(quantities).decode()
    return None


COLUMNS = (
    *(field.column for field in REPORTED),
    "id",
    "source",
    "sources",
    "external_ids",
    "given_by",
    "probable_twin_of",
)
_PLACES = tuple(FIELDS.index(field) for field in STATED)
_stated = attrgetter(*(field.path for field in STATED))
_ATTRIBUTES = (
    *Request.__struct_fields__,
    *(f"usage.{name}" for name in Usage.__struct_fields__),
    *(f"cost.{name}" for name in Cost.__struct_fields__),
)
_reported = itemgetter(*(_ATTRIBUTES.index(field.path) for field in REPORTED))
_TO_COLUMN = tuple(
    (place, convert) for place, field in enumerate(REPORTED) if (convert := _to_column(field)) is not None
)
_identity_of = columns("id", "source", "external_ids", "given_by", "probable_twin_of")
_FROM_COLUMN = conversions({ValueKind.TEXTS: lambda texts: TEXTS.decode(texts) if texts else None})
