"""What the terminal shows, cell by cell, so that an update sends only the cells that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

_ATTRIBUTES = (
    ("bold", "1"),
    ("dim", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("reverse", "7"),
    ("strike", "9"),
)
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""What ends an attribute; bold and dim end together."""
_INVISIBLE_ON_SPACE = frozenset({"1", "2", "3"})
_GAP = 4
"""Up to so many unchanged cells are written again, which costs no more than moving the cursor over them."""


class Look(NamedTuple):
    """Colours and attributes of a cell as SGR parameters. None means: any will do (the foreground of a space)."""

    attributes: frozenset[str] | None
    foreground: str | None
    background: str


class Cell(NamedTuple):
    """One column of one row. The second column of a wide character holds an empty text."""

    text: str
    look: Look


PLAIN = Look(frozenset(), "", "")


class Terminal:
    """The terminal's picture as far as we painted it."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell | None]] = {}
        self._size = (0, 0)
        self._looks: dict[Style | None, tuple[Look, Look]] = {}
        self._colors: ColorSystem | None = None
        self.written = 0
        """Characters sent so far."""

    def forget(self) -> None:
        """The terminal was used by someone else: the next update paints every cell that it covers."""
        self._rows.clear()

    def render(self, update: CompositorUpdate, colors: ColorSystem) -> str | None:
        """The shortest text that turns the picture into the updated one; None for an update of another kind."""
        if colors is not self._colors:
            self._looks.clear()
            self._colors = colors
        pen = _Pen()
        if isinstance(update, LayoutUpdate):
            region = update.region
            if (region.width, region.height) != self._size:
                self._size = (region.width, region.height)
                self.forget()
            for y, strips in enumerate(update.strips, region.y):
                self._paint(pen, y, region.x, strips)
        elif isinstance(update, ChopsUpdate):
            for y, x, strip in _changed_strips(update):
                self._paint(pen, y, x, (strip,))
        else:
            return None
        text = pen.finish()
        self.written += len(text)
        return text

    def _paint(self, pen: _Pen, y: int, x: int, strips: Iterable[Strip]) -> None:
        new = self._cells(strips)
        row = self._rows.setdefault(y, [])
        if len(row) < x + len(new):
            row.extend([None] * (x + len(new) - len(row)))
        if row[x : x + len(new)] == new:
            return
        for column, cell in enumerate(new, x):
            if row[column] != cell:
                if cell.text:
                    pen.write(y, column, cell, row)
                row[column] = cell

    def _cells(self, strips: Iterable[Strip]) -> list[Cell]:
        cells: list[Cell] = []
        for strip in strips:
            for text, style, control in strip:
                if control:
                    continue
                ink, blank = self._look(style)
                for char in text:
                    if char == " ":
                        cells.append(Cell(char, blank))
                    elif char.isascii() or (width := cell_len(char)) == 1:
                        cells.append(Cell(char, ink))
                    elif width == 2:
                        cells += (Cell(char, ink), Cell("", ink))
                    elif cells:
                        before = -2 if not cells[-1].text and len(cells) > 1 else -1
                        cells[before] = Cell(cells[before].text + char, cells[before].look)
        return cells

    def _look(self, style: Style | None) -> tuple[Look, Look]:
        """How the style paints ink, and how it paints a space."""
        look = self._looks.get(style)
        if look is None:
            look = self._looks[style] = _looks(style, self._colors or ColorSystem.TRUECOLOR)
        return look


class _Pen:
    """Collects text and cursor moves, and knows where the cursor is and what style is set."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._at = (-1, -1)
        self._look = PLAIN

    def write(self, y: int, x: int, cell: Cell, row: list[Cell | None]) -> None:
        if self._at != (y, x):
            self._move(y, x, row)
        self._put(cell)
        self._at = (y, x + (2 if cell_len(cell.text[0]) == 2 else 1))

    def finish(self) -> str:
        """All of it, ending in the terminal's default style."""
        if self._look != PLAIN:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)

    def _move(self, y: int, x: int, row: list[Cell | None]) -> None:
        old_y, old_x = self._at
        if old_y != y or old_x < 0:
            self._parts.append(f"\x1b[{y + 1};{x + 1}H")
            return
        gap = row[old_x:x] if old_x < x else []
        if 0 < len(gap) <= _GAP and all(cell and cell.text.isascii() and cell.text for cell in gap):
            for cell in gap:
                if cell:
                    self._put(cell)
        else:
            self._parts.append(f"\x1b[{x + 1}G")

    def _put(self, cell: Cell) -> None:
        if cell.look != self._look:
            self._set_look(cell.look)
        self._parts.append(cell.text)

    def _set_look(self, wanted: Look) -> None:
        now = self._look
        have = now.attributes or frozenset()
        attributes = wanted.attributes if wanted.attributes is not None else have & _INVISIBLE_ON_SPACE
        foreground = now.foreground if wanted.foreground is None else wanted.foreground
        ended = {_ENDS[code] for code in have - attributes}
        kept = {code for code in have if _ENDS[code] not in ended}
        codes = sorted(ended) + sorted(attributes - kept)
        if foreground != now.foreground:
            codes.append(foreground or "39")
        if wanted.background != now.background:
            codes.append(wanted.background or "49")
        self._look = Look(attributes, foreground, wanted.background)
        if codes:
            self._parts.append(f"\x1b[{';'.join(codes)}m")


def _looks(style: Style | None, colors: ColorSystem) -> tuple[Look, Look]:
    if style is None:
        return PLAIN, Look(None, None, "")
    attributes = frozenset(code for name, code in _ATTRIBUTES if getattr(style, name))
    foreground = style.color.downgrade(colors).get_ansi_codes() if style.color else ()
    background = style.bgcolor.downgrade(colors).get_ansi_codes(False) if style.bgcolor else ()
    ink = Look(
        attributes,
        "" if foreground == ("39",) else ";".join(foreground),
        "" if background == ("49",) else ";".join(background),
    )
    return ink, ink if attributes - _INVISIBLE_ON_SPACE else Look(None, None, ink.background)


def _changed_strips(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Row, column and content of each piece that the update touches."""
    for y, start, end in update.spans:
        for x, strip in update.chops[y].items():
            if strip is not None and x < end and x + strip.cell_length > start:
                yield y, x, strip
