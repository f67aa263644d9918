"""What a picture sends to the terminal: only the cells that are others than before."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import App, ComposeResult
from textual.geometry import Region

from spendtop.tui.glyphs import UNICODE
from spendtop.tui.palette import PLAIN
from spendtop.tui.widgets.canvas import Canvas, Line, length, narrowed


class Slate(Canvas):
    """Lines as they were written on it."""

    DEFAULT_CSS = "Slate { height: 3; width: 20; }"
    lines: tuple[str, ...] = ("spend $1.00 today", "limits", "users")
    painted: tuple[Region, ...] = ()

    def draw(self, width: int, height: int) -> Iterable[Line]:
        return [[(word + " ", PLAIN.text) for word in line.split()] for line in self.lines]

    def _exchange_repaint_regions(self) -> list[Region]:
        self.painted = tuple(super()._exchange_repaint_regions())
        return [*self.painted]

    def write(self, *lines: str) -> None:
        self.lines, self.painted = lines, ()
        self.redraw()


class Wall(App[None]):
    palette, glyphs, unreadable_since = PLAIN, UNICODE, None

    def compose(self) -> ComposeResult:
        yield Slate()


def test_a_line_without_room_keeps_both_ends_of_its_longest_piece() -> None:
    line = [("team-", PLAIN.text), ("a" * 150 + "b" * 150, PLAIN.text), (" 24h", PLAIN.text)]
    assert "".join(text for text, _ in narrowed(line, 20)) == "team-aaaaa…bbbbb 24h"
    assert narrowed(line, 400) == line
    assert length(narrowed(line, 3)) == 3


async def test_only_cells_that_changed_are_painted_and_all_of_them() -> None:
    app = Wall()
    async with app.run_test(size=(30, 6)) as pilot:
        slate = app.query_one(Slate)
        slate.write("spend $1.00 today", "limits", "nobody")
        await pilot.pause()
        slate.write("spend $1.25 today", "limits", "nobody")
        await pilot.pause()
        assert slate.painted == (Region(6, 0, 6, 1),)
        slate.write("spend $1.25 today", "limits", "nobody")
        await pilot.pause()
        assert not slate.painted
        slate.write("spend $1.25 today now", "", "nobody")
        await pilot.pause()
        assert [region.y for region in slate.painted] == [0, 1]
        shown = [slate.render_line(y).text.rstrip() for y in range(3)]
        assert shown == ["spend $1.25 today", "", "nobody"] or shown[0].startswith("spend $1.25 today n")


async def test_another_size_is_painted_whole() -> None:
    app = Wall()
    async with app.run_test(size=(30, 6)) as pilot:
        slate = app.query_one(Slate)
        slate.styles.width = 12
        await pilot.pause()
        slate.write("spend", "limits", "users")
        await pilot.pause()
        screen = app.screen._compositor.render_strips(app.size)
        assert "".join(segment.text for segment in screen[0])[:6] == "spend "
