"""Filling a span from the shell: what is asked, how far it is, and Ctrl+C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from tests.cli.conftest import Cli
from tests.cli.test_run_task import doing_one, pretend_to_collect

DAY = 86_400_000_000
FILLED = "600 requests were missing there and came in now."
Steps = Callable[..., None]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What happens while the command waits, one step per look."""

    def these(*happens: Callable[[], object]) -> None:
        left: Iterator[Callable[[], object]] = iter(happens)
        monkeypatch.setattr(time, "sleep", lambda seconds: next(left)())

    return these


def claim(store: Store) -> Task:
    with store.writing() as connection:
        taken = tasks.claim(connection, 1)
    assert taken is not None
    return taken


def go_on(store: Store, progress: str) -> bool:
    with store.writing() as connection:
        return tasks.note_progress(connection, 1, progress, {}, 2)


def finish(store: Store, state: TaskState, result: str) -> None:
    with store.writing() as connection:
        tasks.finish(connection, 1, state, result, 3)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_span_is_asked_for_and_what_came_of_it_is_printed(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, FILLED) as done:
        words = ("helicone", "backfill", "--since", "2026-11-01T00:00Z", "--until", "2026-11-03T00:00Z")
        assert cli(*words) == (0, f"{FILLED}\n", "")
    (task,) = done
    since, until = (int(str(task.arguments[name])) for name in ("since", "until"))
    assert (task.kind, until - since) == (TaskKind.BACKFILL, 2 * DAY)


def test_without_an_end_it_is_filled_until_now(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, FILLED) as done:
        cli("helicone", "backfill", "--since", "2d")
    since, until = (int(str(done[0].arguments[name])) for name in ("since", "until"))
    assert until - since == 2 * DAY
    assert abs(time.time_ns() // 1000 - until) < 60_000_000


def test_progress_is_on_a_terminals_stderr_and_gone_at_the_end(
    cli: Cli, home_store: Store, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_to_collect(home_store)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    steps(
        lambda: claim(home_store),
        lambda: go_on(home_store, "43%, 12 new requests"),
        lambda: finish(home_store, TaskState.DONE, FILLED),
    )
    said = cli("helicone", "backfill", "--since", "2d")
    assert (said.code, said.out) == (0, f"{FILLED}\n")
    assert said.err.split("\r\x1b[K")[1:] == [
        "Back-fill: waits for the collector.",
        "Back-fill: has begun. Ctrl+C stops it.",
        "Back-fill: 43%, 12 new requests. Ctrl+C stops it.",
        "",
    ]


def test_ctrl_c_stops_it_and_says_that_it_goes_on_there(cli: Cli, home_store: Store, steps: Steps) -> None:
    pretend_to_collect(home_store)
    told = "Stopped at 43%, 12 new requests. Asked for again, it goes on there."
    steps(
        lambda: claim(home_store),
        interrupt,
        lambda: None if go_on(home_store, "43%") else finish(home_store, TaskState.STOPPED, told),
    )
    assert cli("helicone", "backfill", "--since", "2d") == (130, f"{told}\n", "")


def test_ctrl_c_before_it_is_begun_leaves_nothing_queued(cli: Cli, home_store: Store, steps: Steps) -> None:
    pretend_to_collect(home_store)
    steps(interrupt)
    assert cli("helicone", "backfill", "--since", "2d").code == 130
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)


def test_what_could_not_be_filled_is_its_sentence(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.FAILED, "Helicone's API is not asked."):
        said = cli("helicone", "backfill", "--since", "2d")
    assert (said.code, said.err) == (70, "spendtop: Helicone's API is not asked.\n")


def test_a_collector_that_ends_meanwhile_is_not_waited_for(cli: Cli, home_store: Store, steps: Steps) -> None:
    pretend_to_collect(home_store)
    steps(places(home_store, data_folder()).holder.unlink)
    said = cli("helicone", "backfill", "--since", "2d")
    assert "goes on as soon as one runs: start `spendtop`" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--since"),
        (("--since", "soon"), "not a time"),
        (("--since", "2200-01-01"), "not a time"),
        (("--since", "2199-01-01"), "lies in the future"),
    ],
)
def test_a_span_that_cannot_be_meant_is_refused(cli: Cli, home_store: Store, words: tuple[str, ...], said: str) -> None:
    pretend_to_collect(home_store)
    code, _, err = cli("helicone", "backfill", *words)
    assert code == 2
    assert said in err
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)


def test_without_a_collector_nothing_is_asked(cli: Cli, home_store: Store) -> None:
    said = cli("helicone", "backfill", "--since", "2d")
    assert (said.code, said.err) == (2, "spendtop: No collector holds this store; start `spendtop`.\n")
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)
