"""Cells of CSV files, so that no spreadsheet runs them and no terminal obeys them, and the way back.

Two things happen to a text. A `'` goes before one that a spreadsheet would take for a formula: its first character that
is no space is `=`, `+`, `-` or `@`, also of full width, or it begins with a tab or a line end. So that the way back is
certain, a text that has such quotes of its own before a formula gets one more. And characters that steer a terminal,
reorder or hide text are written as `\\u001b`; a backslash that already begins such a sequence is written as `\\u005c`.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from spendtop.domain.untrusted import Untrusted

_FORMULA = re.compile(r"'*(?:[\t\r\n]|[\s\u200c\u200d]*[=+\-@＝＋－＠])")
_SEQUENCE = r"u[0-9a-f]{4}|U000[0-9a-f]{5}"
_TO_ESCAPE = re.compile(
    rf"\\(?={_SEQUENCE})|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_ESCAPED = re.compile(rf"\\({_SEQUENCE})")


def cell(value: object) -> str:
    """A cell of a CSV file: empty where nothing is known, numbers without an exponent, lists and objects as JSON."""
    match value:
        case None:
            return ""
        case Untrusted():
            return neutralised(value.raw)
        case str():
            return neutralised(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            return f"{Decimal(str(value)):f}"
        case _:
            return neutralised(json.dumps(value, ensure_ascii=False)) if value else ""


def neutralised(text: str) -> str:
    """`text` as a cell that is harmless in spreadsheets and terminals."""
    quoted = f"'{text}" if _FORMULA.match(text) else text
    if quoted.isascii() and quoted.isprintable() and "\\" not in quoted:
        return quoted
    return _TO_ESCAPE.sub(_escape, quoted)


def restored(cell: str) -> str:
    """The text that `neutralised` made this cell from."""
    text = _ESCAPED.sub(_unescape, cell) if "\\" in cell else cell
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1][1:], 16))
