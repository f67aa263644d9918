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
_KNOWN = "a CSV or JSONL file of `spendtop export`, or Helicone's rows as JSON lines"


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
        head = _head(lines)
        if not head:
            raise UsageError(f"{shown} is empty. It has to be {_KNOWN}.")
        held = format_of(head[-1])
        if held is None:
            raise UsageError(f"{shown} is not {_KNOWN}. Say which with --format if it is.")
        lines = chain(head, lines)
    return READERS[held](lines, now)


def _head(lines: Iterator[bytes]) -> list[bytes]:
    """The lines up to the first with content; none where there is no such line."""
    head: list[bytes] = []
    for line in lines:
        head.append(line)
        if line.strip():
            return head
    return []
