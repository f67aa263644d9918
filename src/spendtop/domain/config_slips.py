"""What is wrong with a configuration, a slip a line (`file:line: [section] key: what`), in few words."""

from __future__ import annotations

import re

from spendtop.domain.untrusted import clean_line

_FOLDERS = re.compile(r"^[^:]*/(?=[^/:]+:\d+)")


def first_slip(reason: str) -> str:
    """The first slip, with the file's name alone, and how many more there are: what a narrow line has room for."""
    first, *others = reason.splitlines() or [""]
    more = f" (and {len(others)} more)" if others else ""
    return clean_line(_FOLDERS.sub("", first)) + more
