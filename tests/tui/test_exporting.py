"""Files for spreadsheets and programs."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from spendtop.domain.errors import CannotCreate
from spendtop.domain.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.request import Cost
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests import RequestQuery, page
from spendtop.store.reads.rows import RequestRow
from spendtop.tui.exporting import as_table, cell, write_file
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request


@pytest.fixture
def rows(store: Store, till: Till, clock: SettableClock) -> tuple[RequestRow, ...]:
    """Three requests: with a price, without one, and one whose user is a formula."""
    till.record(
        a_request(0, clock(), properties={"env": "prod"}),
        a_request(1, clock(), cost=Cost(), model="custom"),
        a_request(2, clock(), user_id="=HYPERLINK(1)\x1b[31m", cost=Cost(reported=Usd(1))),
    )
    with store.reading() as connection:
        return page(connection, RequestQuery(), FilterContext(clock(), Calendar()), None, 10).rows


def test_csv_keeps_unknown_empty_and_defuses_formulas(tmp_path: Path, rows: tuple[RequestRow, ...]) -> None:
    path = tmp_path / "out.csv"
    assert write_file(path, "csv", rows) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert found[0]["cost_usd"] == "0.0075" and found[0]["cost_nanousd"] == "7500000"
    assert found[1]["cost_usd"] == "" and found[1]["basis"] == "unknown"
    assert found[2]["user_id"] == "'=HYPERLINK(1)␛[31m"
    assert b"\x1b" not in path.read_bytes()
    assert path.read_bytes().count(b"\r\n") == 4


def test_json_lines_are_exact_and_safe_to_print(tmp_path: Path, rows: tuple[RequestRow, ...]) -> None:
    path = tmp_path / "out.jsonl"
    assert write_file(path, "jsonl", rows) == 3
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert found[1]["cost_usd"] is None
    assert found[2]["user_id"] == "=HYPERLINK(1)\x1b[31m"
    assert found[0]["properties"] == {"env": "prod"}
    assert path.read_bytes().isascii() and b"\x1b" not in path.read_bytes()


def test_a_file_is_never_replaced(tmp_path: Path, rows: tuple[RequestRow, ...]) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(CannotCreate, match="is there already"):
        write_file(path, "csv", rows)
    assert path.read_text() == "mine"
    assert [found.name for found in tmp_path.glob("*out.csv*")] == ["out.csv"]


def test_a_folder_that_is_missing_is_named(tmp_path: Path, rows: tuple[RequestRow, ...]) -> None:
    with pytest.raises(CannotCreate, match="nowhere"):
        write_file(tmp_path / "nowhere" / "out.csv", "csv", rows)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "＝1", "\t=1", "\rx", "\nx"])
def test_what_a_spreadsheet_would_run_gets_a_quote(text: str) -> None:
    found = cell(text)
    assert isinstance(found, str) and found.startswith("'")


@pytest.mark.parametrize(
    ("value", "shown"), [(-3, -3), (None, ""), ("a-b", "a-b"), ({}, ""), (["helicone"], '["helicone"]')]
)
def test_numbers_and_plain_text_stay(value: object, shown: object) -> None:
    assert cell(value) == shown


def test_a_table_to_paste_has_one_line_per_request(rows: tuple[RequestRow, ...]) -> None:
    assert as_table(rows).count("\n") == 4
    assert "\x1b" not in as_table(rows)
