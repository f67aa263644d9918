"""Asking the collector to do something, and waiting for what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spendtop.cli.effective_limits import now
from spendtop.cli.interruption import INTERRUPTED
from spendtop.cli.meter import show
from spendtop.cli.options import NothingRecorded, opened_store
from spendtop.cli.tables import say
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode, SpendtopError, UsageError
from spendtop.domain.untrusted import clean_text
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store

_LOOK = 0.1
"""Exit code after Ctrl+C."""
_STOPS_WITHIN = 30.0
"""Seconds; one page takes no longer as a rule."""
_PATIENCE = 60.0
"""Seconds after which the answer is no longer waited for."""


def ask_and_wait(store: Store, kind: TaskKind, arguments: dict[str, object], patience: float = _PATIENCE) -> str:
    """The collector's answer as a sentence.

    Raises UsageError when nobody collects, and SpendtopError when the collector could not do it or takes too long.
    """
    require_collector(store)
    with store.writing() as connection:
        task_id = tasks.ask(connection, kind, arguments, now())
    deadline = time.monotonic() + patience
    while not (task := look(store, task_id)).finished:
        if time.monotonic() > deadline:
            began = "works on it" if task.state is TaskState.RUNNING else "has not taken it up"
            raise SpendtopError(f"The collector {began} after {patience:g} s. It stays queued; look again later.")
        time.sleep(_LOOK)
    return result_of(task)


def follow(
    store: Store,
    kind: TaskKind,
    arguments: dict[str, object],
    name: str,
    tell: Callable[[str], None] = say,
) -> int:
    """Ask for what takes its time, show how far it is until it is done, and say what came of it; Ctrl+C stops it.

    `name` is what it is called; `tell` is told the result. Raises what `ask_and_wait` raises.
    """
    require_collector(store)
    with store.writing() as connection:
        task_id = tasks.ask(connection, kind, arguments, now())
    try:
        tell(result_of(_ended(store, task_id, name)))
    except KeyboardInterrupt:
        return _stop(store, task_id, tell)
    return ExitCode.OK


def _ended(store: Store, task_id: int, name: str) -> Task:
    """The task once it has ended; until then its progress is on stderr, where that is a terminal."""
    shown = ""
    try:
        while not (task := look(store, task_id)).finished:
            if (words := _progress(task, name)) != shown:
                shown = words
                show(words)
            _require_goes_on(store, name)
            time.sleep(_LOOK)
        return task
    finally:
        show("")


def _progress(task: Task, name: str) -> str:
    if task.state is TaskState.QUEUED:
        return f"{name.capitalize()}: waits for the collector."
    return f"{name.capitalize()}: {task.progress or 'has begun'}. Ctrl+C stops it."


def _require_goes_on(store: Store, name: str) -> None:
    try:
        require_collector(store)
    except UsageError:
        raise SpendtopError(f"The collector ended. The {name} goes on as soon as one runs: start `spendtop`.") from None


def _stop(store: Store, task_id: int, tell: Callable[[str], None]) -> int:
    with store.writing() as connection:
        tasks.stop(connection, task_id, now())
    deadline = time.monotonic() + _STOPS_WITHIN
    while not (task := look(store, task_id)).finished:
        if time.monotonic() > deadline:
            tell("It stops once the page that is being asked for is there. Asked for again, it goes on there.")
            return INTERRUPTED
        time.sleep(_LOOK)
    tell(result_of(task))
    return ExitCode.OK if task.state is TaskState.DONE else INTERRUPTED


def result_of(task: Task) -> str:
    """What came of a task, as a sentence. Raises SpendtopError when it failed."""
    if task.state is TaskState.FAILED:
        raise SpendtopError(task.result or "The collector could not do this.")
    return clean_text(task.result or "Done.")


def require_collector(store: Store) -> None:
    """Raises UsageError when nobody collects. On PostgreSQL collectors may be elsewhere, so that only what they do
    tells."""
    if store.is_sqlite and not is_collected(store):
        raise UsageError("No collector holds this store; start `spendtop`.")


@contextmanager
def collected_store(settings: Settings) -> Iterator[Store]:
    """The store of a collector that runs, for the length of a block. Raises what `opened_store` and `require_collector`
    raise."""
    try:
        with opened_store(settings) as store:
            require_collector(store)
            yield store
    except NothingRecorded:
        raise UsageError("No collector runs here that could take it: start `spendtop`, and try again.") from None


def is_collected(store: Store) -> bool:
    """Whether a collector of this host holds the store."""
    from spendtop.collector.process.store_lock import places
    from spendtop.services.stores.presence import running_collector

    return running_collector(places(store, data_folder()).holder) is not None


def look(store: Store, task_id: int) -> Task:
    """How a task stands. Raises SpendtopError when the store does not have it."""
    with store.reading() as connection:
        task = tasks.look(connection, task_id)
    if task is None:
        raise SpendtopError("The task is gone from the store. Ask again.")
    return task
