"""Rows of Helicone's query API, as its exports and saved answers hold them: one per line, or an array of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.requests.request import Request
from spendtop.sources.files import Read
from spendtop.sources.helicone_rows import NotARow, RowReader, request_of
from spendtop.sources.repaired_json import decoded
from spendtop.sources.skipped import Skipped

_ANSWER = re.compile(rb'\s*\{\s*"data"\s*:')
_HAS_TO_BE = {
    "request_id": "has to be 1 to 128 letters, digits or any of . _ : -",
    "request_created_at": "has to be a date and time, and not in the future",
    "cost": "has to be an amount in USD",
    "properties": "has to be an object of texts",
    **dict.fromkeys(
        ("request_user_id", "provider", "model", "request_model", "cache_reference_id", "updated_at"),
        "has to be a text, or empty",
    ),
}


class _Answer(Struct, frozen=True):
    """A saved answer of the API."""

    data: list[Raw]


def read_helicone(lines: Iterable[bytes], now: int) -> Read:
    """Requests from lines of Helicone's JSON, received at `now` (UTC µs) and confirmed by Helicone's API."""
    reader = _Reader(now)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield from reader.line(line, f"line {number}")


class _Reader:
    def __init__(self, now: int) -> None:
        self._now = now
        self._rows = RowReader()
        self._answer = msgspec.json.Decoder(_Answer)
        self._array = msgspec.json.Decoder(list[Raw])

    def line(self, line: bytes, place: str) -> Iterator[Request | Skipped]:
        """The one row or the rows of a line. An unknown id is answered by null, which is no row."""
        rows: list[Raw]
        try:
            if line.lstrip().startswith(b"["):
                rows = decoded(self._array, line)
            elif _ANSWER.match(line):
                rows = decoded(self._answer, line).data
            else:
                rows = [Raw(line)]
        except (msgspec.DecodeError, RecursionError):
            yield Skipped(place, "", "it has to be a JSON object or an array of them")
            return
        for position, row in enumerate(rows, start=1):
            if bytes(row) != b"null":
                yield self._request(bytes(row), place if len(rows) == 1 else f"{place}, row {position}")

    def _request(self, raw: bytes, place: str) -> Request | Skipped:
        try:
            return request_of(self._rows.row(raw, self._now), self._now)
        except NotARow as wrong:
            return _skipped(place, wrong.field)


def _skipped(place: str, field: str) -> Skipped:
    if not field:
        return Skipped(place, "", "it has to be a JSON object")
    return Skipped(place, field, _HAS_TO_BE.get(field, "has to be a whole number"))
