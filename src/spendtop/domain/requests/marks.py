"""Signs behind a request's cost in lists, where there is no room for words."""

from __future__ import annotations

from typing import NamedTuple

from spendtop.domain.requests.request import Cost


class Mark(NamedTuple):
    """One sign; the legend has its name and meaning."""

    sign: str
    name: str
    meaning: str


PARTIAL = Mark("+", "partial", "a part of what it used has no price and is not in its cost")
DOUBTFUL = Mark("?", "doubtful", "its reported cost is far from the computed one: one of them is wrong")
TWIN = Mark("=", "twin", "probably a call that another source counts too")
MARKS = (PARTIAL, DOUBTFUL, TWIN)


def marks(cost: Cost, twin: int | None) -> tuple[Mark, ...]:
    """Those of a request, `twin` being the id of its probable twin."""
    applies = (cost.partial, cost.doubtful, twin is not None)
    return tuple(mark for mark, does in zip(MARKS, applies, strict=True) if does)
