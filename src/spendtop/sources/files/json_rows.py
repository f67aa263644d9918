"""The rows of a JSON file: lines of objects, an array of them, or an answer that holds one, however it is laid out.

A file of lines is read line by line, so that a broken one spoils no other. Anything else is read as one document, of
which no more than one row is held at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain

import msgspec

from spendtop.sources.skipped import Skipped

JsonRow = dict[str, object]

_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\]]', re.DOTALL)
"""A whole text, the begin of one that is not all there, or a bracket."""
_LONGEST = 64 * 1024 * 1024
"""Bytes of a row."""
_AROUND_ROWS = (b"[", b"{[")
"""What is open where a row begins and ends."""
_ANSWER = "data"
"""Where an API's answer has its rows."""
_NO_OBJECT = "it has to be a JSON object"
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def json_rows(pieces: Iterable[bytes]) -> Iterator[tuple[str, JsonRow | Skipped]]:
    """Each row with its place, from the lines of a file or from parts of them."""
    rest = iter(pieces)
    for blank, first in enumerate(rest):
        if first.strip():
            whole = _is_line(first)
            yield from (_lines if whole else _document)(chain([first], rest), blank + 1)
            return


def row_in(head: bytes) -> JsonRow | None:
    """The first row of what a file begins with; None where none is whole."""
    return next((row for _, row in json_rows([head]) if isinstance(row, dict)), None)


def _is_line(piece: bytes) -> bool:
    """Whether it can be read by itself."""
    text = piece.strip()
    return text.startswith(b"{") and text.endswith(b"}") and len(piece) < _LONGEST


def _lines(lines: Iterable[bytes], number: int) -> Iterator[tuple[str, JsonRow | Skipped]]:
    for at, line in enumerate(lines, number):
        place = f"line {at}"
        if not line.strip():
            continue
        value = _decoded(line)
        answered = value.get(_ANSWER) if isinstance(value, dict) else None
        if not isinstance(answered, list):
            yield place, value if isinstance(value, dict) else Skipped(place, "", _NO_OBJECT)
            continue
        for position, row in enumerate(answered, 1):
            where = f"{place}, row {position}"
            yield where, row if isinstance(row, dict) else Skipped(where, "", _NO_OBJECT)


def _decoded(raw: bytes) -> object:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _document(pieces: Iterable[bytes], number: int) -> Iterator[tuple[str, JsonRow | Skipped]]:
    """The objects of the outermost array; the document begins on line `number`."""
    buffer, depth, rows = b"", b"", 0
    at, counted = 0, 0
    start: int | None = None
    for piece in pieces:
        buffer += piece
        while (mark := _MARK.search(buffer, at)) is not None and mark[0] != b'"':
            at = mark.end()
            if mark[0] == b"{" and depth in _AROUND_ROWS:
                start = mark.start()
                number += buffer.count(b"\n", counted, start)
                counted = start
            if mark[0] in b"{[":
                depth += mark[0]
            elif mark[0] in b"}]":
                depth = depth[:-1]
                if start is not None and depth in _AROUND_ROWS:
                    row, place = _decoded(buffer[start:at]), f"line {number}"
                    yield place, row if isinstance(row, dict) else Skipped(place, "", _NO_OBJECT)
                    rows, start = rows + 1, None
        done = at if start is None else start
        number += buffer.count(b"\n", counted, done)
        buffer, at, start, counted = buffer[done:], at - done, None if start is None else 0, 0
        if len(buffer) > _LONGEST:
            break
    if depth or buffer.strip():
        yield f"line {number}", Skipped(f"line {number}", "", "the JSON is cut off or damaged from here on")
    elif not rows:
        yield "line 1", Skipped("line 1", "", "it holds no array of JSON objects")
