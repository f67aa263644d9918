"""What a screen changes: writes of its own, and tasks for the collector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from spendtop.domain.errors import SpendtopError
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import ReadFailed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tasks import Task, TaskKind
    from spendtop.store.engine import Store

Result = TypeVar("Result")

_LOOK, _PATIENCE = 0.1, 20.0
"""Seconds between two looks at a task, and after which it is told of one that is not begun."""
_NOT_BEGUN = "The collector has not taken it up yet; it stays queued."
_LONG = 1.0
"""Seconds after which a write that is not done is told of."""
_STILL_WRITING = "Somebody else writes to the store; this is written when they let go, or refused."


class StoreWriter:
    """Writes in threads, and says what came of it."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen

    def may_write(self) -> bool:
        """Whether this viewer may change anything; says so when it may not."""
        if self._screen.face.time_machine.is_past:
            self._screen.warn("The past cannot be changed. Say ':now' and do it then.")
            return False
        if self._screen.face.session.read_only:
            self._screen.warn("This viewer is read-only: leave it and start `spendtop attach` without --read-only.")
            return False
        return self._screen.face.store is not None

    def write(
        self,
        work: Callable[[Connection], Result],
        done: Callable[[Result], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Write in a thread, in one transaction; then `done` gets the result, or `refused` the reason.

        Where `refused` is not given, the reason is shown.
        """
        write = partial(self._write, work, done, refused or self._screen.warn)
        writing = self._screen.run_worker(write, thread=True, exit_on_error=False, group="write")

        def tell_of_waiting() -> None:
            if not writing.is_finished:
                self._screen.warn(_STILL_WRITING)

        self._screen.set_timer(_LONG, tell_of_waiting)

    def _write(
        self, work: Callable[[Connection], Result], done: Callable[[Result], None], refused: Callable[[str], None]
    ) -> None:
        store, tell = self._screen.face.store, self._screen.app.call_from_thread
        assert store is not None
        try:
            with store.writing() as connection:
                result = work(connection)
        except SpendtopError as failure:
            tell(refused, str(failure))
        except Exception as failure:
            tell(refused, _why_not(store, failure))
        else:
            tell(done, result)

    def may_ask(self) -> bool:
        """Whether a collector can be asked for something; says so when it cannot."""
        if not self.may_write():
            return False
        if self._screen.face.status_facts().nobody_records:
            self._screen.warn(self._screen.face.status_facts().standing.sentence)
            return False
        return True

    def ask_collector(
        self, kind: TaskKind, arguments: Mapping[str, object], seen: Callable[[Task | None], None] | None = None
    ) -> None:
        """Queue a task, and tell its result once it is there, or hand it to `seen` as `follow` does."""
        if not self.may_ask():
            return
        now = self._screen.face.session.clock()

        def work(connection: Connection) -> int:
            from spendtop.services import tasks

            return tasks.ask(connection, kind, dict(arguments), now)

        self.follow(work, seen or self.tell)

    def follow(
        self,
        ask: Callable[[Connection], int],
        seen: Callable[[Task | None], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Queue a task, as `ask` does in one transaction, and hand it to `seen` whenever it has changed, until it has
        a result or is gone; `refused` as in `write`."""

        def await_it(task_id: int) -> None:
            look = partial(self._look, task_id, seen)
            self._screen.run_worker(look, thread=True, exit_on_error=False, group="task")

        self.write(ask, await_it, refused)

    def tell(self, task: Task | None) -> None:
        """Say what came of a task, once something did."""
        from spendtop.services.tasks import TaskState

        if task is not None and not task.finished:
            if task.state is TaskState.QUEUED and task.progress:
                self._screen.warn(task.progress)
            return
        words = (task.result if task else None) or "The collector did not say what came of it."
        failed = task is None or task.state is TaskState.FAILED
        self._screen.notify(words, severity="warning" if failed else "information", markup=False)

    def _look(self, task_id: int, seen: Callable[[Task | None], None]) -> None:
        """Runs in a thread until the task has a result."""
        from msgspec.structs import replace

        from spendtop.services.tasks import TaskState

        deadline, before = monotonic() + _PATIENCE, None
        while self._screen.is_running:
            try:
                task = self._task(task_id)
            except Exception as failure:
                self._screen.post_message(ReadFailed(failure, paced=False))
                sleep(_LOOK)
                continue
            if task is not None and task.state is TaskState.QUEUED and monotonic() > deadline:
                task = replace(task, progress=_NOT_BEGUN)
            if task is None or task != before:
                self._screen.app.call_from_thread(seen, task)
            if task is None or task.finished:
                return
            before = task
            sleep(_LOOK)

    def _task(self, task_id: int) -> Task | None:
        from spendtop.services import tasks

        store = self._screen.face.store
        assert store is not None
        with store.reading() as connection:
            return tasks.look(connection, task_id)


def _why_not(store: Store, failure: Exception) -> str:
    """Why a write failed, and what to do about it where that is the database's word."""
    from sqlalchemy.exc import DBAPIError

    from spendtop.store.engine import refusal

    if isinstance(failure, DBAPIError):
        return f"{refusal(store, failure)} Nothing was changed."
    return f"The store cannot be written ({type(failure).__name__}); nothing was changed."
