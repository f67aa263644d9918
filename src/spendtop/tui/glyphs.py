"""The marks that pictures are made of: box drawing and blocks, or plain ASCII for terminals without them."""

from __future__ import annotations

from msgspec import Struct


class Glyphs(Struct, frozen=True, kw_only=True):
    """One complete set of marks; every one is a single cell wide."""

    across: str
    down: str
    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    tee: str
    """An axis with a tick."""
    rises: tuple[str, ...]
    """Columns of growing height, the last one full."""
    grows: tuple[str, ...]
    """Bars of growing length, the last one full."""
    rest: str
    """The empty part of a bar."""
    mark_100: str
    """Where 100 % lies within an overspent bar."""
    unpriced: str
    point: str
    """Of a line."""
    limit: str
    """Of the line of what a limit allows."""
    usual: str
    """Of the line of what is usual."""
    dots: bool
    """Whether braille can be drawn."""
    cut: str
    between: str
    into: str
    folded: str
    """Before what more rows are folded into."""
    up: str
    down_arrow: str
    live: str
    paused: str
    cursor: str
    marked: str
    good: str
    bad: str
    wait: str
    branch: str
    """Before a child that has younger ones."""
    last_branch: str


UNICODE = Glyphs(
    across="─",
    down="│",
    top_left="╭",
    top_right="╮",
    bottom_left="╰",
    bottom_right="╯",
    tee="┤",
    rises=("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
    grows=("▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"),
    rest="░",
    mark_100="┃",
    unpriced="▒",
    point="•",
    limit="═",
    usual="╌",
    dots=True,
    cut="…",
    between="·",
    into="→",
    folded="▸",
    up="▲",
    down_arrow="▼",
    live="●",
    paused="‖",
    cursor="▌",
    marked="*",
    good="✓",
    bad="✗",
    wait="…",
    branch="├",
    last_branch="└",
)

ASCII = Glyphs(
    across="-",
    down="|",
    top_left="+",
    top_right="+",
    bottom_left="+",
    bottom_right="+",
    tee="|",
    rises=(".", ":", "#"),
    grows=("-", "=", "#"),
    rest=".",
    mark_100="|",
    unpriced="?",
    point="o",
    limit="=",
    usual="-",
    dots=False,
    cut="~",
    between="|",
    into=">",
    folded="+",
    up="^",
    down_arrow="v",
    live="*",
    paused="=",
    cursor=">",
    marked="*",
    good="+",
    bad="x",
    wait="~",
    branch="|",
    last_branch="`",
)
