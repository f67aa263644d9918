"""What the screens say by colour, as styles. Every state also has a letter or a shape of its own."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from rich.color import Color
from rich.style import Style

from spendtop.domain.limits.measure import LimitedValue


class Palette(Struct, frozen=True, kw_only=True):
    """One style per meaning. Styles name no background unless it is their point."""

    text: Style
    strong: Style
    muted: Style
    faint: Style
    line: Style
    """Frames and rules."""
    focus: Style
    """The frame of what has the keyboard."""
    title: Style
    key: Style
    """A key that can be pressed."""
    money: Style
    plan: Style
    """What usage under a plan would have cost: no money."""
    who: Style
    model: Style
    good: Style
    warn: Style
    bad: Style
    unknown: Style
    """A cost that is not known."""
    cached: Style
    test: Style
    bar: Style
    rest: Style
    chart: Style
    peak: Style
    header: Style
    """The status line."""
    tab: Style
    """The open screen's name."""
    cursor: Style
    """Laid over the selected row."""
    mark: Style
    found: Style
    """A match of a search."""
    banner: Style
    """Something unusual is on, such as a pause."""

    def value(self, measure: LimitedValue) -> Style:
        """Of an amount that counts against a limit."""
        return self.money if measure is LimitedValue.SPEND else self.plan


PLAIN = Palette(
    text=Style(),
    strong=Style(bold=True),
    muted=Style(),
    faint=Style(dim=True),
    line=Style(dim=True),
    focus=Style(),
    title=Style(bold=True),
    key=Style(bold=True),
    money=Style(bold=True),
    plan=Style(italic=True),
    who=Style(),
    model=Style(),
    good=Style(),
    warn=Style(bold=True),
    bad=Style(bold=True),
    unknown=Style(italic=True),
    cached=Style(dim=True),
    test=Style(italic=True),
    bar=Style(),
    rest=Style(dim=True),
    chart=Style(),
    peak=Style(bold=True),
    header=Style(reverse=True),
    tab=Style(bold=True, reverse=True),
    cursor=Style(reverse=True),
    mark=Style(bold=True),
    found=Style(reverse=True),
    banner=Style(bold=True, reverse=True),
)
"""Emphasis alone, for terminals and people without colour."""

ROLES = Palette.__struct_fields__
BACKGROUND_ROLES = ("header", "tab", "cursor", "found", "banner")
"""Roles whose colour may be a pair: text on background."""
_EMPHASIS = {"strong", "title", "money", "mark", "banner", "tab", "key"}


def palette_of(colors: Mapping[str, tuple[str, str | None]]) -> Palette:
    """A palette from foreground and background per role, in names that rich understands."""
    styles = {
        role: Style(
            color=_color(foreground), bgcolor=_color(background) if background else None, bold=role in _EMPHASIS or None
        )
        for role, (foreground, background) in colors.items()
    }
    return Palette(**styles)


def _color(name: str) -> Color:
    """A hex colour, or one of the terminal's own (`ansi_red`, `ansi_default`)."""
    return Color.parse(name.removeprefix("ansi_"))
