"""Rows of plain values into a new file: CSV that no spreadsheet runs, or JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from spendtop.domain.spreadsheet import cell
from spendtop.services.export_files import create
from spendtop.services.request_export import ascii_json


def write(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> int:
    """Write a new file, `.csv` or else JSON lines; returns how many rows. Raises CannotCreate, CannotWrite."""
    rows = list(records)
    create(path, _csv_lines(columns, rows) if path.suffix == ".csv" else _json_lines(rows))
    return len(rows)


def _csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line(cell(row[column]) for column in columns)


def _csv_line(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _json_lines(rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    return (f"{ascii_json(dict(row))}\n".encode() for row in rows)
