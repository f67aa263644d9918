from __future__ import annotations

import json

import pytest

from spendtop.sources.files.json_rows import json_rows, row_in

ROWS = [{"id": 'a}"{[', "tags": [{"x": 1}], "text": "two\nlines \\"}, {"id": 2, "cost": 1}]


def read(data: bytes, size: int | None = None) -> list[tuple[str, object]]:
    """Places with rows or problems; from lines, or from pieces of a size."""
    pieces = data.splitlines(keepends=True) if size is None else [data[i : i + size] for i in range(0, len(data), size)]
    return [(place, row if isinstance(row, dict) else row.problem) for place, row in json_rows(pieces)]


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("wrapped", [ROWS, {"meta": {"page": [1, 2]}, "data": ROWS, "total": 2}])
def test_a_document_is_read_however_it_is_laid_out_and_cut(wrapped: object, indent: int | None) -> None:
    data = json.dumps(wrapped, indent=indent).encode()
    for size in (None, 1, 7, 10_000_000):
        if size is not None and indent is None and isinstance(wrapped, dict) and size < 10_000:
            continue  # lines are whole, or the document is no single line
        assert [row for _, row in read(data, size)] == ROWS


def test_places_are_the_lines_on_which_rows_begin() -> None:
    places = [place for place, _ in read(json.dumps({"data": ROWS}, indent=1).encode())]
    assert places == ["line 3", "line 12"]
    assert [place for place, _ in read(b'\n\n{"a":1}\n\n{"a":2}\n')] == ["line 3", "line 5"]
    assert [place for place, _ in read(b'{"data":[{"a":1},{"a":2}]}')] == ["line 1, row 1", "line 1, row 2"]


def test_a_broken_line_spoils_no_other() -> None:
    found = read(b'{"a":1}\n{"a":\nnothing\n[1]\n\xff\n{"a":2}\n')
    assert [row for _, row in found if isinstance(row, dict)] == [{"a": 1}, {"a": 2}]
    assert [place for place, row in found if isinstance(row, str)] == ["line 2", "line 3", "line 4", "line 5"]


def test_a_broken_row_of_a_document_spoils_no_other_and_an_end_that_is_missing_is_said() -> None:
    found = read(b'[\n{"a":1},\n{"a":oops},\n{"a":2},\n{"a":')
    assert found == [
        ("line 2", {"a": 1}),
        ("line 3", "it has to be a JSON object"),
        ("line 4", {"a": 2}),
        ("line 5", "the JSON is cut off or damaged from here on"),
    ]


@pytest.mark.parametrize("data", [b"[]", b"[1, 2]", b'{"a":\n1}', b"[[[["])
def test_what_holds_no_rows_is_said(data: bytes) -> None:
    (found,) = read(data)
    assert isinstance(found[1], str)


def test_numbers_keep_all_their_digits() -> None:
    ((_, row),) = read(b'{"cost": 0.000000000000000000123456789012345678}')
    assert str(row["cost"]) == "1.23456789012345678E-19"  # type: ignore[index]


def test_the_first_row_shows_in_the_begin_of_a_file() -> None:
    assert row_in(json.dumps({"data": ROWS}, indent=1).encode()[:140]) == ROWS[0]
    assert row_in(b"{") is None and row_in(b"") is None
