from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from spendtop.domain.clock import HOUR
from spendtop.store import postgres_news as module
from spendtop.store.changes import NOTIFY_SECONDS, Changes, Notifier
from spendtop.store.engine import Store
from spendtop.store.postgres_news import LOOK_SECONDS
from tests.store.conftest import Recorded

START = 1_795_000_000_000_000 // HOUR * HOUR


@pytest.fixture
def changes(store: Store) -> Iterator[Changes]:
    opened = Changes(store)
    opened.poll()
    yield opened
    opened.close()


@pytest.fixture
def notifier(store: Store) -> Iterator[Notifier]:
    opened = Notifier(store)
    yield opened
    opened.close()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
    return False


class TestChanges:
    def test_a_commit_is_noticed_once_it_is_told(
        self, recorded: Recorded, changes: Changes, notifier: Notifier
    ) -> None:
        assert not changes.poll()
        recorded.add([recorded.request(START)])
        notifier.committed()
        assert within(LOOK_SECONDS * 0.9, changes.poll)
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
        assert within(LOOK_SECONDS * 0.9, changes.poll)


class TestOnPostgres:
    look = 1.0

    @pytest.fixture(autouse=True)
    def _look_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LOOK_SECONDS", self.look)

    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        opened = Store(postgres_url)
        yield opened
        opened.close()

    def test_a_commit_that_nobody_told_of_is_looked_for(self, changes: Changes) -> None:
        assert not changes.poll()
        assert within(self.look + 1, changes.poll)

    def test_many_commits_are_told_in_few_messages(self, postgres_url: str, notifier: Notifier) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as listener:
            listener.execute("LISTEN spendtop")
            started = time.monotonic()
            while time.monotonic() - started < NOTIFY_SECONDS * 3:
                notifier.committed()
            notifier.close()
            told = len(list(listener.notifies(timeout=0.2)))
        assert 1 <= told <= (time.monotonic() - started) / NOTIFY_SECONDS + 1

    def test_a_lost_connection_is_made_again(self, postgres_url: str, changes: Changes, notifier: Notifier) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query = 'LISTEN spendtop' AND pid <> pg_backend_pid()"
            )
        assert within(self.look + 1, changes.poll)

        notifier.committed()
        assert within(self.look * 0.9, changes.poll)
