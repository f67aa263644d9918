from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from spendtop.domain.errors import CannotWrite, NoPermission, StoreCorrupt, StoreFull
from spendtop.store import writer
from spendtop.store.engine import Store
from spendtop.store.writer import Writer
from tests.waiting import DEADLINE


class Names:
    """A writer that stores names, and refuses `bad` ones after it has written them."""

    def __init__(self, store: Store) -> None:
        with store.writing() as connection:
            connection.execute(text("CREATE TABLE name (name TEXT PRIMARY KEY)"))
        self.store = store
        self.groups: list[list[str]] = []
        self.commits = 0
        self.full = False
        self.told: SimpleQueue[Any] = SimpleQueue()
        self.turn = threading.Event()
        self.turn.set()
        self.before_record: Callable[[], None] = lambda: None
        self.writer: Writer[str, str] = Writer(store, self.record, self.committed)

    def record(self, connection: Connection, names: Sequence[str]) -> list[str]:
        assert self.turn.wait(DEADLINE)
        self.before_record()
        self.groups.append(list(names))
        for name in names:
            connection.execute(text("INSERT INTO name VALUES (:name)"), {"name": name})
            if name.startswith("bad"):
                raise ValueError(name)
        return [name.upper() for name in names]

    def committed(self) -> None:
        self.commits += 1

    def submit(self, *names: str, patience: float = DEADLINE) -> None:
        self.writer.queue(names, lambda outcome: self.told.put((names, outcome)), patience)

    def answers(self, number: int) -> list[Any]:
        return [self.told.get(timeout=DEADLINE) for _ in range(number)]

    def stored(self) -> list[str]:
        with self.store.reading() as connection:
            return list(connection.execute(text("SELECT name FROM name ORDER BY name")).scalars())


@pytest.fixture
def names(store: Store) -> Iterator[Names]:
    made = Names(store)
    made.writer.start()
    yield made
    made.turn.set()
    made.writer.stop()
    if not store.is_sqlite:
        with store.writing() as connection:
            connection.execute(text("DROP TABLE name"))


@pytest.fixture
def on_file(tmp_path: Path) -> Iterator[Names]:
    """On SQLite, where a lock that somebody else holds is noticed at once."""
    store = Store(f"sqlite:///{tmp_path / 'names.db'}")
    event.listen(store.write_engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=1"))
    made = Names(store)
    made.writer.start()
    yield made
    made.writer.stop()
    store.close()


def test_what_waits_together_is_one_commit(names: Names) -> None:
    names.turn.clear()
    for number in range(200):
        names.submit(f"n{number:03}")
    names.turn.set()
    answers = names.answers(200)
    assert [outcome for _, outcome in answers] == [[f"N{number:03}"] for number in range(200)]
    assert names.commits <= 2
    assert names.stored() == [f"n{number:03}" for number in range(200)]


def test_each_submission_gets_its_own_outcomes(names: Names) -> None:
    names.turn.clear()
    names.submit("a", "b")
    names.submit()
    names.submit("c")
    names.turn.set()
    assert names.answers(3) == [(("a", "b"), ["A", "B"]), ((), []), (("c",), ["C"])]


def test_a_bad_submission_fails_alone(names: Names) -> None:
    names.turn.clear()
    for submission in (("first",), ("a", "bad", "b"), ("c",), ("bad too",), ("d", "e")):
        names.submit(*submission)
    names.turn.set()
    answers = dict(names.answers(5))
    assert {key: type(outcome) for key, outcome in answers.items()} == {
        ("first",): list,
        ("a", "bad", "b"): ValueError,
        ("c",): list,
        ("bad too",): ValueError,
        ("d", "e"): list,
    }
    assert names.stored() == ["c", "d", "e", "first"]


def test_what_the_writer_makes_ready_is_made_once_in_its_thread_and_fails_alone(names: Names) -> None:
    made_in: list[str] = []

    def made() -> list[str]:
        made_in.append(threading.current_thread().name)
        return ["a", "b"]

    def fails() -> list[str]:
        raise ValueError("not to be read")

    names.turn.clear()
    names.submit("first")
    names.writer.queue_unready(made, 2, lambda outcome: names.told.put(("made", outcome)))
    names.writer.queue_unready(fails, 1, lambda outcome: names.told.put(("fails", outcome)))
    names.submit("bad")
    names.submit("c")
    names.turn.set()
    answers = dict(names.answers(5))
    assert answers["made"] == ["A", "B"]
    assert isinstance(answers["fails"], ValueError)
    assert made_in == ["writer"]
    assert names.stored() == ["a", "b", "c", "first"]


def test_a_submission_that_another_collector_overtook_is_tried_again(names: Names) -> None:
    conflicts = iter([True])

    def conflict() -> None:
        if next(conflicts, False):
            raise IntegrityError("INSERT", None, Exception("duplicate key"))

    names.before_record = conflict
    names.submit("a")
    assert names.answers(1) == [(("a",), ["A"])]


def test_a_failing_waiter_harms_nobody_else(names: Names) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("the event loop is closed")

    names.turn.clear()
    names.submit("a")
    names.writer.queue(["b"], fails)
    names.submit("c")
    names.turn.set()
    assert names.answers(2) == [(("a",), ["A"]), (("c",), ["C"])]
    assert names.stored() == ["a", "b", "c"]
    assert names.writer.alive


def test_stop_commits_all_that_is_queued_and_then_nothing_more_is_taken(names: Names) -> None:
    names.turn.clear()
    for number in range(50):
        names.submit(f"n{number:02}")
    last = names.writer.run(lambda connection: 7)
    names.turn.set()
    names.writer.stop()
    assert len(names.stored()) == 50
    assert last.result(0) == 7
    assert not names.writer.alive
    with pytest.raises(CannotWrite):
        names.submit("late")
    with pytest.raises(CannotWrite):
        names.writer.run(lambda connection: None)


def test_other_work_runs_in_turn_with_the_groups(names: Names) -> None:
    def count(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM name")).scalar_one())

    names.turn.clear()
    names.submit("a")
    names.submit("b")
    between = names.writer.run(count)
    names.submit("c")
    after = names.writer.run(count)
    names.turn.set()
    assert (between.result(DEADLINE), after.result(DEADLINE)) == (2, 3)


def test_other_work_that_fails_is_rolled_back_and_the_writer_goes_on(names: Names) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO name VALUES ('half')"))
        raise ValueError("half way")

    failed = names.writer.run(fails)
    names.submit("a")
    with pytest.raises(ValueError, match="half way"):
        failed.result(DEADLINE)
    names.answers(1)
    assert names.stored() == ["a"]


def test_work_that_was_given_up_is_not_done_and_the_writer_goes_on(names: Names) -> None:
    done: list[int] = []
    names.turn.clear()
    names.submit("a")
    given_up = names.writer.run(lambda connection: done.append(1))
    assert given_up.cancel()
    names.turn.set()
    names.submit("b")
    names.answers(2)
    with pytest.raises(CancelledError):
        given_up.result(0)
    assert (done, names.writer.alive) == ([], True)


def test_when_the_writer_dies_everybody_who_waits_is_told(names: Names) -> None:
    class Fatal(BaseException):
        pass

    def dies(connection: Connection) -> None:
        assert names.turn.wait(DEADLINE)
        raise Fatal

    names.turn.clear()
    names.writer.run(dies)
    names.submit("a")
    waiting = names.writer.run(lambda connection: 1)
    names.turn.set()
    assert isinstance(names.answers(1)[0][1], CannotWrite)
    with pytest.raises(CannotWrite):
        waiting.result(DEADLINE)
    assert isinstance(names.writer.failure, Fatal)
    with pytest.raises(CannotWrite):
        names.submit("b")


def test_when_the_writer_dies_in_a_group_those_in_it_are_told(names: Names) -> None:
    class Fatal(BaseException):
        pass

    def dies() -> None:
        raise Fatal

    names.before_record = dies
    names.submit("a")
    assert isinstance(names.answers(1)[0][1], CannotWrite)
    assert names.stored() == []


class TestALockedFile:
    """Somebody else holds the write lock."""

    @pytest.fixture
    def other(self, on_file: Names) -> Iterator[sqlite3.Connection]:
        assert on_file.store.path is not None
        connection = sqlite3.connect(on_file.store.path, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.close()

    def test_is_waited_for(self, on_file: Names, other: sqlite3.Connection) -> None:
        refused = threading.Semaphore(0)
        on_refusal(on_file.store, refused.release)
        on_file.submit("a")
        assert refused.acquire(timeout=DEADLINE)
        on_file.submit("b")
        assert refused.acquire(timeout=DEADLINE)
        assert on_file.told.empty()
        other.execute("ROLLBACK")
        assert on_file.answers(2) == [(("a",), ["A"]), (("b",), ["B"])]
        assert on_file.commits == 1

    def test_is_waited_for_only_as_long_as_each_ones_patience_lasts(
        self, on_file: Names, other: sqlite3.Connection
    ) -> None:
        on_file.submit("patient")
        on_file.submit("hasty", patience=0.0)
        ((hasty, refusal),) = on_file.answers(1)
        assert hasty == ("hasty",)
        assert isinstance(refusal, CannotWrite)
        other.execute("ROLLBACK")
        assert on_file.answers(1) == [(("patient",), ["PATIENT"])]
        assert on_file.stored() == ["patient"]

    def test_fails_other_work_at_once(self, on_file: Names, other: sqlite3.Connection) -> None:
        with pytest.raises(Exception, match="locked"):
            on_file.writer.run(lambda connection: None).result(DEADLINE)


def test_nobody_waits_for_an_attempt_that_would_end_after_their_patience(
    on_file: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr(
        "spendtop.store.writer.time", SimpleNamespace(monotonic=lambda: seconds[0], sleep=lambda _: None)
    )

    def locked_for_two_attempts() -> None:
        if seconds[0] < 10:
            seconds[0] += 5
            raise OperationalError("BEGIN", None, Exception("locked"))

    on_file.before_record = locked_for_two_attempts
    on_file.turn.clear()
    for name, patience in (("waits", 60.0), ("until 9", 9.0), ("until 14", 14.0)):
        on_file.submit(name, patience=patience)
    on_file.turn.set()
    told = on_file.answers(3)
    assert [names for names, _ in told] == [("until 9",), ("until 14",), ("waits",)]
    assert [isinstance(outcome, CannotWrite) for _, outcome in told] == [True, True, False]
    assert on_file.stored() == ["waits"]


def test_it_says_how_long_nothing_could_be_written(on_file: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr(
        "spendtop.store.writer.time", SimpleNamespace(monotonic=lambda: seconds[0], sleep=lambda _: None)
    )
    said: list[tuple[float, bool]] = []

    def locked_for_two_attempts() -> None:
        said.append((on_file.writer.held_up_for, on_file.writer.is_writing))
        if seconds[0] < 10:
            seconds[0] += 5
            raise OperationalError("BEGIN", None, Exception("locked"))

    on_file.before_record = locked_for_two_attempts
    on_file.submit("waits")
    on_file.answers(1)
    on_file.writer.run(lambda connection: None).result(DEADLINE)
    assert said == [(0.0, True), (5.0, True), (10.0, True)]
    assert (on_file.writer.held_up_for, on_file.writer.is_writing) == (0.0, False)


def test_to_ask_a_locked_database_again_is_a_step_and_to_work_on_and_on_is_none(
    on_file: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr(
        "spendtop.store.writer.time", SimpleNamespace(monotonic=lambda: seconds[0], sleep=lambda _: None)
    )
    said: list[float] = []

    def locked_for_ten_minutes() -> None:
        said.append(on_file.writer.still_for)
        if seconds[0] < 600:
            seconds[0] += 5
            raise OperationalError("BEGIN", None, Exception("locked"))
        seconds[0] += 90
        said.append(on_file.writer.still_for)

    on_file.before_record = locked_for_ten_minutes
    on_file.submit("waits", patience=3600)
    on_file.answers(1)
    on_file.writer.run(lambda connection: None).result(DEADLINE)
    assert said == [0.0] * 121 + [90.0]
    on_file.writer.stop(DEADLINE)
    assert on_file.writer.still_for == 0.0


def on_refusal(store: Store, tell: Callable[[], None]) -> None:
    """Call `tell` whenever the database refuses a statement."""

    @event.listens_for(store.write_engine, "handle_error")
    def refused(_: object) -> None:
        tell()


def test_eight_threads_that_read_and_then_write_never_find_the_file_locked(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'count.db'}")
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    failures: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(20):
                with store.writing() as connection:
                    value = connection.execute(text("SELECT value FROM counter")).scalar_one()
                    connection.execute(text("UPDATE counter SET value = :next"), {"next": value + 1})
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    with store.reading() as connection:
        assert (failures, connection.execute(text("SELECT value FROM counter")).scalar()) == ([], 160)
    store.close()


class TestAFullDisk:
    """As SQLite tells of it when a file may not grow any more."""

    def fill(self, names: Names) -> None:
        with names.store.writing() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar()
        event.listen(
            names.store.write_engine,
            "begin",
            lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages if names.full else 1 << 30}"),
        )
        names.full = True

    def test_is_waited_for_by_nobody(self, on_file: Names) -> None:
        self.fill(on_file)
        on_file.submit("n" * 100_000)
        ((_, outcome),) = on_file.answers(1)
        assert isinstance(outcome, StoreFull)
        assert on_file.writer.refused is outcome
        assert "Make room" in str(outcome)

    def test_is_named_to_other_work(self, on_file: Names) -> None:
        self.fill(on_file)
        with pytest.raises(StoreFull):
            on_file.writer.run(
                lambda tx: tx.execute(text("INSERT INTO name VALUES (:name)"), {"name": "n" * 100_000})
            ).result(DEADLINE)
        assert isinstance(on_file.writer.refused, StoreFull)

    def test_is_over_once_something_is_stored(self, on_file: Names) -> None:
        self.fill(on_file)
        on_file.submit("n" * 100_000)
        on_file.answers(1)
        on_file.full = False
        on_file.submit("a")
        assert on_file.answers(1) == [(("a",), ["A"])]
        assert on_file.writer.refused is None


def test_a_damaged_store_is_waited_for_by_nobody_and_is_no_fault_of_the_event(names: Names) -> None:
    with names.store.writing() as connection:
        connection.execute(text("ALTER TABLE name RENAME TO other"))
    names.submit("a")
    ((_, outcome),) = names.answers(1)
    assert isinstance(outcome, StoreCorrupt)
    assert names.writer.refused is outcome
    with pytest.raises(StoreCorrupt):
        names.writer.run(lambda tx: tx.execute(text("SELECT * FROM name"))).result(DEADLINE)
    with names.store.writing() as connection:
        connection.execute(text("ALTER TABLE other RENAME TO name"))
    names.submit("a")
    assert names.answers(1) == [(("a",), ["A"])]


def test_a_writer_that_is_barred_takes_nothing(names: Names) -> None:
    names.writer.bar("Another store is in its place.")
    with pytest.raises(CannotWrite, match="Another store"):
        names.submit("a")
    with pytest.raises(CannotWrite, match="Another store"):
        names.writer.run(lambda tx: None)
    names.writer.bar(None)
    names.submit("a")
    assert names.answers(1) == [(("a",), ["A"])]


def test_other_work_that_refuses_by_itself_says_nothing_of_the_store(names: Names) -> None:
    def refuse(_connection: Connection) -> None:
        raise NoPermission("Not yours.")

    with pytest.raises(NoPermission):
        names.writer.run(refuse).result(DEADLINE)
    assert names.writer.refused is None


def test_only_what_is_submitted_ends_the_quiet_for_a_while(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names.writer.run(lambda tx: None).result(DEADLINE)
    assert names.writer.is_quiet
    monkeypatch.setattr(writer, "_LATELY", DEADLINE)
    names.submit("a")
    names.answers(1)
    assert not names.writer.is_quiet
    monkeypatch.setattr(writer, "_LATELY", 0.0)
    assert names.writer.is_quiet
