from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from spendtop.cli.run_task import ask_and_wait
from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.domain.errors import SpendtopError, UsageError
from spendtop.services import tasks
from spendtop.services.stores.presence import CollectorState, RunningCollector, announce, process_start
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from tests.cli.conftest import Cli
from tests.waiting import eventually


def pretend_to_collect(store: Store) -> None:
    """This process says that it holds the store."""
    import os

    data_folder().mkdir(parents=True, exist_ok=True)
    me = os.getpid()
    holder = RunningCollector(
        pid=me,
        state=CollectorState.READY,
        url="http://127.0.0.1:1",
        started_by="service",
        since=0,
        process_started=process_start(me),
    )
    announce(places(store, data_folder()).holder, holder)


@contextmanager
def doing_one(store: Store, state: TaskState, result: str) -> Iterator[list[Task]]:
    """A collector that finishes the first task it sees so."""
    done: list[Task] = []

    def work() -> None:
        def claimed() -> Task | None:
            with store.writing() as connection:
                return tasks.claim(connection, 1)

        task = eventually(claimed)
        assert task is not None
        with store.writing() as connection:
            tasks.finish(connection, task.id, state, result, 2)
        done.append(task)

    worker = threading.Thread(target=work)
    worker.start()
    yield done
    worker.join()


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("quarantine", "retry"), {}),
        (("quarantine", "retry", "7"), {"ids": [7]}),
        (("delivery", "retry"), {}),
        (("delivery", "retry", "7"), {"id": 7}),
    ],
)
def test_a_retry_asks_the_collector_and_prints_its_answer(
    cli: Cli, home_store: Store, words: tuple[str, ...], arguments: dict[str, object]
) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, "All done.") as done:
        assert cli(*words) == (0, "All done.\n", "")
    assert (done[0].kind, done[0].arguments) == (f"{words[0]}-retry", arguments)


def test_what_the_collector_could_not_do_is_its_sentence(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.FAILED, "It broke."):
        assert cli("quarantine", "retry") == (70, "", "spendtop: It broke.\n")


def test_without_a_collector_nothing_is_asked(cli: Cli, home_store: Store) -> None:
    said = cli("delivery", "retry")
    assert (said.code, said.err) == (2, "spendtop: No collector holds this store; start `spendtop`.\n")
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)


def test_a_collector_that_does_nothing_is_not_waited_for_without_end(store: Store) -> None:
    if store.is_sqlite:
        with pytest.raises(UsageError):
            ask_and_wait(store, TaskKind.QUARANTINE_RETRY, {}, patience=0)
        pretend_to_collect(store)
    with pytest.raises(SpendtopError, match="has not taken it up"):
        ask_and_wait(store, TaskKind.QUARANTINE_RETRY, {}, patience=0)
