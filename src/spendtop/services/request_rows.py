"""Between what is known of a request and its row of the table `request`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from spendtop.domain.merging import StoredRequest
from spendtop.domain.money import Usd
from spendtop.domain.request import REPORTED, Request, RequestField, ValueKind
from spendtop.domain.sources import Source, source_named
from spendtop.store.reads.rows import TEXTS, columns, conversions, fields_of


def to_values(stored: StoredRequest) -> dict[str, Any]:
    """Column name to value."""
    request = stored.request
    values = list(_fields(request))
    for place, convert in _TO_COLUMN:
        values[place] = convert(values[place])
    values += (
        stored.id,
        request.source.name,
        ",".join(stored.sources),
        msgspec.json.encode(stored.external_ids).decode(),
        _names(stored.given_by) if stored.given_by else None,
        stored.probable_twin_of,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def from_row(row: Sequence[Any]) -> StoredRequest:
    """What is known of a request, from a row that begins with all columns."""
    id, source, external_ids, given_by, twin = _identity_of(row)
    ids = TEXTS.decode(external_ids)
    return StoredRequest(
        id=id,
        request=Request(source=source_named(source), external_id=ids[source], **fields_of(row, _FROM_COLUMN)),
        external_ids=ids,
        given_by={name: source_named(giver) for name, giver in TEXTS.decode(given_by).items()} if given_by else {},
        probable_twin_of=twin,
    )


def _names(given_by: dict[str, Source]) -> str:
    return msgspec.json.encode({field: source.name for field, source in given_by.items()}).decode()


def _to_column(field: RequestField) -> Callable[[Any], Any] | None:
    """What makes a column's value of a field's value that is none."""
    match field.kind:
        case ValueKind.WORD:
            return field.text_of_word
        case ValueKind.MONEY:
            return Usd.nano_of
        case ValueKind.TEXTS:
            return lambda texts: msgspec.json.encode(texts).decode() if texts else None
        case ValueKind.QUANTITIES:
            return lambda quantities: None if quantities is None else msgspec.json.encode(quantities).decode()
    return None


_COLUMNS = (
    *(field.column for field in REPORTED),
    "id",
    "source",
    "sources",
    "external_ids",
    "given_by",
    "probable_twin_of",
)
_fields = attrgetter(*(field.path for field in REPORTED))
_TO_COLUMN = tuple(
    (place, convert) for place, field in enumerate(REPORTED) if (convert := _to_column(field)) is not None
)
_identity_of = columns("id", "source", "external_ids", "given_by", "probable_twin_of")
_FROM_COLUMN = conversions({ValueKind.TEXTS: lambda texts: TEXTS.decode(texts) if texts else None})
