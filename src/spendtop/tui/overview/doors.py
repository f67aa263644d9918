"""Where the rows of the Overview lead: to filters that list what is behind a figure."""

from __future__ import annotations

import re

from spendtop.domain.filters.filters import FilterError, fields_of, parse_filter
from spendtop.tui.selection import Selection

_TIMES = re.compile(r"(?:^|(?<=\s))(?:~t(?:ime)?\s+|t(?:ime)?:)\S+\s*")


def without_time(selection: Selection) -> Selection:
    """What is listed at any time: a chart has a window of its own. As it is where its times are parts of something."""
    text = _TIMES.sub("", selection.text).strip()
    try:
        kept = parse_filter(text)
    except FilterError:
        return selection
    is_all = fields_of(kept) == fields_of(selection.filter) - {"time"}
    return Selection(text=text, filter=kept) if is_all else selection


def joined(*filters: str) -> str:
    """What all of them select."""
    parts = [f"({each})" if "|" in each else each for each in filters if each.strip()]
    return " ".join(parts)
