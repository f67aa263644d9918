"""Cells of CSV files: harmless in a spreadsheet and a terminal, and exact on the way back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.spreadsheet import neutralised, restored

pieces = st.sampled_from(
    [
        "'",
        "=",
        "+",
        "-",
        "@",
        "＝",
        "＋",
        "－",
        "＠",
        " ",
        "\t",
        "\r",
        "\n",
        "\\",
        "u",
        "U",
        "001b",
        "005c",
        "0001",
        "\x1b",
    ]
)
cells = st.lists(pieces | st.text(st.characters(exclude_categories=()), max_size=3), max_size=8).map("".join)


@given(cells)
def test_the_way_back_gives_the_original(text: str) -> None:
    assert restored(neutralised(text)) == text


@given(cells)
def test_no_cell_begins_a_formula_or_with_a_line_end(text: str) -> None:
    cell = neutralised(text)
    assert not cell.startswith(("\t", "\r", "\n"))
    assert not cell.strip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


@given(cells)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert not any((ord(sign) < 32 and sign not in "\t\n") or 0x7F <= ord(sign) < 0xA0 for sign in neutralised(text))
    assert not set(neutralised(text)) & set("\u202e\u2066\u200b\u2028\ufeff")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_a_file_of_such_cells_is_read_back_exactly(texts: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(neutralised, texts))
    data = file.getvalue().encode()
    (row,) = csv.reader(io.StringIO(data.decode(), newline=""))
    assert [restored(cell) for cell in row] == texts


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("alice", "alice"),
        ("it's", "it's"),
        ("'quoted'", "'quoted'"),
        ("a=b", "a=b"),
        ("Zürich 👩\u200d👧", "Zürich 👩\u200d👧"),
        ("C:\\users\\eve", "C:\\users\\eve"),
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=", "'\t="),
        (" =x", "' =x"),
        ("\u00a0=x", "'\u00a0=x"),
        ("＝x", "'＝x"),
        ("'=x", "''=x"),
        ("\rx", "'\\u000dx"),
        ("two\nlines", "two\nlines"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\\u001b", "\\u005cu001b"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_cell_looks_like(text: str, cell: str) -> None:
    assert (neutralised(text), restored(cell)) == (cell, text)
