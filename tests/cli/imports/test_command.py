from __future__ import annotations

import gzip
import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from spendtop.cli.imports import files
from spendtop.collector.process.store_lock import importing, places
from spendtop.config.paths import data_folder
from spendtop.domain.clock import DAY, to_iso
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import csv_chunks, jsonl_chunks, pages
from spendtop.store.engine import Store
from spendtop.store.ids import COMMAND_SLOT, SLOTS
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.schema import upgrade
from spendtop.store.tables import LimitMarkTable, RequestTable, TokenTable, TotalTable
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.services.conftest import rows
from tests.sources.legacy.databases import Tables, sqlite_file
from tests.store.conftest import Recorded

WHEN = "2026-11-01 10:00:00"
OLD: Tables = {
    "requests": (
        "id TEXT PRIMARY KEY, timestamp TEXT, model TEXT, cost REAL, tokens INT, weather TEXT",
        [
            ("aaaa-1", WHEN, "gpt-4o", 0.25, 10, "fine"),
            ("aaaa-2", "secret", "gpt-4o", 0.25, 10, None),
            ("aaaa-3", WHEN, "nobody-knows", None, None, None),
        ],
    ),
    "ingest_tokens": (
        "id INTEGER PRIMARY KEY, token TEXT, name TEXT, active INT",
        [(1, "tok-a", "web", 1), (2, "tok-b", "web", 0), (3, "not a token", "odd", 1)],
    ),
    "usage_log": (
        "id INTEGER PRIMARY KEY, token_id INT, model TEXT, cost REAL, created_at TEXT",
        [(1, 1, "gpt-4o", 0.5, f"{WHEN}Z")],
    ),
    "colours": ("id INT", []),
}


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """`x.csv` and `x.jsonl` with three requests, one of them unpriced, from a store that is gone."""
    folder = tmp_path / "exports"
    folder.mkdir()
    store = Store(f"sqlite:///{folder / 'gone.db'}")
    upgrade(store)
    recorded = Recorded(store)
    recorded.add(
        [
            recorded.request(minutes_ago(5), 2_000_000_000, user_id="alice", model="=cmd()"),
            recorded.request(minutes_ago(6), 1_000_000_000, user_id="bob"),
            recorded.request(minutes_ago(7), None, user_id="bob"),
        ]
    )
    context = FilterContext(minutes_ago(0), Calendar())
    for name, chunks in (("x.csv", csv_chunks), ("x.jsonl", jsonl_chunks)):
        (folder / name).write_bytes(b"".join(chunks(pages(store, RequestQuery(), context))))
    store.close()
    return folder


@pytest.fixture
def imported() -> Iterator[Store]:
    """The store that the command makes or fills."""
    store = Store(f"sqlite:///{data_folder() / 'spendtop.db'}")
    yield store
    store.close()


def last_line(out: str) -> list[str]:
    return out.splitlines()[-1].split()


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_an_export_comes_back_into_a_store_that_it_makes(cli: Cli, exports: Path, imported: Store, name: str) -> None:
    code, out, err = cli("import", str(exports / name))
    assert (code, err) == (0, "")
    assert last_line(out)[1:] == ["3", "$3.00", "+", "1", "unpriced", "-", "-", "-"]
    assert json.loads(cli("spend", "--json").out)["cost_nanousd"] == 3_000_000_000
    assert {row.model for row in rows(imported, RequestTable)} == {"=cmd()", None}
    assert {row.id % SLOTS for row in rows(imported, RequestTable)} == {COMMAND_SLOT}
    assert {row.shard for row in rows(imported, TotalTable)} == {COMMAND_SLOT}


def test_a_second_time_all_are_duplicates(cli: Cli, exports: Path, imported: Store) -> None:
    cli("import", str(exports / "x.csv"))
    code, out, _ = cli("import", str(exports / "x.csv"), str(exports / "x.jsonl"))
    assert code == 0
    assert last_line(out) == ["total", "0", "-", "-", "6", "-"]
    assert len(rows(imported, RequestTable)) == 3


def test_gzip_and_standard_input_are_read_alike(
    cli: Cli, exports: Path, imported: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress((exports / "x.csv").read_bytes())
    (exports / "packed").write_bytes(packed)
    assert last_line(cli("import", str(exports / "packed")).out)[1] == "3"
    for raw in (packed, (exports / "x.jsonl").read_bytes()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(cast(Any, io.BytesIO(raw)))))
        assert cli("import", "-").out.splitlines()[-1].split() == ["standard", "input", "0", "-", "-", "3", "-"]


def test_helicones_rows_are_requests_that_are_verified(cli: Cli, tmp_path: Path, imported: Store) -> None:
    path = tmp_path / "helicone.jsonl"
    row = {"request_id": "r1", "request_created_at": to_iso(minutes_ago(9)), "model": "gpt-4o", "cost": 0.25}
    path.write_text(json.dumps(row) + "\n")
    assert last_line(cli("import", str(path)).out)[1:3] == ["1", "$0.250"]
    (found,) = rows(imported, RequestTable)
    assert (found.source, found.verified) == (HELICONE_API.name, True)


def test_bad_lines_are_said_with_their_numbers_and_counted(cli: Cli, exports: Path) -> None:
    path = exports / "x.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"reported"', '"secret"'), "secret", lines[2]]))
    code, out, err = cli("import", str(path))
    assert code == 0
    assert last_line(out)[1] == "2"
    assert last_line(out)[-1] == "2"
    assert [line.partition("x.jsonl, ")[2] for line in err.splitlines()] == [
        "line 2: `basis` has to be one of reported, computed, unknown, plan",
        "line 3: it has to be one JSON object",
    ]


def test_many_bad_lines_are_shown_in_part(cli: Cli, exports: Path) -> None:
    path = exports / "x.jsonl"
    path.write_text(path.read_text() + "{}\n" * 50)
    err = cli("import", str(path)).err.splitlines()
    assert len(err) == 21
    assert err[-1].startswith(
        "... and 30 more were skipped: `external_ids` has to be an object with the id that each source gave, "
    )


def test_strict_stops_at_the_first_bad_line_and_keeps_what_came_before(
    cli: Cli, exports: Path, imported: Store, tmp_path: Path
) -> None:
    path = exports / "x.jsonl"
    path.write_text(path.read_text() + "{}\n" * 2)
    code, _, err = cli("import", "--strict", str(exports / "x.csv"), str(path))
    assert code == 2
    assert "line 4: `external_ids` has to be" in err
    assert len(rows(imported, RequestTable)) == 3


def test_a_dry_run_says_the_same_and_makes_nothing(cli: Cli, exports: Path) -> None:
    code, out, _ = cli("import", "--dry-run", str(exports / "x.csv"))
    assert code == 0
    assert out.splitlines()[0].split()[1] == "new"
    assert last_line(out)[1:4] == ["3", "$3.00", "+"]
    assert not data_folder().exists()


def test_an_older_system_is_taken_over_and_what_was_left_is_said(cli: Cli, tmp_path: Path, imported: Store) -> None:
    path = sqlite_file(tmp_path / "old.db", OLD)
    before = path.read_bytes()
    code, out, err = cli("import", "--from-old", str(path))
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["requests", "3", "requests", "of", "helicone"] in [line[:5] for line in lines]
    assert "weather" in out
    assert "left: colours: only requests, llm_usage, usage_log, ingest_tokens are taken over" in out
    assert "tracking tokens: 2 stored, 0 there already" in out
    assert "requests: times without a zone were taken as UTC, in 2 of its rows" in out
    assert last_line(out) == ["total", "3", "$0.750", "+", "1", "unpriced", "-", "-", "1"]
    assert "requests, row aaaa-2: `timestamp` has to be a date and time" in err
    assert "skipped tracking token odd" in err
    assert "secret" not in out + err
    assert [(row.token, row.name, row.active) for row in rows(imported, TokenTable)] == [
        ("tok-a", "web", True),
        ("tok-b", "web (tok-b)", False),
    ]
    assert path.read_bytes() == before

    again = cli("import", "--from-old", f"sqlite:///{path}").out
    assert "tracking tokens: 0 stored, 2 there already" in again
    assert last_line(again) == ["total", "0", "-", "-", "3", "1"]


def test_an_address_may_come_from_the_environment(
    cli: Cli, tmp_path: Path, imported: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("import", "--from-old", "env:OLD_DATABASE_URL").code == 2
    monkeypatch.setenv("OLD_DATABASE_URL", f"sqlite:///{sqlite_file(tmp_path / 'old.db', OLD)}")
    assert cli("import", "--from-old", "env:OLD_DATABASE_URL").code == 0
    assert len(rows(imported, RequestTable)) == 3


def test_a_webhook_of_a_request_that_was_taken_over_is_the_same_request(
    cli: Cli, tmp_path: Path, imported: Store
) -> None:
    cli("import", "--from-old", str(sqlite_file(tmp_path / "old.db", OLD)))
    recorded = Recorded(imported)
    recorded.add([recorded.request(minutes_ago(1), 1, external_id="aaaa-1")])
    assert [row.external_ids for row in rows(imported, RequestTable)].count('{"helicone":"aaaa-1"}') == 1
    assert len(rows(imported, RequestTable)) == 3


def test_a_database_without_their_tables_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "old.db", {"colours": ("id INT", [])})
    code, _, err = cli("import", "--from-old", str(path))
    assert code == 2
    assert "requests, llm_usage, usage_log, ingest_tokens" in err


def test_our_own_store_is_no_older_system(cli: Cli, home_store: Store) -> None:
    code, _, err = cli("import", "--from-old", str(home_store.path))
    assert code == 2
    assert "spendtop export" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name files"),
        (("x", "--from-old", "y"), "Name files"),
        (("-", "-"), "once"),
        (("nothing.csv",), "There is no file nothing.csv"),
        ((".",), "is a folder"),
        (("empty",), "is empty"),
        (("odd",), "is not a CSV or JSONL file"),
        (("cut.gz",), "cut off"),
    ],
)
def test_what_cannot_be_imported_is_said(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    Path("empty").write_text("\n\n")
    Path("odd").write_text("user,cost\nalice,5\n")
    Path("cut.gz").write_bytes(gzip.compress(b"x" * 100)[:-12])
    code, _, err = cli("import", *words)
    assert code == 2
    assert sentence in err


def test_two_imports_do_not_run_at_once(cli: Cli, exports: Path, home_store: Store) -> None:
    with importing(home_store, places(home_store, data_folder())):
        code, _, err = cli("import", str(exports / "x.csv"))
    assert code == 75
    assert "Another import" in err
    assert cli("import", str(exports / "x.csv")).code == 0


def test_a_file_that_is_not_a_store_keeps_the_import_beside_it(cli: Cli, exports: Path, tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "old.db", OLD)
    assert cli("--database-url", f"sqlite:///{path}", "import", "--from-old", str(path)).code == 0
    with closing(sqlite3.connect(f"{path}.spendtop.db")) as connection:
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (3,)


def test_limits_that_the_import_touches_are_marked_for_the_evaluator(cli: Cli, exports: Path, imported: Store) -> None:
    write_config('[[limit]]\nname = "daily"\nwindow = "7d"\nusd = 1\n')
    assert cli("import", str(exports / "x.csv")).code == 0
    assert {row.limit_name for row in rows(imported, LimitMarkTable)} == {"daily"}


def test_what_retention_will_delete_is_said(cli: Cli, exports: Path, imported: Store) -> None:
    write_config('[retention]\nrequests = "30d"\n')
    path = exports / "x.jsonl"
    old = json.loads(path.read_text().splitlines()[0]) | dict.fromkeys(
        ("occurred_at", "received_at"), to_iso(minutes_ago(0) - 90 * DAY)
    )
    path.write_text(json.dumps(old))
    err = cli("import", str(path)).err
    assert err.count("note: some of these requests arrived before") == 1
    assert "30d" in err


class Interrupted(io.RawIOBase):
    """A pipe that gives some lines, and then the user presses Ctrl+C."""

    def __init__(self, raw: bytes) -> None:
        self._rest = io.BytesIO(raw)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._rest.readinto(buffer)
        if not found:
            raise KeyboardInterrupt
        return found


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(
    cli: Cli, exports: Path, imported: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = (exports / "x.jsonl").read_bytes()
    many = b"".join(raw.splitlines()[0].replace(b"external-", b"%d-" % number) + b"\n" for number in range(1_500))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Interrupted(many))))
    code, out, err = cli("import", "-")
    assert code == 130
    assert last_line(out)[2] == "1,000"
    assert "the same command goes on from there" in err
    assert len(rows(imported, RequestTable)) == 1_000
    Path("many.jsonl").write_bytes(many)
    assert last_line(cli("import", "many.jsonl").out)[1] == "500"


def test_progress_is_shown_on_a_terminal(cli: Cli, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io.TextIOBase, "isatty", lambda self: True, raising=False)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    err = cli("import", str(exports / "x.csv")).err
    assert "\r3 rows, " in err
    assert err.endswith("\r\x1b[K")


def test_a_line_without_end_does_not_fill_the_memory(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST", 2_000)
    path = exports / "x.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b"x" * 10_000)
    with files.reading(str(path), None, minutes_ago(0)) as read:
        found = list(read)
    assert [type(each).__name__ for each in found][1:] == ["Skipped"] * 5
    assert not isinstance(found[0], Request)
