"""CSV files of unknown origin, by the names of their columns.

Where no column has an id, a row is known by all that it says, and equal rows of a file are told apart by their number:
the same file, or a longer one that begins with it, brings nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain

from spendtop.domain.errors import UsageError
from spendtop.domain.sources.records import TABLE
from spendtop.domain.untrusted import clean_line
from spendtop.sources import unknown_fields
from spendtop.sources.files import Read
from spendtop.sources.files.csv_rows import columns_of, csv_rows
from spendtop.sources.legacy.columns import NotTaken, Table, in_file
from spendtop.sources.legacy.rows import Rows
from spendtop.sources.skipped import Skipped

_NAME = "file"
_SHOWN = 12
"""Columns of a file that a message names."""


def is_table(columns: Sequence[str]) -> bool:
    """Whether columns of these names say enough to read requests."""
    return not isinstance(in_file(_NAME, TABLE, columns), NotTaken)


def read_table(lines: Iterable[bytes], now: int) -> Read:
    """Requests from the lines of a CSV file with a header. Raises UsageError where its columns do not say enough."""
    rest = iter(lines)
    header = next(rest, b"")
    table = in_file(_NAME, TABLE, columns_of(header))
    if isinstance(table, NotTaken):
        raise UsageError(f"The file cannot be read by its columns: {table.reason}. {_has(columns_of(header))}")
    return _requests(table, chain([header], rest), now)


def _requests(table: Table, lines: Iterable[bytes], now: int) -> Read:
    rows, seen = Rows(table, {}, now), Counter[bytes]()
    unknown_fields.tell(table.unused)
    for place, cells in csv_rows(lines):
        if isinstance(cells, Skipped):
            yield cells
            continue
        content = blake2b(repr(sorted(cells.items())).encode("utf-8", "surrogatepass"), digest_size=12).digest()
        seen[content] += 1
        meant = {meaning: cells.get(column) for meaning, column in table.columns.items()}
        taken = rows.request(meant, f"{content.hex()}-{seen[content]}")
        yield Skipped(place, taken.field, taken.problem) if isinstance(taken, Skipped) else taken


def _has(columns: Sequence[str]) -> str:
    named = ", ".join(clean_line(column, 40) for column in columns[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"It has {named}{more}." if named else "Its first line names none."
