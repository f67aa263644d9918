from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendtop.domain.clock import SECOND, to_micros
from spendtop.domain.errors import NoPermission, UsageError
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE, INGEST
from spendtop.sources.legacy.database import opened
from spendtop.sources.skipped import Skipped
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.sources.legacy.databases import Tables, drop_postgres_tables, postgres_tables, sqlite_file

NOW = to_micros(datetime(2026, 11, 20, 14, tzinfo=UTC))
AT = to_micros(datetime(2025, 11, 1, 10, tzinfo=UTC))
WHEN = "2025-11-01 10:00:00"
UUID = "550e8400-e29b-41d4-a716-446655440000"

MONITOR: Tables = {
    "requests": (
        "id TEXT PRIMARY KEY, timestamp TEXT, model TEXT, user_id TEXT, cost REAL, prompt_tokens INT,"
        " completion_tokens INT, latency_ms INT, prompt TEXT, response TEXT, status INT, session_id TEXT, extra TEXT",
        [
            (UUID, WHEN, "gpt-4o", "alice", 0.25, 10, 5, 930, "Hi", '{"id":"1"}', 200, "job-1", "x"),
            ("17", f"{WHEN}Z", "gpt-4o", None, None, None, None, None, None, None, 500, None, None),
        ],
    )
}
USAGE: Tables = {
    "ingest_tokens": (
        "id INTEGER PRIMARY KEY, token TEXT, name TEXT, is_active INT, created_at TEXT",
        [(1, "tok-a", "web", 1, WHEN), (2, "tok-b", None, 0, None), (3, None, "none", 1, None)],
    ),
    "usage_log": (
        "id INTEGER PRIMARY KEY, token_id INT, model TEXT, total_tokens INT, prompt_tokens INT, ts REAL,"
        " request_id TEXT",
        [(1, 1, "gpt-4o", 15, 10, AT / SECOND, None), (2, 2, "gpt-4o", 15, None, AT / SECOND, "mine")],
    ),
}


def read(place: str) -> dict[str, list[Request | Skipped]]:
    with opened(place) as old:
        tables = [table for table in old.tables if table.origin.kind == "requests"]
        return {table.name: list(old.requests(table, old.rows(table, NOW))) for table in tables}


@pytest.mark.replaces("monitor/database")
def test_a_monitors_requests_keep_the_ids_that_helicone_gave(tmp_path: Path) -> None:
    first, second = read(str(sqlite_file(tmp_path / "old.db", MONITOR)))["requests"]
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert {first.external_id, second.external_id} == {UUID, f"old:requests:17@{AT}"}
    one, other = (first, second) if first.external_id == UUID else (second, first)
    assert (one.source, one.occurred_at, one.received_at, one.time_source) == (
        HELICONE,
        AT,
        NOW,
        TimeSource.RECEIVED,
    )
    assert (one.model, one.user_id, one.session_id, one.latency_ms) == ("gpt-4o", "alice", "job-1", 930)
    assert (one.cost.reported, one.usage) == (Usd(250_000_000), Usage(prompt=10, completion=5))
    assert (one.request_body, one.response_body, one.body_state) == (b'"Hi"', b'{"id":"1"}', BodyState.STORED)
    assert (other.cost.reported, other.usage, other.status, other.http_status) == (None, Usage(), Status.ERROR, 500)


def test_times_without_a_zone_are_utc_and_are_counted(tmp_path: Path) -> None:
    with opened(str(sqlite_file(tmp_path / "old.db", MONITOR))) as old:
        rows = old.rows(old.tables[0], NOW)
        found = list(old.requests(old.tables[0], rows))
    assert {each.occurred_at for each in found if isinstance(each, Request)} == {AT}
    assert rows.zoneless == 1


@pytest.mark.replaces("push/database")
def test_pushed_usage_belongs_to_the_token_that_its_row_refers_to(tmp_path: Path) -> None:
    first, second = read(f"sqlite:///{sqlite_file(tmp_path / 'old.db', USAGE)}")["usage_log"]
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.source, first.token, first.external_id) == (INGEST, "tok-a", f"old:usage_log:1@{AT}")
    assert (second.token, second.external_id, second.time_source) == ("tok-b", "mine", TimeSource.CLIENT)
    assert (first.usage, second.usage) == (Usage(prompt=10, completion=5), Usage(prompt=15))


@pytest.mark.replaces("push/database")
def test_tracking_tokens_keep_value_name_and_switch(tmp_path: Path) -> None:
    with opened(str(sqlite_file(tmp_path / "old.db", USAGE))) as old:
        found = [(each.token, each.name, each.active, each.created_at) for each in old.tokens()]
    assert found == [("tok-a", "web", True, AT), ("tok-b", "tok-b", False, None)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("timestamp", "secret"),
        ("timestamp", None),
        ("timestamp", "2030-01-01"),
        ("cost", "secret"),
        ("tokens", "secret"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_never_shown(tmp_path: Path, column: str, value: Any) -> None:
    columns = {"id": 7, "timestamp": WHEN, "cost": 1.0, "tokens": 5, column: value}
    tables: Tables = {"llm_usage": ("id INT PRIMARY KEY, timestamp, cost, tokens", [tuple(columns.values())])}
    (skipped,) = read(str(sqlite_file(tmp_path / "old.db", tables)))["llm_usage"]
    assert isinstance(skipped, Skipped)
    assert (skipped.place, skipped.field) == ("row 7", column)
    assert "secret" not in str(skipped)


def test_rows_without_a_primary_key_are_told_apart_on_sqlite(tmp_path: Path) -> None:
    tables: Tables = {"llm_usage": ("timestamp TEXT, cost REAL", [(WHEN, 1.0), (WHEN, 1.0)])}
    found = read(str(sqlite_file(tmp_path / "old.db", tables)))["llm_usage"]
    assert len({each.external_id for each in found if isinstance(each, Request)}) == 2


def test_rows_with_one_number_in_two_databases_are_two_requests(tmp_path: Path) -> None:
    ids = set()
    for number in (1, 2):
        tables: Tables = {"llm_usage": ("id INT, timestamp INT, cost REAL", [(1, 1_760_000_000 + number, 1.0)])}
        (found,) = read(str(sqlite_file(tmp_path / f"{number}.db", tables)))["llm_usage"]
        assert isinstance(found, Request)
        ids.add(found.external_id)
    assert len(ids) == 2


def test_the_file_is_only_read_and_bad_text_in_it_is_no_matter(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "old.db", MONITOR)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE requests SET user_id = CAST(x'ff' AS TEXT)")
        connection.commit()
    path.chmod(0o400)
    before = path.read_bytes()
    assert {each.user_id for each in read(str(path))["requests"] if isinstance(each, Request)} == {"\ufffd"}
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("old")] == ["old.db"]


def test_a_store_of_ours_is_not_imported_from_itself(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'spendtop.db'}")
    upgrade(store)
    store.close()
    with pytest.raises(UsageError, match="is a store of spendtop"), opened(str(tmp_path / "spendtop.db")):
        pass


@pytest.mark.parametrize("place", ["nothing.db", "mysql://h/x", "nonsense://", "http://h", "postgresql://h:port/x"])
def test_what_is_no_database_of_theirs_is_refused(place: str) -> None:
    with pytest.raises(UsageError), opened(place):
        pass


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(b"hello, world" * 100)
    with pytest.raises(UsageError, match="this file is none"), opened(str(path)):
        pass


def test_a_password_is_in_no_error() -> None:
    url = "postgresql://user:swordfish@127.0.0.1:1/old"
    with pytest.raises(NoPermission) as caught, opened(url):
        pass
    assert "swordfish" not in str(caught.value)


POSTGRES: Tables = {
    "llm_usage": (
        "id SERIAL PRIMARY KEY, model TEXT, cost NUMERIC(12, 6), tokens INT, user_id TEXT, timestamp TIMESTAMP,"
        " properties JSONB",
        [(1, "gpt-4o", Decimal("0.25"), 15, "alice", WHEN, '{"env": "prod"}')],
    ),
    "usage_log": (
        "id INT PRIMARY KEY, tracking_token TEXT, model TEXT, prompt_tokens BIGINT, completion_tokens BIGINT,"
        " created_at TIMESTAMPTZ, request_id UUID",
        [(1, "tok", "gpt-4o", 10, 5, datetime(2025, 11, 1, 10, tzinfo=UTC), UUID)],
    ),
    "requests": ("model TEXT, timestamp TIMESTAMP", []),
}


@pytest.fixture
def old_postgres(postgres_store: Store, postgres_url: str) -> Iterator[str]:
    """Their tables beside a store of ours, in the schema that is everybody's."""
    postgres_tables(postgres_url, POSTGRES)
    yield postgres_url
    drop_postgres_tables(postgres_url, POSTGRES)


@pytest.mark.replaces("flow/database")
def test_tables_of_a_postgresql_are_read_also_beside_our_store(old_postgres: str) -> None:
    found = read(old_postgres)
    (one,), (other,) = found["llm_usage"], found["usage_log"]
    assert isinstance(one, Request)
    assert isinstance(other, Request)
    assert (one.occurred_at, one.cost.reported, one.properties) == (AT, Usd(250_000_000), {"env": "prod"})
    assert (other.occurred_at, other.token, other.external_id) == (AT, "tok", UUID)
    with opened(old_postgres) as old:
        assert [(each.name, "tells its rows apart" in each.reason) for each in old.left] == [("requests", True)]
