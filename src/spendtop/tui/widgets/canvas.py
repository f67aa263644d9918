"""Pictures made of lines: what our own widgets draw with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from spendtop.domain.cost_words import without_part_of_amount
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette

if TYPE_CHECKING:
    from spendtop.tui.face import Face

Piece = tuple[str, Style]
Line = Sequence[Piece]
_PLAIN = Style()
DIMMED = Style(dim=True, bold=False)
"""Of figures that may no longer be so."""
_AROUND_NOTE = 8
"""Cells of the frame around a title and a note."""
AROUND_TITLE = 6
"""The same around a title alone."""
_LEAST_PIECE = 6
"""Cells that a narrowed piece keeps."""


def fit(text: str, width: int, cut: str = "…") -> str:
    """`text` in exactly `width` cells, cut or padded on the right."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    return set_cell_size(without_part_of_amount(text, set_cell_size(text, width - 1)) + cut, width)


def fit_right(text: str, width: int, cut: str = "…") -> str:
    """`text` in exactly `width` cells, cut, or padded on the left."""
    if cell_len(text) >= width:
        return fit(text, width, cut)
    return " " * (width - cell_len(text)) + text


def fit_middle(text: str, width: int, cut: str = "…") -> str:
    """`text` in exactly `width` cells, cut in its middle, where identities differ least, or padded on the right."""
    if width < 3 or cell_len(text) <= width:
        return fit(text, width, cut)
    tail = (width - 1) // 2
    head, end = set_cell_size(text, width - 1 - tail), text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return fit(f"{head}{cut}{end}", width, cut)


def length(line: Line) -> int:
    """Cells that the line takes."""
    return sum(cell_len(text) for text, _ in line)


def spread(left: Line, right: Line, width: int, gap: Style) -> list[Piece]:
    """`left` and `right` at the ends of `width` cells; the left one is cut where they meet."""
    room = width - length(right)
    if room <= 0:
        return clip(right, width)
    kept = clip(left, room)
    return [*kept, (" " * (room - length(kept)), gap), *right]


def clip(line: Line, width: int, cut: str = "…") -> list[Piece]:
    """At most `width` cells of the line."""
    pieces: list[Piece] = []
    for text, style in line:
        size = cell_len(text)
        if size > width:
            pieces.append((fit(text, width, cut), style))
            return pieces
        pieces.append((text, style))
        width -= size
    return pieces


def narrowed(line: Line, width: int, cut: str = "…") -> list[Piece]:
    """The line in at most `width` cells, its longest pieces cut in their middles."""
    sizes = [cell_len(text) for text, _ in line]
    most = max(sizes, default=0)
    while most > _LEAST_PIECE and sum(min(size, most) for size in sizes) > width:
        most -= 1
    pieces = [
        (text if size <= most else fit_middle(text, most, cut), style)
        for (text, style), size in zip(line, sizes, strict=True)
    ]
    return clip(pieces, width, cut)


def laid_over(line: Line, style: Style, width: int) -> list[Piece]:
    """The line over its whole width in another style's background, as a cursor paints it."""
    rest = width - length(line)
    over = [(text, own + style) for text, own in line]
    return [*over, (" " * max(rest, 0), style)]


def joined(cells: Sequence[Piece]) -> list[Piece]:
    """Neighbours of equal style as one piece."""
    pieces: list[Piece] = []
    style: Style | None = None
    for text, own in cells:
        if own is style or own == style:
            pieces[-1] = (pieces[-1][0] + text, own)
        else:
            pieces.append((text, own))
            style = own
    return pieces


class Canvas(Widget):
    """A widget that draws lines. `redraw` after its data changed."""

    DEFAULT_CSS = "Canvas { height: 1; background: $background; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: list[Strip] | None = None
        self._drawn_for = (0, 0, "", _PLAIN)
        self._painted: tuple[Sequence[Strip], object] | None = None
        """What the terminal was given last, and what it was drawn for; None where all of it is to be given anew."""

    @property
    def palette(self) -> Palette:
        return self.face.palette

    @property
    def glyphs(self) -> Glyphs:
        return self.face.glyphs

    @property
    def face(self) -> Face:
        return cast("Face", self.app)

    def draw(self, width: int, height: int) -> Iterable[Line]:
        """The lines from top to bottom, each at most `width` cells; missing ones are blank."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew at the next paint."""
        self._drawn = None
        self.refresh()

    def _exchange_repaint_regions(self) -> Collection[Region]:
        """What is to be painted of it: not what the terminal has already."""
        regions = super()._exchange_repaint_regions()
        if not self.size:
            return regions
        picture, before = self._picture(), self._painted
        self._painted = picture, self._drawn_for
        if before is None or before[1] != self._drawn_for or len(before[0]) != len(picture):
            return regions
        return [*_changes(before[0], picture)]

    def notify_style_update(self) -> None:
        """A theme's change also changes what we draw."""
        self._drawn = None
        super().notify_style_update()

    @property
    def shade(self) -> Style:
        """Laid over all that is drawn."""
        return _PLAIN

    def render_line(self, y: int) -> Strip:
        picture = self._picture()
        if self._painted is not None and self._painted[0] is not picture:
            self._painted = None  # painted for another reason, and perhaps not all of it
        return picture[y] if y < len(picture) else Strip.blank(self.size.width, self.rich_style)

    def _picture(self) -> Sequence[Strip]:
        width, height = self.size
        shade = self.shade
        if self._drawn is None or self._drawn_for != (width, height, self.app.theme, shade):
            self._drawn_for = (width, height, self.app.theme, shade)
            base = self.rich_style
            self._drawn = [_strip(line, width, base, shade) for line in self.draw(width, height)]
        return self._drawn


def _changes(before: Sequence[Strip], after: Sequence[Strip]) -> Iterator[Region]:
    """In each line the cells from the first to the last that is another one."""
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        olds, news = [*old], [*new]
        if olds == news:
            continue
        first = _alike(olds, news)
        last = max(new.cell_length - _alike(olds[::-1], news[::-1]), first)
        yield Region(first, y, max(last - first, 1), 1)


def _alike(one: Sequence[Segment], other: Sequence[Segment]) -> int:
    """Cells of the segments at their beginnings that are the same."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(segment.cell_length for segment, _ in same)


def _strip(line: Line, width: int, base: Style, shade: Style) -> Strip:
    """The line over the widget's own colours, in exactly `width` cells."""
    pieces = [Segment(text, base + style + shade) for text, style in line if text]
    return Strip(pieces).adjust_cell_length(width, base)


class Panel(Canvas):
    """A framed picture with a title and a note in its frame."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.note: Line = ()

    @property
    def shade(self) -> Style:
        """A picture that may no longer be so is dimmed."""
        return DIMMED if getattr(self.screen, "is_dimmed", False) else _PLAIN

    @property
    def is_unread(self) -> bool:
        """Whether its screen has read nothing yet."""
        return not getattr(self.screen, "was_read", True)

    @property
    def unread(self) -> list[Line]:
        """What stands in place of all that was not read yet."""
        if self.face.unreadable_since is not None:
            return [[("cannot be read", self.palette.bad)]]
        return [[(self.glyphs.wait, self.palette.faint)]]

    @property
    def title_line(self) -> Line:
        """What stands in the frame's top left."""
        return ()

    @property
    def room_for_note(self) -> int:
        """Cells that a note may have beside the title; a longer one is left out."""
        return self.size.width - length(self.title_line) - _AROUND_NOTE

    def content(self, width: int, height: int) -> Iterable[Line]:
        """The lines inside the frame."""
        raise NotImplementedError

    def draw(self, width: int, height: int) -> list[Line]:
        if width < 4 or height < 3:
            return list(self.content(width, height))
        glyphs, edge = self.glyphs, self.palette.focus if self.has_focus else self.palette.line
        inside = width - 4
        down = (glyphs.down, edge)
        lines: list[Line] = [self._upper_edge(width, edge)]
        content = list(self.content(inside, height - 2))[: height - 2]
        for line in [*content, *[()] * (height - 2 - len(content))]:
            kept = clip(line, inside)
            lines.append([down, (" ", edge), *kept, (" " * (inside - length(kept) + 1), edge), down])
        bottom = glyphs.bottom_left + glyphs.across * (width - 2) + glyphs.bottom_right
        return [*lines, [(bottom, edge)]]

    def _upper_edge(self, width: int, edge: Style) -> Line:
        glyphs = self.glyphs
        title = narrowed(self.title_line, width - AROUND_TITLE, glyphs.cut)
        note = self.note if length(self.note) <= width - length(title) - _AROUND_NOTE else ()
        left: list[Piece] = [(glyphs.top_left + glyphs.across, edge)]
        if title:
            left += [(" ", edge), *title, (" ", edge)]
        right: list[Piece] = [(" ", edge), *note, (" ", edge)] if note else []
        right.append((glyphs.across + glyphs.top_right, edge))
        gap = width - length(left) - length(right)
        return clip([*left, (glyphs.across * max(gap, 0), edge), *right], width)
