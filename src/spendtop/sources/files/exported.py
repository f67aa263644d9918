"""Our own exports: one request per line, as CSV or JSON, with its sources merged and its cost decided."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.domain.request import Basis, BodyState, Cost, Request, Restored, Status, TimeSource, Usage
from spendtop.domain.sources import SOURCES, by_trust, source_named
from spendtop.domain.spreadsheet import restored
from spendtop.domain.timing import NEWEST
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources.files import Read, Skipped

_MOST_NANO = 9_000_000_000_000_000

_Id: TypeAlias = Annotated[str, Meta(min_length=1)]
_Ids: TypeAlias = Annotated[dict[str, _Id], Meta(min_length=1)]
_Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
_Tokens: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_TOKENS)] | None
_Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)] | None
_Nano: TypeAlias = Annotated[int, Meta(ge=-_MOST_NANO, le=_MOST_NANO)] | None


class _Row(Struct, frozen=True, kw_only=True):
    """What of a line has to be read; the rest, such as sums and our own id, follows from it or is given anew."""

    external_ids: _Ids
    occurred_at: _Instant
    time_source: TimeSource
    time_suspect: bool = False
    received_at: _Instant
    response_id: str | None = None
    provider: str | None = None
    model: str | None = None
    status: Status
    http_status: Annotated[int, Meta(ge=0, le=999)] | None = None
    user_id: str | None = None
    session_id: str | None = None
    session_path: str | None = None
    token: str | None = None
    properties: dict[str, str] | None = None
    prompt_tokens: _Tokens = None
    completion_tokens: _Tokens = None
    cached_tokens: _Tokens = None
    cache_write_tokens: _Tokens = None
    reasoning_tokens: _Tokens = None
    cost_nanousd: _Nano = None
    basis: Basis
    reported_cost_usd: Decimal | None = None
    computed_cost_usd: Decimal | None = None
    price_version: str | None = None
    verified: bool = False
    cached: bool = False
    counted: bool = True
    latency_ms: _Milliseconds = None
    ttft_ms: _Milliseconds = None
    body_state: BodyState = BodyState.NOT_SENT


COLUMNS = frozenset(_Row.__struct_fields__)
"""What is read of a line."""
REQUIRED = frozenset(
    field.name for field in msgspec.structs.fields(_Row) if field.default is field.default_factory is msgspec.NODEFAULT
)
"""Without these a line is no request."""

_TOKENS_ARE = f"a whole number from 0 to {MOST_TOKENS:,}, or empty"
_AMOUNT_IS = "an amount in USD, or empty"
_TRUTH_IS = "true or false"
_HAS_TO_BE = {
    "external_ids": f"an object with the id that each source gave, of {', '.join(each.name for each in by_trust())}",
    **dict.fromkeys(("occurred_at", "received_at"), "a date and time with its zone, and not in the future"),
    "time_source": f"one of {', '.join(TimeSource)}",
    "status": f"one of {', '.join(Status)}",
    "http_status": "a whole number from 0 to 999, or empty",
    "properties": "an object of texts, or empty",
    **{name: _TOKENS_ARE for name in COLUMNS if name.endswith("_tokens")},
    "cost_nanousd": "a whole number of nano-USD, and empty where the basis is unknown, only there",
    "basis": f"one of {', '.join(Basis)}",
    **dict.fromkeys(("reported_cost_usd", "computed_cost_usd"), _AMOUNT_IS),
    **dict.fromkeys(("time_suspect", "verified", "cached", "counted"), _TRUTH_IS),
    **dict.fromkeys(("latency_ms", "ttft_ms"), "a whole number of milliseconds, or empty"),
    "body_state": f"one of {', '.join(BodyState)}",
}
_JSON_COLUMNS = ("external_ids", "properties")
_AT = re.compile(r" - at `(?:key` in `)?\$\.?(\w*)[^`]*`")
_MISSING = re.compile(r"missing required field `(\w+)`")


def read_jsonl(lines: Iterable[bytes], now: int) -> Read:
    """Requests from lines of JSON. What says that it happened after `now` (UTC µs) is not taken."""
    decoder = msgspec.json.Decoder(_Row)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            yield _restored(decoder.decode(line), now)
        except _WrongField as wrong:
            yield _skipped(place, wrong.field)
        except msgspec.ValidationError as error:
            yield _skipped(place, _field_of(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield Skipped(place, "", "it has to be one JSON object")


def read_csv(lines: Iterable[bytes], now: int) -> Read:
    """Requests from the lines of a CSV file with a header. What says that it happened after `now` is not taken."""
    reader = csv.reader(
        line.decode("utf-8-sig" if not number else "utf-8", "replace") for number, line in enumerate(lines)
    )
    header = next(reader, [])
    wanted = [(position, name) for position, name in enumerate(header) if name in COLUMNS]
    for place, cells in _records(reader):
        if isinstance(cells, Skipped):
            yield cells
        elif len(cells) != len(header):
            yield Skipped(place, "", f"it has to have {len(header)} cells as the header has")
        else:
            try:
                yield _restored(_row({name: cells[position] for position, name in wanted if cells[position]}), now)
            except _WrongField as wrong:
                yield _skipped(place, wrong.field)


def columns_of(line: bytes) -> frozenset[str]:
    """The names in the first line of a CSV file."""
    try:
        return frozenset(next(csv.reader([line.decode("utf-8-sig", "replace")]), []))
    except csv.Error:
        return frozenset()


class _WrongField(Exception):
    """A field that is not as it has to be."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _records(reader: Iterator[list[str]]) -> Iterator[tuple[str, list[str] | Skipped]]:
    """Place and cells of each record; a record may have several lines, and begins on the one that is named."""
    while True:
        place = f"line {reader.line_num + 1}"  # type: ignore[attr-defined]  # csv's own reader
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield place, Skipped(place, "", "it has to be CSV with quoted cells")
        else:
            if cells:
                yield place, cells


def _row(cells: dict[str, str]) -> _Row:
    values: dict[str, object] = {name: restored(cell) for name, cell in cells.items()}
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = _json(name, str(values[name]))
    try:
        return msgspec.convert(values, _Row, strict=False)
    except msgspec.ValidationError as error:
        raise _WrongField(_field_of(error)) from None


def _json(name: str, cell: str) -> object:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _WrongField(name) from None


def _restored(row: _Row, now: int) -> Restored:
    """The request without its bodies, as an export has none."""
    if not row.external_ids.keys() <= SOURCES.keys():
        raise _WrongField("external_ids")
    source = min(map(source_named, row.external_ids), key=lambda each: each.trust)
    ids = {name: storable_name(given) for name, given in row.external_ids.items()}
    request = Request(
        source=source,
        external_id=ids[source.name],
        received_at=_instant(row.received_at, "received_at", now),
        occurred_at=_instant(row.occurred_at, "occurred_at", now),
        time_source=row.time_source,
        time_suspect=row.time_suspect,
        response_id=row.response_id,
        provider=row.provider,
        model=row.model,
        status=row.status,
        http_status=row.http_status,
        usage=Usage(
            prompt=row.prompt_tokens,
            completion=row.completion_tokens,
            cache_read=row.cached_tokens,
            cache_write=row.cache_write_tokens,
            reasoning=row.reasoning_tokens,
        ),
        cost=_cost(row),
        user_id=row.user_id,
        session_id=row.session_id,
        session_path=row.session_path,
        token=row.token,
        properties=row.properties,
        latency_ms=row.latency_ms,
        ttft_ms=row.ttft_ms,
        cached=row.cached,
        counted=row.counted,
        verified=row.verified,
        body_state=BodyState.NOT_KEPT if row.body_state is BodyState.STORED else row.body_state,
    )
    return Restored(request=request, external_ids=ids)


def _cost(row: _Row) -> Cost:
    if (row.cost_nanousd is None) is not (row.basis is Basis.UNKNOWN):
        raise _WrongField("cost_nanousd")
    return Cost(
        amount=None if row.cost_nanousd is None else Usd(row.cost_nanousd),
        basis=row.basis,
        reported=_usd(row.reported_cost_usd, "reported_cost_usd"),
        computed=_usd(row.computed_cost_usd, "computed_cost_usd"),
        price_version=storable_name(row.price_version) if row.price_version else None,
    )


def _usd(dollars: Decimal | None, field: str) -> Usd | None:
    if dollars is None:
        return None
    try:
        return Usd.of(dollars)
    except ValueError:
        raise _WrongField(field) from None


def _instant(moment: datetime, field: str, now: int) -> int:
    """UTC µs. An id made of a time to come would stand above all that follow."""
    micros = to_micros(moment)
    if not 0 <= micros <= now + NEWEST:
        raise _WrongField(field)
    return micros


def _field_of(error: msgspec.ValidationError) -> str:
    found = _MISSING.search(str(error)) or _AT.search(str(error))
    return found[1] if found else ""


def _skipped(place: str, field: str) -> Skipped:
    if not field:
        return Skipped(place, "", "it has to be one JSON object")
    return Skipped(place, field, f"has to be {_HAS_TO_BE.get(field, 'a text, or empty')}")
