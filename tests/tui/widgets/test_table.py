"""The table of all screens: where the cursor stays, what is in view, what is drawn of rows that are not here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import App, ComposeResult

from spendtop.tui.glyphs import UNICODE
from spendtop.tui.palette import PLAIN
from spendtop.tui.widgets.canvas import Piece
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.table import ListTable, TableRows


@dataclass(frozen=True)
class Fruit:
    name: str
    weight: int = 0


def name(row: Fruit, ink: Ink, width: int) -> Piece:
    return row.name, ink.palette.text


def weight(row: Fruit, ink: Ink, width: int) -> Piece:
    return str(row.weight), ink.palette.text


NAME = Column("NAME", 6, name, wished=10, order="name")
WEIGHT = Column("WEIGHT", 6, weight, right=True, order="weight")


class FruitTable(ListTable[Fruit, str]):
    def layouts(self) -> Sequence[Columns[Fruit]]:
        return ((NAME, WEIGHT),)

    def key(self, row: Fruit) -> str:
        return row.name


class Basket(App[None]):
    """What a table needs of the app, and what it told."""

    CSS = "FruitTable { height: 1fr; }"
    palette, glyphs, unreadable_since = PLAIN, UNICODE, None

    def __init__(self) -> None:
        super().__init__()
        self.fruits = FruitTable("Fruits", id="fruits")
        self.happened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.fruits

    def on_list_table_moved(self, event: ListTable.Moved) -> None:
        self.happened.append(f"to {event.table.selected}")

    def on_list_table_opened(self, event: ListTable.Opened) -> None:
        self.happened.append(f"open {event.table.selected}")

    @property
    def lines(self) -> list[str]:
        return [self.fruits.render_line(y).text.strip("│").rstrip() for y in range(1, self.fruits.size.height - 1)]


def fruits(*names: str) -> list[Fruit]:
    return [Fruit(name) for name in names]


MANY = fruits(*(f"f{n:02}" for n in range(40)))


async def test_the_cursor_stays_on_its_row_or_in_its_place_where_that_has_gone() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)) as pilot:
        table = app.fruits
        table.show(fruits("apple", "pear", "plum"))
        table.move(1)
        table.show(fruits("fig", "apple", "pear", "plum"))
        assert (table.position, table.selected) == (2, "pear")
        table.show(fruits("fig", "apple", "plum"))
        assert (table.position, table.selected) == (2, "plum")
        table.show(fruits("fig"))
        assert (table.position, table.selected) == (0, "fig")
        await pilot.pause()
        assert app.happened == ["to fig"] * 5


async def test_while_it_follows_the_cursor_stays_at_the_start_until_it_is_moved_away() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)):
        table = app.fruits
        table.following = True
        table.show(fruits("apple", "pear"))
        table.show(fruits("fig", "apple", "pear"))
        assert table.selected == "fig"
        table.move(1)
        table.show(fruits("kiwi", "fig", "apple", "pear"))
        assert table.selected == "apple" and not table.following


async def test_a_row_can_be_selected_before_it_is_there() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)):
        table = app.fruits
        table.show(fruits("apple"))
        table.select("plum")
        table.show(fruits("apple", "pear", "plum"))
        assert table.position == 2


async def test_rows_around_the_cursor_stay_in_view() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)) as pilot:
        table = app.fruits
        table.show(MANY)
        assert table.in_view == (0, 6)
        table.to(6)
        assert table.in_view == (2, 8)
        table.to_end()
        assert table.in_view == (33, 39)
        table.move(-3)
        assert table.in_view == (33, 39)
        await pilot.resize_terminal(30, 7)
        await pilot.pause()
        assert table.in_view == (34, 37)


async def test_only_rows_in_view_are_asked_for_and_those_not_here_are_marked() -> None:
    class Far(TableRows[Fruit]):
        def __init__(self) -> None:
            self.asked: set[int] = set()

        def __len__(self) -> int:
            return 100_000

        def __getitem__(self, position: int, /) -> Fruit | None:
            self.asked.add(position)
            return Fruit(f"f{position}") if position % 2 == 0 else None

    app = Basket()
    async with app.run_test(size=(30, 10)) as pilot:
        rows = Far()
        app.fruits.show(rows)
        app.fruits.to(50_000)
        await pilot.pause()
        assert [line.split() for line in app.lines[1:4]] == [["f49996", "0"], [UNICODE.wait], ["f49998", "0"]]
        assert len(rows.asked) < 20


async def test_an_empty_list_says_so_once_it_is_known_to_be_empty() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)) as pilot:
        app.fruits.nothing = "no fruit yet"
        await pilot.pause()
        assert app.lines[1] == "   …"
        app.fruits.show(())
        await pilot.pause()
        assert app.lines[1] == "   no fruit yet"
        app.fruits.nothing = "no fruit yet; t chooses another time"
        app.fruits.redraw()
        await pilot.pause()
        assert app.lines[1:3] == ["   no fruit yet; t chooses", "   another time"]
        app.fruits.begin(())
        app.fruits.redraw()
        await pilot.pause()
        assert app.lines[1] == "   …"


async def test_a_click_moves_the_cursor_and_a_second_one_opens() -> None:
    app = Basket()
    async with app.run_test(size=(30, 10)) as pilot:
        app.fruits.show(fruits("apple", "pear", "plum"))
        await pilot.click(app.fruits, (5, 4))
        await pilot.click(app.fruits, (5, 4))
        await pilot.click(app.fruits, (5, 1))
        await pilot.click(app.fruits, (5, 8))
        assert app.happened[-2:] == ["to plum", "open plum"]
