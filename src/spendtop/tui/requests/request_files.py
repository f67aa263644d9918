"""Requests from the list into a file or as text to paste. What is read is imported when it is needed, in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.untrusted import clean_line

if TYPE_CHECKING:
    from spendtop.domain.filters import FilterContext
    from spendtop.services.request_export import Pages
    from spendtop.store.engine import Store
    from spendtop.store.reads.requests import RequestQuery
    from spendtop.store.reads.rows import RequestRow

_TABLE = ("occurred_at", "user_id", "model", "prompt_tokens", "completion_tokens", "cost_usd", "status", "latency_ms")


def write_listed(path: Path, kind: str, store: Store, query: RequestQuery, context: FilterContext) -> int:
    """Write all that the query selects as `csv` or `jsonl` into a new file; returns how many.

    Raises CannotCreate, CannotWrite.
    """
    from spendtop.services.request_export import pages

    return _write(path, kind, pages(store, query, context))


def write_marked(path: Path, kind: str, store: Store, marks: Iterable[int]) -> int:
    """Write the requests with these ids, in their order. Raises CannotCreate, CannotWrite."""
    return _write(path, kind, _marked(store, marks))


def as_table(rows: Iterable[RequestRow]) -> str:
    """Rows separated by tabs, cleaned, for a spreadsheet's or a chat's paste."""
    from spendtop.services.request_export import record

    lines = ["\t".join(_TABLE)]
    for row in rows:
        values = dict(record(row))
        lines.append("\t".join(clean_line("" if values[name] is None else str(values[name])) for name in _TABLE))
    return "\n".join(lines) + "\n"


def as_json(row: RequestRow) -> str:
    """All fields of one request as indented JSON in ASCII."""
    from spendtop.services.request_export import ascii_json, record

    return ascii_json(record(row), indent=2)


def _write(path: Path, kind: str, pages: Pages) -> int:
    from spendtop.services.export_files import create
    from spendtop.services.request_export import FORMATS, counting

    counts = [0]
    create(path.expanduser(), FORMATS[kind](counting(pages, counts.append)))
    return counts[-1]


def _marked(store: Store, marks: Iterable[int]) -> Iterator[Sequence[RequestRow]]:
    from spendtop.store.reads.detail import detail

    for request_id in marks:
        with store.reading() as connection:
            found = detail(connection, request_id)
        if found is not None:
            yield [found.row]
