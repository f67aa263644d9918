"""`spendtop export`: to stdout and into files."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spendtop.services.exchange.export import COLUMNS
from tests.cli.conftest import Cli, minutes_ago
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE


@pytest.fixture(autouse=True)
def _some_requests(spent: Recorded) -> None:
    spent.add(
        [
            spent.request(minutes_ago(5), 2_000_000_000, user_id="alice", model="gpt-4o"),
            spent.request(minutes_ago(6), None, user_id="=eve\x1b", model="own"),
            spent.request(minutes_ago(3 * 24 * 60), 90_000_000_000, user_id="alice", model="gpt-4o"),
        ]
    )


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def run(*words: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "spendtop", "export", *words]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, env=dict(os.environ), timeout=DEADLINE, check=False
    )


def test_stdout_gets_csv_of_everything(cli: Cli) -> None:
    code, out, err = cli("export")
    assert (code, err) == (0, "")
    rows = read(out)
    assert [row["user_id"] for row in rows] == ["alice", "'=eve\\u001b", "alice"]
    assert tuple(rows[0]) == COLUMNS
    assert (rows[1]["cost_usd"], rows[1]["cost_nanousd"]) == ("", "")


def test_filter_and_span_select(cli: Cli) -> None:
    rows = [json.loads(line) for line in cli("export", "--jsonl", "user:alice", "--since", "1d").out.splitlines()]
    assert [row["cost_nanousd"] for row in rows] == [2_000_000_000]
    assert cli("export", "user:nobody", "--jsonl").out == ""
    assert len(read(cli("export", "--until", "1d").out)) == 1
    assert len(read(cli("export", "!user:alice").out)) == 1


@pytest.mark.parametrize(("name", "words"), [("a.csv", ()), ("a.jsonl", ()), ("a.txt", ("--jsonl",))])
def test_a_file_is_private_and_says_how_many(cli: Cli, name: str, words: tuple[str, ...]) -> None:
    code, out, err = cli("export", "--output", name, *words)
    assert (code, out, err) == (0, "", f"3 requests in {name}\n")
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert Path(name).read_bytes().decode() == cli("export", "--csv" if name.endswith("csv") else "--jsonl").out


def test_a_file_is_replaced_only_with_force(cli: Cli) -> None:
    Path("a.csv").write_text("mine")
    code, _, err = cli("export", "--output", "a.csv")
    assert code == 73 and "is there already" in err
    assert Path("a.csv").read_text() == "mine"
    assert cli("export", "--output", "a.csv", "--force").code == 0
    assert len(read(Path("a.csv").read_text())) == 3
    Path("link.csv").symlink_to("a.csv")
    assert cli("export", "--output", "link.csv", "--force").code == 73


@pytest.mark.parametrize(
    "words",
    [
        ("--csv", "--jsonl"),
        ("--force",),
        ("user:(",),
        ("--since", "soon"),
        ("--since", "today", "--until", "2020-01-01"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_file(cli: Cli, words: tuple[str, ...]) -> None:
    code, out, err = cli("export", *words)
    assert (code, out) == (2, "") and err


def test_a_full_disk_is_an_error_of_its_own(home_store: object) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(stdout=full.fileno())
    assert done.returncode == 74
    assert b"No space left" in done.stderr and b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(spent: Recorded) -> None:
    spent.add(spent.request(minutes_ago(7), user_id="u" * 200) for _ in range(1_000))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_charges_say_on_stderr_what_their_readers_cannot_see(cli: Cli) -> None:
    code, out, err = cli("export", "--focus", "1.4")
    rows = read(out)
    assert code == 0 and len(rows) == 3
    assert "3 requests in 3 charges: $92.00 + 1 unpriced" in err and "Only a part of the UTC day" in err
    assert {row["x_User"] for row in rows} == {"alice", "'=eve\\u001b"}
    assert cli("export", "--focus", "1.4", "--csv").code == cli("export", "--focus", "1.3").code == 2
    whole = cli("export", "--focus", "1.2", "--since", "2020-01-01", "--until", "2020-01-31")
    assert whole.err == "0 requests in 0 charges: $0.00\n"


def test_parquet_is_a_folder_of_days_that_is_brought_up_to_date(cli: Cli, tmp_path: Path, spent: Recorded) -> None:
    folder = str(tmp_path / "days")
    words = ("export", "--format", "parquet", "--output", folder)
    assert cli(*words).err.endswith(f"3 requests of 2 days in {folder}\n")
    refused = cli(*words)
    assert (refused.code, "--since-last" in refused.err) == (2, True)
    assert cli(*words, "--since-last").err.endswith("has changed.\n")
    spent.add([spent.request(minutes_ago(3 * 24 * 60), 1)])
    assert "2 requests of 1 day" in cli(*words, "--since-last").err
    assert "another filter" in cli("export", "user:alice", *words[1:], "--since-last").err
    assert cli(*words, "--force").code == 0


def test_parquet_says_what_it_needs(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--output FOLDER" in cli("export", "--format", "parquet").err
    assert "--format parquet" in cli("export", "--since-last").err
    monkeypatch.setattr("spendtop.cli.exchange.parquet.find_spec", lambda name: None)
    code, _, err = cli("export", "--format", "parquet", "--output", str(tmp_path / "days"))
    assert (code, "pip install 'spendtop[parquet]'" in err) == (2, True)
