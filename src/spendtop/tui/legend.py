"""What every sign means that lists, panels and the header draw: the legend in help is made from it."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.requests.marks import MARKS
from spendtop.tui.glyphs import Glyphs

OF_GLYPHS: Mapping[str, tuple[str, str]] = {
    "live": ("live", "a collector records; the list follows what arrives; a session is active"),
    "paused": ("paused", "the collector records nothing for now"),
    "wait": ("not read", "what stands here is not read yet"),
    "cursor": ("cursor", "the row that keys act on"),
    "marked": ("marked", "a row that copy, export or diff are about"),
    "good": ("good", "done, verified, or in order"),
    "bad": ("failed", "a session whose last request ended with an error"),
    "up": ("more", "the order rises; more than before; unusual spend; a limit that is raised"),
    "down_arrow": ("less", "the order falls; less than before; a limit whose entities are shown"),
    "into": ("leads to", "from one time or figure to another"),
    "folded": ("folded", "a limit whose entities are folded into one row"),
    "cut": ("cut", "text was left out here; money never is"),
    "unpriced": ("unpriced", "in a chart: requests whose cost is not known, which are in no bar"),
    "limit": ("limit", "in a chart: what the limit allows"),
    "usual": ("usual", "in a chart: what is usual at this time"),
    "point": ("balance", "in a chart by days: the balance, or what a line stands for"),
    "mark_100": ("mark", "in a bar: where 100 % is, or a threshold"),
}
"""Name and meaning, by the attribute of `Glyphs`."""

_FRAMES = ("across", "down", "top_left", "top_right", "bottom_left", "bottom_right", "tee", "branch", "last_branch")
OF_PICTURES = frozenset((*_FRAMES, "rises", "grows", "rest", "dots", "between"))
"""Attributes that frame, fill and join, and say nothing by themselves."""

_IN_WORDS = (
    ("+3?", "unpriced", "the cost of 3 requests is not known, or only in part: that is not in the amount"),
    *MARKS,
    ("( )", "shadow", "a cost in parentheses is in no total, as another source counts the request"),
    ("!429", "error", "the status of a request that ended with an error"),
    ("~499", "cancelled", "the status of a request that was cancelled"),
    (
        "!",
        "attention",
        "a limit that is approached, an open alert, a session that looks like a loop, a collector amiss",
    ),
    ("!! X", "exceeded", "a limit that is exceeded, in the header and in lists"),
    ("!6", "alerts", "in the header: 6 open alerts that nobody took on"),
    ("+", "acked", "before an alert: somebody takes care of it"),
    ("z", "snoozed", "before an alert: it is put off, or silenced"),
)


def legend(glyphs: Glyphs) -> list[tuple[str, str, str]]:
    """Sign, name and meaning of each, as they are drawn with these glyphs."""
    drawn = [(getattr(glyphs, name), *words) for name, words in OF_GLYPHS.items()]
    return [*_IN_WORDS, *drawn]
