"""The lines of a file that grows, also of a compressed one: in bounded memory, and each whole line once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import zstandard

from spendtop.sources.agents.bookmark import Bookmark, Tally, stamp_of
from spendtop.sources.agents.files import opened

LONGEST_LINE = 8 << 20
"""A longer one holds a conversation or a file: memory is not given to find a call in it."""
CHUNK = 1 << 20
_WINDOW = 8 << 20
"""Bytes that a compressed file may have one look back: Codex's look back 2 MB."""
_ENDS = (b"}", b"}\r")
"""Of a line that was written whole: each is an object."""

Wanted = Callable[[bytes], bool]
"""Whether a line can say something of a call, from its bytes alone."""


def lines(path: Path, wanted: Wanted, bookmark: Bookmark, tally: Tally) -> Iterator[bytes]:
    """The wanted lines behind `bookmark`, which moves to the end of each one before that is given out.

    A last line without its end is left for later. Raises OSError.
    """
    with opened(path) as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        if path.suffix == ".zst":
            yield from _unpacked(file, wanted, bookmark, tally)
        else:
            bookmark.resume(file, stamp)
            yield from _whole_lines(file.read, wanted, bookmark, tally)
        bookmark.settle(stamp)


def _unpacked(file: FileIO, wanted: Wanted, bookmark: Bookmark, tally: Tally) -> Iterator[bytes]:
    """A compressed file is read from its beginning: it does not grow."""
    bookmark.offset, bookmark.state = 0, None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    with decompressor.stream_reader(file, read_across_frames=True, closefd=False) as stream:
        try:
            yield from _whole_lines(stream.read, wanted, bookmark, tally)
        except zstandard.ZstdError:
            tally["damaged compressed files"] += 1


def _whole_lines(read: Callable[[int], bytes], wanted: Wanted, bookmark: Bookmark, tally: Tally) -> Iterator[bytes]:
    at = bookmark.offset
    rest = b""
    is_skipped = False
    while chunk := read(CHUNK):
        last = chunk.rfind(b"\n") + 1
        if not last:
            rest += chunk
            if is_skipped or len(rest) > LONGEST_LINE:
                if not is_skipped and wanted(rest):
                    tally["lines too long"] += 1
                at += len(rest)
                rest, is_skipped = b"", True
            continue
        whole = rest + chunk[:last] if rest else chunk[:last]
        rest = chunk[last:]
        for line in whole.split(b"\n")[:-1]:
            at += len(line) + 1
            if is_skipped:
                is_skipped = False
            elif not line.endswith(_ENDS):
                tally["malformed lines"] += bool(line.strip())
            elif wanted(line):
                bookmark.offset = at
                yield line
        bookmark.offset = at
