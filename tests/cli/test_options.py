from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from spendtop.cli.options import Options, load_settings, open_store, opened_store
from spendtop.config.paths import data_folder
from spendtop.domain.errors import ConfigError, SpendtopError, StoreCorrupt, UsageError
from spendtop.store.engine import Store
from tests.alerts.sinks import free_port
from tests.cli.conftest import Cli, write_config


def opening(**words: str) -> Store:
    return open_store(load_settings(Options(**words)).settings)  # type: ignore[arg-type]


def test_the_command_line_wins() -> None:
    write_config('[server]\nport = 1\nhost = "127.0.0.2"')
    server = load_settings(Options(port=2)).settings.server
    assert (server.port, server.host) == (2, "127.0.0.2")


def test_nothing_recorded_yet_is_told_and_nothing_is_made(cli: Cli) -> None:
    said = cli("spend")
    assert said.code == 2 and "Start `spendtop`" in said.err
    assert not data_folder().exists()


def test_an_empty_file_holds_nothing_yet() -> None:
    Path("empty.db").touch(mode=0o600)
    with pytest.raises(UsageError, match="Nothing is recorded yet"):
        opening(database_url="sqlite:///empty.db")


@pytest.mark.parametrize("content", [b"a text, longer than a header", b"SQLite format 3\0 and then rubbish" * 200])
def test_a_damaged_store_is_left_alone_and_comes_with_what_to_do(cli: Cli, content: bytes) -> None:
    Path("bad.db").write_bytes(content)
    said = cli("spend", "--database-url", "sqlite:///bad.db")
    assert (said.code, said.out) == (65, "")
    assert all(word in said.err for word in ("db restore BACKUP", ".recover", ".corrupt"))
    assert Path("bad.db").read_bytes() == content


def test_a_store_that_breaks_while_it_is_read_is_named_too(home_store: Store) -> None:
    broken = DatabaseError("SELECT", None, sqlite3.DatabaseError("database disk image is malformed"))
    with pytest.raises(StoreCorrupt, match=re.escape(home_store.name)), opened_store(load_settings(Options()).settings):
        raise broken


@pytest.mark.parametrize(("version", "expected"), [("9999", ConfigError), ("0000", UsageError)])
def test_a_store_of_another_version_is_refused(home_store: Store, version: str, expected: type[SpendtopError]) -> None:
    with home_store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    with pytest.raises(expected):
        opening()


def test_the_store_is_read_on_either_database(store: Store) -> None:
    url = store.url.render_as_string(hide_password=False)
    with opened_store(load_settings(Options(database_url=url)).settings) as opened, opened.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM request")).scalar() == 0


def test_a_server_that_is_away_is_one_sentence_without_its_password(cli: Cli) -> None:
    said = cli("spend", "--database-url", f"postgresql://me:hidden-word@127.0.0.1:{free_port()}/spend")
    assert (said.code, said.out) == (74, "")
    assert "hidden-word" not in said.err and "Start it" in said.err
