"""JSON to read: a line for each value, its key in another colour."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from contextlib import suppress

from rich.cells import cell_len, chop_cells

from spendtop.domain.untrusted import clean_text
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line


def json_lines(text: str, width: int | None, palette: Palette) -> Iterator[Line]:
    """What is no JSON as it is; in so many cells, where that is said."""
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    for line in clean_text(text).split("\n"):
        for piece in (line,) if width is None else wrap(line, width):
            yield _json_line(piece, palette)


def wrap(line: str, width: int) -> list[str]:
    """One line as several that fit; words stay whole where they can."""
    if cell_len(line) <= width:
        return [line]
    broken = textwrap.wrap(line, width, replace_whitespace=False, break_on_hyphens=False)
    return [part for piece in broken for part in chop_cells(piece, width)] or [""]


def _json_line(line: str, palette: Palette) -> Line:
    """A line of indented JSON with its key in another colour."""
    body = line.lstrip(" ")
    if not body.startswith('"') or '": ' not in body:
        return [(line, palette.text)]
    key, _, value = body.partition('": ')
    return [(" " * (len(line) - len(body)), palette.text), (f'{key}"', palette.model), (f": {value}", palette.text)]
