"""Which format the lines of a file have, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from spendtop.sources.files import Format, Read
from spendtop.sources.files.exported import REQUIRED, columns_of, read_csv, read_jsonl
from spendtop.sources.files.helicone import read_helicone

READERS: Mapping[Format, Callable[[Iterable[bytes], int], Read]] = {
    Format.CSV: read_csv,
    Format.JSONL: read_jsonl,
    Format.HELICONE: read_helicone,
}
"""What reads lines as they are, given the present (UTC µs)."""


def format_of(first: bytes) -> Format | None:
    """The format that the first line shows; None for none that we know."""
    if not first.lstrip().startswith((b"{", b"[")):
        return Format.CSV if columns_of(first) >= REQUIRED else None
    try:
        line = msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(line, dict):
        line = line["data"] if isinstance(line.get("data"), list) else [line]
    row = next((each for each in line if isinstance(each, dict)), {})
    return Format.JSONL if "external_ids" in row else Format.HELICONE if "request_id" in row else None
