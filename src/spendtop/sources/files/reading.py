"""Which format the lines of a file have, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain

from spendtop.sources.files import Format, Read
from spendtop.sources.files.csv_rows import columns_of
from spendtop.sources.files.cursor import COLUMNS, usage_event
from spendtop.sources.files.exported import REQUIRED, read_csv, read_jsonl
from spendtop.sources.files.helicone import read_helicone
from spendtop.sources.files.json_rows import row_in
from spendtop.sources.files.langfuse import observation
from spendtop.sources.files.litellm import spend_log
from spendtop.sources.files.portkey import log
from spendtop.sources.files.rows import OtherTool
from spendtop.sources.files.table import is_table, read_table

_TOOLS: Mapping[Format, OtherTool] = {
    Format.LITELLM: OtherTool("LiteLLM", ("request_id", "call_type", "spend", "startTime"), spend_log),
    Format.LANGFUSE: OtherTool("Langfuse", ("id", "type", "traceId", "startTime"), observation),
    Format.PORTKEY: OtherTool("Portkey", ("id", "created_at", "ai_org", "ai_model"), log),
    Format.CURSOR: OtherTool("Cursor", COLUMNS, usage_event),
}


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
    **{held: tool.read for held, tool in _TOOLS.items()},
}
"""What reads lines as they are, given the present (UTC µs). Raises UsageError where they are something else."""


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
    return _tool_of(columns) or (Format.CSV if is_table(columns) else None)


def _tool_of(names: Collection[str]) -> Format | None:
    return next((held for held, tool in _TOOLS.items() if tool.wrote(names)), None)
