"""Asking the collector to do something, and waiting for what came of it."""

from __future__ import annotations

import time

from spendtop.cli.effective_limits import now
from spendtop.config.paths import data_folder
from spendtop.domain.errors import SpendtopError, UsageError
from spendtop.domain.untrusted import clean_text
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store

_LOOK = 0.1
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


def result_of(task: Task) -> str:
    """What came of a task, as a sentence. Raises SpendtopError when it failed."""
    if task.state is TaskState.FAILED:
        raise SpendtopError(task.result or "The collector could not do this.")
    return clean_text(task.result or "Done.")


def require_collector(store: Store) -> None:
    """Raises UsageError when nobody collects. On PostgreSQL collectors may be elsewhere, so that only what they do
    tells."""
    if not store.is_sqlite:
        return
    from spendtop.collector.process.store_lock import places
    from spendtop.services.presence import running_collector

    if running_collector(places(store, data_folder()).holder) is None:
        raise UsageError("No collector holds this store; start `spendtop`.")


def look(store: Store, task_id: int) -> Task:
    """How a task stands. Raises SpendtopError when the store does not have it."""
    with store.reading() as connection:
        task = tasks.look(connection, task_id)
    if task is None:
        raise SpendtopError("The task is gone from the store. Ask again.")
    return task
