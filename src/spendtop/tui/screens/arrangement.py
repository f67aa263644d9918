"""Which window of time a list is of, by which column it is ordered, and what is beside it: for every list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from spendtop.tui.modals.choose import MOVING, ChooseScreen
from spendtop.tui.selection import TIME_CHOICES, TimeChoice, block_choices

if TYPE_CHECKING:
    from textual.screen import Screen

    from spendtop.tui.screens.reader_screen import ReaderScreen
    from spendtop.tui.widgets.table import ListTable


class Layout(StrEnum):
    """List alone, both, or detail alone."""

    LIST = "list"
    SPLIT = "split"
    DETAIL = "detail"


class Arrangement:
    """Asks, and hands the choice to the screen: `limit_to` a window of time, `order_by` a column and a direction."""

    def __init__(
        self,
        screen: ReaderScreen,
        table: Callable[[], ListTable[Any, Any]],
        time: Callable[[], TimeChoice],
        limit_to: Callable[[TimeChoice], None],
        order_by: Callable[[str, bool], None],
    ) -> None:
        self._screen = screen
        self._table = table
        self._time = time
        self._limit_to = limit_to
        self._order_by = order_by

    def ask_time(self) -> None:
        ask_time(self._screen, TIME_CHOICES, self._time(), self._limit_to)

    def ask_order(self) -> None:
        keys = order_keys(self._table().orders)
        present = next(key for key, order in keys.items() if order == self._table().order)
        _ask(self._screen, "Order by", list(keys.items()), present, lambda chosen: self._order_by(keys[chosen], True))

    def by_neighbour(self, step: int) -> None:
        """By the next or previous column that orders, round and round."""
        table = self._table()
        self._order_by(table.orders[(table.orders.index(table.order) + step) % len(table.orders)], True)

    def invert(self) -> None:
        """The same column, the other way round."""
        self._order_by(self._table().order, not self._table().descending)


def ask_time(
    screen: ReaderScreen, choices: Sequence[TimeChoice], present: TimeChoice, take: Callable[[TimeChoice], None]
) -> None:
    """Ask for one of these windows of time, or for a block of an agent that is open."""
    headline, title = screen.face.headline, "Window of time"
    if headline is not None and headline.under_plan is not None:
        choices = (*choices, *block_choices(headline.blocks, headline.calendar))
        title += "" if headline.blocks else "; no 5h block is open"
    by_key = {choice.key: choice for choice in choices}
    options = [(choice.key, choice.name) for choice in choices]
    _ask(screen, title, options, present.key if present in choices else None, lambda key: take(by_key[key]))


def order_keys(orders: Sequence[str]) -> dict[str, str]:
    """A key for each order: its first letter that no order before it has, and that does not move or leave."""
    keys: dict[str, str] = {}
    for order in orders:
        free = (letter for letter in order if letter.isalpha() and letter not in keys and letter not in MOVING)
        keys[next(free)] = order
    return keys


def _ask(
    screen: Screen[Any], title: str, options: list[tuple[str, str]], present: str | None, take: Callable[[str], None]
) -> None:
    def chosen(key: str | None) -> None:
        if key is not None:
            take(key)

    screen.app.push_screen(ChooseScreen(title, options, present), chosen)
