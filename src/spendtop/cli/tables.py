"""How commands print: aligned plain tables, money with what is unknown, and CSV that no spreadsheet executes."""

from __future__ import annotations

import csv
import io
import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spendtop.domain.spreadsheet import cell
from spendtop.domain.untrusted import Untrusted, clean_line

if TYPE_CHECKING:
    from spendtop.domain.windows import Calendar

_GAP = "  "
_LONGEST = 40
"""Characters of a name from outside that a column shows before others."""
_COLOURS = {
    **dict.fromkeys(("error", "exceeded", "dead", "failed"), 31),
    **dict.fromkeys(("ok", "sent", "resolved"), 32),
    **dict.fromkeys(("warning", "approaching", "unpriced"), 33),
}


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lines of aligned columns; a header that begins with `>` makes its column end at the right. None is `-`.

    Text from outside has to be `Untrusted`; unless it is in the last column, a long one is cut.
    """
    names = [header.removeprefix(">") for header in headers]
    cells = [[*map(_cut, row[:-1]), _whole(row[-1])] for row in rows]
    widths = [max(_width(line[column]) for line in [names, *cells]) for column in range(len(names))]
    to_right = [header.startswith(">") for header in headers]
    coloured = is_coloured()
    return "\n".join(
        _GAP.join(
            _aligned(cell, width, right, _COLOURS.get(cell) if coloured and line is not names else None)
            for cell, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()
        for line in [names, *cells]
    )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def is_coloured() -> bool:
    """Whether stdout is a terminal that shows colours to somebody who wants them."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def local_time(micros: int | None, calendar: Calendar) -> str:
    """An instant (UTC µs) by local clocks, to the minute; `-` for none."""
    return "-" if micros is None else f"{calendar.local(micros):%Y-%m-%d %H:%M}"


def csv_text(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV with every cell quoted; text that a spreadsheet would take for a formula gets a `'` in front."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(headers)
    writer.writerows([map(cell, row) for row in rows])
    return file.getvalue()


def _whole(value: object) -> str:
    return "-" if value is None else str(value)


def _cut(value: object) -> str:
    return clean_line(value.raw, _LONGEST) if isinstance(value, Untrusted) else _whole(value)


def _aligned(cell: str, width: int, right: bool, colour: int | None) -> str:
    space = " " * (width - _width(cell))
    shown = cell if colour is None else f"\x1b[{colour}m{cell}\x1b[0m"
    return space + shown if right else shown + space


def _width(text: str) -> int:
    """Terminal cells."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
