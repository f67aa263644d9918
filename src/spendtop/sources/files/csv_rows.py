"""The rows of a CSV file with a header, whichever of the usual signs stands between its cells."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping

from spendtop.sources.skipped import Skipped

_LONGEST_CELL = 64 * 1024 * 1024
_SIGNS = ",;\t|"

CsvRow = Mapping[str, str]
"""Cell by column; empty ones are left out."""


def columns_of(line: bytes) -> list[str]:
    """The names in the first line of a CSV file."""
    text = line.decode("utf-8-sig", "replace")
    try:
        return next(csv.reader([text], delimiter=_sign_of(text)), [])
    except csv.Error:
        return []


def csv_rows(lines: Iterable[bytes]) -> Iterator[tuple[str, CsvRow | Skipped]]:
    """Each row with its place. A row may have several lines, and begins on the one that is named."""
    csv.field_size_limit(_LONGEST_CELL)
    rest = iter(lines)
    first = next(rest, b"")
    header = columns_of(first)
    sign = _sign_of(first.decode("utf-8-sig", "replace"))
    reader = csv.reader((line.decode("utf-8", "replace") for line in rest), delimiter=sign)
    while True:
        place = f"line {reader.line_num + 2}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield place, Skipped(place, "", "it has to be CSV with quoted cells")
            continue
        if cells and len(cells) != len(header):
            yield place, Skipped(place, "", f"it has to have {len(header)} cells as the header has")
        elif cells:
            yield place, {name: cell for name, cell in zip(header, cells, strict=True) if cell}


def _sign_of(header: str) -> str:
    """What separates the cells: the sign that the header has most of."""
    return max(_SIGNS, key=lambda sign: (header.count(sign), -_SIGNS.index(sign)))
