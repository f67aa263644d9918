"""Which columns of a table fit where, and what is drawn of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from spendtop.domain.windows import Calendar
from spendtop.tui.alerts.table import AlertList
from spendtop.tui.glyphs import ASCII, UNICODE
from spendtop.tui.ledger.account_history import LedgerDays
from spendtop.tui.ledger.account_table import AccountTable
from spendtop.tui.limits.table import LimitTable
from spendtop.tui.palette import PLAIN
from spendtop.tui.sessions.table import SessionTable
from spendtop.tui.sources.table import SourceTable
from spendtop.tui.widgets.canvas import Piece
from spendtop.tui.widgets.columns import Column, Columns, Ink, SpanningCell, fitted, head_line, row_line
from spendtop.tui.widgets.table import ListTable

INK = Ink(PLAIN, UNICODE, Calendar())


@dataclass(frozen=True)
class Fruit:
    name: str
    weight: int = 0


def name(row: Fruit, ink: Ink, width: int) -> Piece:
    return row.name, ink.palette.text


def weight(row: Fruit, ink: Ink, width: int) -> Piece | SpanningCell:
    if row.weight < 0:
        return SpanningCell([("nobody has ", ink.palette.bad), ("weighed it yet", ink.palette.text)])
    return str(row.weight), ink.palette.text


NAME = Column("NAME", 6, name, wished=10, order="name")
WEIGHT = Column("WEIGHT", 6, weight, right=True, order="weight")
COLOUR = Column("COLOUR", 8, name, rank=1, grows=True)
ORIGIN = Column("ORIGIN", 8, name, rank=2, grows=True)
WHOLE = (NAME, WEIGHT, COLOUR, ORIGIN)


def sizes(layouts: Sequence[Columns[Fruit]], width: int) -> dict[str, int]:
    return {column.title: size for column, size in fitted(layouts, width)}


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (14, {"NAME": 6, "WEIGHT": 7}),
        (22, {"NAME": 10, "WEIGHT": 7}),
        (24, {"NAME": 7, "WEIGHT": 7, "COLOUR": 8}),
        (41, {"NAME": 10, "WEIGHT": 7, "COLOUR": 8, "ORIGIN": 13}),
    ],
)
def test_columns_go_by_rank_grow_to_what_they_wish_and_the_last_one_takes_the_rest(
    width: int, expected: dict[str, int]
) -> None:
    assert sizes([WHOLE], width) == expected


def test_a_tighter_layout_is_taken_where_the_columns_that_must_stay_do_not_fit() -> None:
    tight = (Column("N", 3, name), Column("W", 3, weight))
    assert list(sizes([WHOLE, tight], 14)) == ["NAME", "WEIGHT"]
    assert sizes([WHOLE, tight], 13) == {"N": 3, "W": 3}
    assert sizes([WHOLE, tight], 2) == {"N": 3, "W": 3}


def words(pieces: Sequence[Piece]) -> str:
    return "".join(text for text, _ in pieces)


def test_the_column_that_orders_has_room_for_an_arrow() -> None:
    columns = fitted([WHOLE], 14)
    assert words(head_line(columns, "", True, INK)) == "NAME    WEIGHT"
    assert words(head_line(columns, "name", True, INK)) == "NAME▼   WEIGHT"
    assert words(head_line(columns, "weight", False, INK)) == "NAME   WEIGHT▲"


def test_words_may_run_over_all_further_columns_and_are_cut_at_the_edge() -> None:
    columns = fitted([WHOLE], 14)
    unweighed = Fruit("quince", -1)
    assert words(row_line(unweighed, columns, INK, 40)) == "quince nobody has weighed it yet"
    assert words(row_line(unweighed, columns, INK, 22)) == "quince nobody has wei…"
    assert words(row_line(unweighed, columns, Ink(PLAIN, ASCII, Calendar()), 16)) == f"quince nobody h{ASCII.cut}"


@pytest.mark.parametrize("table", [AccountTable, AlertList, LedgerDays, LimitTable, SessionTable, SourceTable])
def test_at_sixty_cells_columns_go_before_a_head_is_cut(table: Callable[[], ListTable[Any, Any]]) -> None:
    columns = fitted(table().layouts(), 56)
    assert sum(width + 1 for _, width in columns) - 1 <= 56
    assert not [column.title for column, width in columns if len(column.title) + bool(column.order) > width]
