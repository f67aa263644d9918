from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from spendtop.domain.clock import HOUR
from spendtop.store import postgres_news as module
from spendtop.store.changes import NOTIFY_SECONDS, Changes, Notifier, _SqliteChanges
from spendtop.store.engine import Store
from spendtop.store.postgres_news import LOOK_SECONDS
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE, eventually

START = 1_795_000_000_000_000 // HOUR * HOUR


@pytest.fixture
def changes(store: Store, seconds: Seconds) -> Iterator[Changes]:
    opened = Changes(store)
    opened.poll()
    yield opened
    opened.close()


@pytest.fixture
def notifier(store: Store) -> Iterator[Notifier]:
    opened = Notifier(store)
    yield opened
    opened.close()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """The time by which it is due to look without having been told."""
    clock = Seconds()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))
    return clock


class Seconds:
    """A monotonic clock to set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.usefixtures("seconds")
class TestChanges:
    def test_a_commit_is_noticed_once_it_is_told(
        self, recorded: Recorded, changes: Changes, notifier: Notifier
    ) -> None:
        assert not changes.poll()
        recorded.add([recorded.request(START)])
        notifier.committed()
        eventually(changes.poll)
        assert not changes.poll()

    def test_reading_is_no_change(self, store: Store, changes: Changes) -> None:
        with store.reading() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM request").scalar()
        assert not changes.poll()

    def test_closing_the_notifier_tells_what_is_untold(self, recorded: Recorded, changes: Changes) -> None:
        notifier = Notifier(recorded.store)
        recorded.add([recorded.request(START)])
        notifier.committed()
        notifier.close()
        eventually(changes.poll)


class TestOnPostgres:
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        opened = Store(postgres_url)
        yield opened
        opened.close()

    def test_a_commit_that_nobody_told_of_is_looked_for(self, changes: Changes, seconds: Seconds) -> None:
        assert not changes.poll()
        seconds.now += LOOK_SECONDS
        assert changes.poll()
        assert not changes.poll()

    def test_many_commits_are_told_in_few_messages(self, postgres_url: str, notifier: Notifier) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as listener:
            listener.execute("LISTEN spendtop")
            started = time.monotonic()
            while time.monotonic() - started < NOTIFY_SECONDS * 3:
                notifier.committed()
            notifier.close()
            told = len(list(listener.notifies(timeout=DEADLINE, stop_after=1)))
            told += len(list(listener.notifies(timeout=0.2)))
        assert 1 <= told <= (time.monotonic() - started) / NOTIFY_SECONDS + 1

    def test_a_lost_connection_is_made_again(
        self, postgres_url: str, changes: Changes, notifier: Notifier, seconds: Seconds
    ) -> None:
        listening = "FROM pg_stat_activity WHERE query = 'LISTEN spendtop'"
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(f"SELECT pg_terminate_backend(pid, 5000) {listening}")
            assert admin.execute(f"SELECT 1 {listening}").fetchall() == []

            def listens_again() -> bool:
                seconds.now += LOOK_SECONDS
                assert changes.poll()
                return bool(admin.execute(f"SELECT 1 {listening}").fetchall())

            eventually(listens_again)
        notifier.committed()
        eventually(changes.poll)


def test_a_sqlite_file_that_cannot_be_asked_is_news_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "here.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    changes = Changes(SimpleNamespace(path=path, url=None))  # type: ignore[arg-type]
    assert not changes.poll()
    source = changes._source
    assert isinstance(source, _SqliteChanges) and source._connection is not None
    source._connection.close()
    away = path.rename(tmp_path / "away.db")
    assert [changes.poll(), changes.poll()] == [True, True]
    away.rename(path)
    assert [changes.poll(), changes.poll()] == [True, False]
    changes.close()


def test_a_sqlite_file_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Changes(SimpleNamespace(path=tmp_path / "none.db", url=None))  # type: ignore[arg-type]
