from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.orm import class_mapper
from sqlalchemy.orm.exc import UnmappedClassError
from sqlmodel import SQLModel

from spendtop.domain.errors import ConfigError, ExitCode, StoreCorrupt
from spendtop.domain.requests.request import Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST
from spendtop.store.engine import Store
from spendtop.store.ids import identity
from spendtop.store.schema import head, refuse_gaps, upgrade, version
from spendtop.store.tables import RequestTable
from tests.store.conftest import Recorded
from tests.store.earlier_store import make_schema

ROOT = Path(__file__).parents[2]


def test_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(files("spendtop.store") / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [head()]


def partitions(connection: Connection) -> list[str]:
    """Names of the tables that are parts of another one."""
    if connection.dialect.name == "sqlite":
        return []
    return [*connection.execute(text("SELECT inhrelid::regclass::text FROM pg_inherits")).scalars()]


def test_the_models_are_the_migrated_schema(store: Store) -> None:
    with store.reading() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        warnings.filterwarnings("ignore", "autogenerate skipping metadata-specified expression-based index")
        beside = {"alembic_version", *partitions(connection)}
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: name not in beside,
                "include_object": lambda of, name, *_: name != "request_cost",
            },
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_models_have_no_mappers_as_rows_are_no_objects() -> None:
    with pytest.raises(UnmappedClassError):
        class_mapper(RequestTable)


def test_the_models_indexes_are_the_migrated_ones(store: Store) -> None:
    with store.reading() as connection:
        if store.is_sqlite:
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
        else:
            found = connection.execute(
                text(
                    "SELECT indexname FROM pg_indexes WHERE schemaname = 'spendtop' AND indexname NOT LIKE '%pkey%'"
                    " AND tablename <> ALL(:partitions)"
                ),
                {"partitions": partitions(connection)},
            )
        declared = {index.name for table in SQLModel.metadata.tables.values() for index in table.indexes}
        assert set(found.scalars()) - {"alembic_version_pkc"} == declared


def test_indexes_of_some_rows_have_the_conditions_of_the_models(store: Store) -> None:
    declared = {
        str(index.name): str(condition)
        for table in SQLModel.metadata.tables.values()
        for index in table.indexes
        if (condition := index.dialect_options["sqlite"]["where"]) is not None
    }
    made = "SELECT name, sql AS made FROM sqlite_master WHERE type = 'index'"
    if not store.is_sqlite:
        made = "SELECT indexname AS name, indexdef AS made FROM pg_indexes WHERE schemaname = 'spendtop'"
    with store.reading() as connection:
        definitions = {row.name: row.made for row in connection.execute(text(made))}
    conditions = {name: definitions[name].partition(" WHERE ")[2].strip("()") for name in declared}
    assert conditions == declared and declared


def test_a_store_that_is_up_to_date_is_left_alone(store: Store) -> None:
    assert upgrade(store) is None
    with store.reading() as connection:
        assert version(connection) == head()


def test_a_newer_store_is_refused_by_name_and_left_alone(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="has schema 9999") as refusal:
        upgrade(store)
    assert refusal.value.exit_code == ExitCode.CONFIG
    with store.reading() as connection:
        assert version(connection) == "9999"


def test_views_have_the_columns_of_earlier_programs_in_dollars(store: Store, recorded: Recorded) -> None:
    at = 1_795_183_387_250_000
    priced = recorded.request(
        at, 202_500, user_id="alice", model="gpt-4o", usage=Usage(prompt=13, completion=17), session_id="s"
    )
    unknown = recorded.request(at + 1, None)
    shadow = recorded.request(at + 2, 5, counted=False)
    ids = recorded.add([priced, unknown, shadow])

    def seen(sql: str) -> list[tuple[Any, ...]]:
        with store.reading() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    moment = datetime(2026, 11, 20, 14, 3, 7, 250_000, tzinfo=UTC)
    shown = "2026-11-20T14:03:07.250Z" if store.is_sqlite else moment
    ours = seen("SELECT id, timestamp, model, user_id, cost, tokens FROM requests ORDER BY id")
    assert [(*row[:4], row[4] if row[4] is None else float(row[4]), row[5]) for row in ours][:1] == [
        (ids[0], shown, "gpt-4o", "alice", 0.0002025, 30)
    ]
    assert ours[1][4:] == (None, None)
    assert [row[0] for row in ours] == ids[:2]
    usage = seen("SELECT id, model, cost, tokens, user_id, timestamp FROM llm_usage ORDER BY id")
    assert [row[0] for row in usage] == ids[:2]
    assert (float(usage[0][2]), usage[0][5]) == (0.0002025, shown)


AT = 1_795_183_387_250_000
FIRST_SCHEMA: dict[str, dict[str, object]] = {
    "request": {
        "id": 77,
        "source": "helicone",
        "sources": "helicone",
        "external_ids": '{"helicone":"h-1"}',
        "response_id": "chatcmpl-1",
        "occurred_at": AT,
        "time_source": "provider",
        "time_suspect": False,
        "received_at": AT,
        "model": "gpt-4o",
        "status": "ok",
        "cost_nano": 5,
        "basis": "reported",
        "reported_cost_nano": 5,
        "cached": False,
        "verified": False,
        "counted": True,
        "body_state": "stored",
    },
    "request_key": {"digest": identity(HELICONE, "h-1"), "request_id": 77},
    "body": {"request_id": 77, "dictionary": 0, "data": b"packed"},
    "revision": {"request_id": 77, "at": AT, "source": "helicone", "changes": "{}"},
    "alert": {
        "rule": "limit/daily",
        "entity": "",
        "window_start": AT,
        "state": "exceeded",
        "severity": "critical",
        "version": 1,
        "announced": 1.0,
        "spoke": 1,
        "used_nano": 5,
        "limit_nano": 4,
        "unpriced": 0,
        "crossed_at": AT,
        "late": False,
        "falls": 0,
        "opened_at": AT,
        "updated_at": AT,
    },
    "meta": {"name": "zone", "value": "UTC"},
}
"""A row of each table that the first schema had and a later one changed or reads anew."""


@pytest.fixture(params=["sqlite", "postgresql"])
def first_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with the schema 0001 and data, on either database."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'first.db'}")
    else:
        store = request.getfixturevalue("postgres_store")
    make_schema(store, "0001", {table: [row] for table, row in FIRST_SCHEMA.items()})
    yield store
    store.close()


class TestTheFirstSchema:
    """A store that the first version made."""

    def test_is_upgraded_and_keeps_its_data(self, first_store: Store) -> None:
        assert upgrade(first_store) == "0001"
        for table, values in FIRST_SCHEMA.items():
            with first_store.reading() as connection:
                found = connection.execute(text(f"SELECT * FROM {table}")).mappings().first()
            assert found is not None
            assert {name: found[name] for name in values} == values
        with first_store.reading() as connection:
            news = connection.execute(
                text("SELECT given_by, content, acked_at, acked_by, snoozed_until FROM request, request_key, alert")
            )
            assert [tuple(row) for row in news] == [(None,) * 5]
            assert version(connection) == head()
        assert upgrade(first_store) is None

    def test_has_requests_that_later_sources_join(self, first_store: Store) -> None:
        upgrade(first_store)
        recorded = Recorded(first_store)
        known: dict[str, Any] = {"occurred_at": AT, "model": "gpt-4o", "response_id": "chatcmpl-1"}
        assert recorded.add([recorded.request(source=INGEST, **known)]) == [77]
        assert recorded.add([recorded.request(source=HELICONE_API, external_id="h-1", **known)]) == [77]

    def test_without_requests_has_nothing_to_join(self, first_store: Store) -> None:
        with first_store.writing() as connection:
            connection.execute(text("DELETE FROM request"))
        upgrade(first_store)
        with first_store.reading() as connection:
            assert "source spaces" not in connection.execute(text("SELECT name FROM meta")).scalars().all()


_KILLED_AT = """
import os, signal, sys
from sqlalchemy import event
from spendtop.store.engine import Store
from spendtop.store.ids import identity
from spendtop.store.schema import upgrade

store, left = Store(sys.argv[1]), [int(sys.argv[2])]

@event.listens_for(store.write_engine, "before_cursor_execute")
def count(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

upgrade(store)
"""


@pytest.mark.parametrize("statement", [3, 20, 36])
def test_a_migration_that_is_killed_leaves_the_old_schema_and_the_next_start_completes_it(
    tmp_path: Path, statement: int
) -> None:
    url = f"sqlite:///{tmp_path / 'spendtop.db'}"
    killed = subprocess.run([sys.executable, "-c", _KILLED_AT, url, str(statement)], check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    store = Store(url)
    with store.reading() as connection:
        assert version(connection) is None
        assert inspect(connection).get_table_names() == []
    assert upgrade(store) == ""
    with store.reading() as connection:
        assert version(connection) == head()
        assert {*SQLModel.metadata.tables} <= {*inspect(connection).get_table_names()}
    store.close()


def test_a_failed_migration_leaves_a_postgresql_as_it_was(postgres_store: Store) -> None:
    with postgres_store.writing() as connection:
        connection.execute(text("DROP SCHEMA spendtop CASCADE"))
    with postgres_store.writing() as connection:
        connection.execute(text("CREATE SCHEMA spendtop"))
        connection.execute(text("CREATE TABLE spendtop.task (id int)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(postgres_store)
    with postgres_store.reading() as connection:
        assert inspect(connection).get_table_names(schema="spendtop") == ["task"]


@pytest.mark.parametrize("statement", [2, 5, 9])
def test_an_upgrade_that_is_killed_leaves_the_earlier_schema_with_its_data(tmp_path: Path, statement: int) -> None:
    url = f"sqlite:///{tmp_path / 'spendtop.db'}"
    store = Store(url)
    make_schema(store, "0001", {table: [row] for table, row in FIRST_SCHEMA.items()})
    killed = subprocess.run([sys.executable, "-c", _KILLED_AT, url, str(statement)], check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    with store.reading() as connection:
        assert version(connection) == "0001"
        assert "token" not in inspect(connection).get_table_names()
    assert upgrade(store) == "0001"
    with store.reading() as connection:
        assert connection.execute(text("SELECT id FROM request")).scalars().all() == [77]
    store.close()


class TestGaps:
    """What is missing of a store's schema."""

    def test_a_whole_store_has_none(self, store: Store) -> None:
        refuse_gaps(store)

    @pytest.mark.parametrize("table", ["request", "alert", "delivery", "token"])
    def test_a_missing_table_is_named_with_what_to_do(self, store: Store, table: str) -> None:
        with store.writing() as connection:
            connection.execute(text("DROP VIEW IF EXISTS llm_usage"))
            connection.execute(text("DROP VIEW IF EXISTS requests"))
            connection.execute(text(f"DROP TABLE {table}{'' if store.is_sqlite else ' CASCADE'}"))
        with pytest.raises(StoreCorrupt, match=f"it lacks {table}") as refusal:
            refuse_gaps(store)
        assert "db restore" in str(refusal.value)

    def test_a_missing_column_is_named(self, store: Store) -> None:
        with store.writing() as connection:
            connection.execute(text("ALTER TABLE token DROP COLUMN shadow"))
        with pytest.raises(StoreCorrupt, match=r"it lacks token\.shadow"):
            refuse_gaps(store)


def test_costs_lie_by_hour_on_sqlite_alone(store: Store) -> None:
    made = "SELECT sql FROM sqlite_master WHERE name = 'request_cost'"
    if not store.is_sqlite:
        made = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'spendtop' AND indexname = 'request_cost'"
    with store.reading() as connection:
        assert ("3600000000" in connection.execute(text(made)).scalar_one()) is store.is_sqlite
