"""The lines of a file, of standard input, or of what gzip made of them."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from spendtop.domain.errors import NoPermission, UsageError
from spendtop.sources.files import Format, Read
from spendtop.sources.files.reading import READERS, format_of

STDIN = "-"
_LONGEST = 64 * 1024 * 1024
"""Bytes of a line; the rest of a longer one counts as another, which is no request either."""
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_LONGEST_HEAD = 1024 * 1024
"""Bytes in which the first row of a JSON document ends."""
_KNOWN = (
    "a CSV or JSONL file of `spendtop export`, Helicone's rows as JSON lines, what Cursor, Langfuse, LiteLLM or Portkey"
    " export, or a CSV file with a header: a column with the time (`timestamp`, `created_at`, `date`) and some of"
    " `model`, `provider`, `user`, `session`, `input_tokens`, `output_tokens`, `cost_usd`, `latency_ms`, `status`, `id`"
)


@contextmanager
def reading(name: str, held: Format | None, now: int) -> Iterator[Read]:
    """What a file holds, until the block ends. `held` None finds its format out.

    Raises UsageError for a file that is not there, is damaged or has no format that we know, and NoPermission.
    """
    shown = "Standard input" if name == STDIN else name
    try:
        with _opened(name) as stream:
            yield _read(stream, held, now, shown)
    except PermissionError:
        raise NoPermission(f"{shown} cannot be read. Give yourself read access (chmod u+r).") from None
    except FileNotFoundError:
        raise UsageError(f"There is no file {shown}.") from None
    except IsADirectoryError:
        raise UsageError(f"{shown} is a folder. Name the files in it.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError(f"{shown} is cut off or damaged, as gzip says. What came before that is recorded.") from None


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        yield _unpacked(cast(BufferedReader, sys.stdin.buffer))
        return
    with Path(name).open("rb") as file:
        yield _unpacked(file)


def _unpacked(file: BufferedReader) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if file.peek(2).startswith(_GZIP) else file


def _read(stream: BinaryIO, held: Format | None, now: int, shown: str) -> Read:
    lines = iter(lambda: stream.readline(_LONGEST), b"")
    if held is None:
        head = list(_head(lines))
        if not any(map(bytes.strip, head)):
            raise UsageError(f"{shown} is empty. It has to be {_KNOWN}.")
        held = format_of(b"".join(head).lstrip())
        if held is None:
            raise UsageError(f"{shown} is not {_KNOWN}. Say which with --format or --from if it is.")
        lines = chain(head, lines)
    return READERS[held](lines, now)


def _head(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines up to the first with content; of a JSON document that is laid out in lines, some more."""
    size, is_document = 0, False
    for line in lines:
        yield line
        size += len(line)
        if not is_document and (text := line.strip().removeprefix(_BOM)):
            is_document = text.startswith((b"{", b"[")) and not text.endswith((b"}", b"]"))
            if not is_document:
                return
        if size > _LONGEST_HEAD:
            return
