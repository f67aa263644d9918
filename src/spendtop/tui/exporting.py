"""Requests into a file: CSV for spreadsheets, JSON lines for programs. Exactly the fields that the API gives."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from spendtop.domain.clock import to_iso
from spendtop.domain.errors import CannotCreate, CannotWrite
from spendtop.domain.untrusted import Untrusted, clean_line

if TYPE_CHECKING:
    from spendtop.domain.money import Usd
    from spendtop.store.reads.rows import RequestRow

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_TABLE = ("occurred_at", "user_id", "model", "prompt_tokens", "completion_tokens", "cost_usd", "status", "latency_ms")
_BEGINS_CELL = ("\t", "\r", "\n")


def record(row: RequestRow) -> dict[str, Any]:
    """One request as JSON values."""
    return {
        "id": str(row.id),
        "external_ids": row.external_ids,
        "occurred_at": to_iso(row.occurred_at),
        "time_source": row.time_source,
        "received_at": to_iso(row.received_at),
        "provider": _raw(row.provider),
        "model": _raw(row.model),
        "status": row.status.value,
        "http_status": row.http_status,
        "user_id": _raw(row.user_id),
        "session_id": _raw(row.session_id),
        "session_path": _raw(row.session_path),
        "token": _raw(row.token),
        "properties": row.properties,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "total_tokens": row.total_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": _usd(row.cost),
        "cost_nanousd": None if row.cost is None else row.cost.nano,
        "basis": row.basis.value,
        "reported_cost_usd": _usd(row.reported_cost),
        "computed_cost_usd": _usd(row.computed_cost),
        "verified": row.verified,
        "cached": row.cached,
        "latency_ms": row.latency_ms,
        "ttft_ms": row.ttft_ms,
        "sources": list(row.sources),
    }


def write_file(path: Path, kind: str, rows: Iterable[RequestRow]) -> int:
    """Write the rows as `csv` or `jsonl`, readable by this user only; returns how many.

    The file appears when it is complete, and never replaces another one. Raises CannotCreate, CannotWrite.
    """
    path = path.expanduser().absolute()
    writers: Mapping[str, Callable[[IO[str], Iterable[RequestRow]], int]] = {"csv": _csv, "jsonl": _jsonl}
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}. Give another path.") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            count = writers[kind](file, rows)
        os.link(part, path)
    except FileExistsError:
        raise CannotCreate(f"{path} is there already and is not replaced. Give another path.") from None
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}. Give another path.") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return count


def as_table(rows: Iterable[RequestRow]) -> str:
    """Rows separated by tabs, cleaned, for a spreadsheet's or a chat's paste."""
    names = (
        "occurred_at",
        "user_id",
        "model",
        "prompt_tokens",
        "completion_tokens",
        "cost_usd",
        "status",
        "latency_ms",
    )
    lines = ["\t".join(names)]
    for row in rows:
        values = record(row)
        lines.append("\t".join(clean_line("" if values[name] is None else str(values[name])) for name in _TABLE))
    return "\n".join(lines) + "\n"


def cell(value: object) -> object:
    """A CSV cell: text that a spreadsheet would run as a formula is defused, numbers stay numbers."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=True) if value else ""
    if not isinstance(value, str):
        return "" if value is None else value
    cleaned = "\n".join(clean_line(line, len(line) + 8) for line in value.split("\n"))
    defused = value.startswith(_BEGINS_CELL) or value.lstrip().startswith(_FORMULA)
    return f"'{cleaned}" if defused else cleaned


def _csv(file: IO[str], rows: Iterable[RequestRow]) -> int:
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    count = 0
    for count, values in enumerate(map(record, rows), start=1):
        if count == 1:
            writer.writerow(values)
        writer.writerow([cell(value) for value in values.values()])
    return count


def _jsonl(file: IO[str], rows: Iterable[RequestRow]) -> int:
    count = 0
    for count, values in enumerate(map(record, rows), start=1):  # noqa: B007
        file.write(json.dumps(values, ensure_ascii=True) + "\n")
    return count


def _raw(text: Untrusted | None) -> str | None:
    return None if text is None else text.raw


def _usd(amount: Usd | None) -> float | None:
    return None if amount is None else float(amount.dollars)
