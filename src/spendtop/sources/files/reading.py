"""Which format the lines of a file have, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial
from itertools import chain

from spendtop.sources.files import Format, Read
from spendtop.sources.files.csv_rows import columns_of
from spendtop.sources.files.exported import REQUIRED, read_csv, read_jsonl
from spendtop.sources.files.helicone import read_helicone
from spendtop.sources.files.json_rows import row_in
from spendtop.sources.files.langfuse import observation
from spendtop.sources.files.litellm import spend_log
from spendtop.sources.files.portkey import log
from spendtop.sources.files.rows import plain, read_rows
from spendtop.sources.files.table import is_table, read_table


def _read_any_csv(lines: Iterable[bytes], now: int) -> Read:
    """Our own export is known by its columns. Raises UsageError where columns do not say enough."""
    rest = iter(lines)
    header = next(rest, b"")
    is_ours = frozenset(columns_of(header)) >= REQUIRED
    return (read_csv if is_ours else read_table)(chain([header], rest), now)


READERS: Mapping[Format, Callable[[Iterable[bytes], int], Read]] = {
    Format.CSV: _read_any_csv,
    Format.JSONL: read_jsonl,
    Format.HELICONE: read_helicone,
    Format.LANGFUSE: partial(read_rows, request_of=observation),
    Format.LITELLM: partial(read_rows, request_of=spend_log),
    Format.PORTKEY: partial(read_rows, request_of=log),
}
"""What reads lines as they are, given the present (UTC µs)."""

_TOOLS: Mapping[Format, frozenset[str]] = {
    Format.LITELLM: frozenset({"calltype", "spend", "starttime"}),
    Format.LANGFUSE: frozenset({"type", "traceid", "starttime"}),
    Format.PORTKEY: frozenset({"aimodel", "aiorg"}),
}
"""What rows of other tools have, in names as `plain` makes them."""


def format_of(head: bytes) -> Format | None:
    """The format that the begin of a file shows, up to its first row; None for none that we know."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        row = row_in(head)
        if row is None or "external_ids" in row:
            return None if row is None else Format.JSONL
        return _tool_of(row.keys()) or (Format.HELICONE if "request_id" in row else None)
    columns = columns_of(head)
    if frozenset(columns) >= REQUIRED:
        return Format.CSV
    return _tool_of(frozenset(columns)) or (Format.CSV if is_table(columns) else None)


def _tool_of(names: Set[str]) -> Format | None:
    plain_names = frozenset(map(plain, names))
    return next((tool for tool, needed in _TOOLS.items() if needed <= plain_names), None)
