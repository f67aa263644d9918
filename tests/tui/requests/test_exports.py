"""Files for spreadsheets and programs, and text to paste."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from spendtop.domain.errors import CannotCreate
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.tui.requests.exports import as_json, as_table, write_listed, write_marked
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request


@pytest.fixture
def context(till: Till, clock: SettableClock) -> FilterContext:
    """The present, in which three requests are recorded: with a price, without one, and one whose user is a formula."""
    till.record(
        a_request(0, clock(), properties={"env": "prod"}),
        a_request(1, clock(), cost=Cost(), model="custom"),
        a_request(2, clock(), user_id="=HYPERLINK(1)\x1b[31m", cost=Cost(reported=Usd(1))),
    )
    return FilterContext(clock(), Calendar())


def test_all_that_is_listed_becomes_a_file(store: Store, tmp_path: Path, context: FilterContext) -> None:
    path = tmp_path / "out.csv"
    assert write_listed(path, "csv", store, RequestQuery(), context) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert found[0]["cost_usd"] == "0.0075" and found[0]["cost_nanousd"] == "7500000"
    assert found[1]["cost_usd"] == "" and found[1]["basis"] == "unknown"
    assert found[2]["user_id"] == "'=HYPERLINK(1)\\u001b[31m"
    assert b"\x1b" not in path.read_bytes()


def test_marked_requests_become_a_file_in_their_order(store: Store, tmp_path: Path, context: FilterContext) -> None:
    with store.reading() as connection:
        rows = page(connection, RequestQuery(), context, None, 10).rows
    marks = [rows[2].id, rows[0].id, 17]
    path = tmp_path / "out.jsonl"
    assert write_marked(path, "jsonl", store, marks) == 2
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [str(mark) for mark in marks[:2]]


def test_a_file_is_never_replaced(store: Store, tmp_path: Path, context: FilterContext) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(CannotCreate, match="is there already"):
        write_listed(path, "csv", store, RequestQuery(), context)
    assert path.read_text() == "mine"


def test_text_to_paste_is_clean(store: Store, context: FilterContext) -> None:
    with store.reading() as connection:
        rows = page(connection, RequestQuery(), context, None, 10).rows
    table = as_table(rows)
    assert table.count("\n") == 4
    assert "\x1b" not in table + as_json(rows[2])
    assert json.loads(as_json(rows[2]))["user_id"] == "=HYPERLINK(1)\x1b[31m"
