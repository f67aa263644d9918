"""What screens share that change something: a write of their own, or a task for the collector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from spendtop.domain.errors import SpendtopError
from spendtop.tui.screens.copying import Copying

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.tasks import Task, TaskKind

Result = TypeVar("Result")

_LOOK, _PATIENCE = 0.1, 20.0
"""Seconds between two looks at a task, and after which one that is not begun is no longer waited for."""


class Writing(Copying):
    """Writes in threads, and says what came of it."""

    def may_write(self) -> bool:
        """Whether this viewer may change anything; says so when it may not."""
        if self.face.session.read_only:
            self.warn("This viewer is read-only: leave it and start `spendtop attach` without --read-only.")
            return False
        return self.face.store is not None

    def warn(self, words: str) -> None:
        """Tell why something is not done."""
        self.notify(words, severity="warning", markup=False)

    def write(
        self, work: Callable[[Connection], Result], done: Callable[[Result], None], refused: Callable[[str], None]
    ) -> None:
        """Write in a thread, in one transaction; then `done` gets the result, or `refused` the reason."""
        self.run_worker(
            partial(self._write_there, work, done, refused), thread=True, exit_on_error=False, group="write"
        )

    def _write_there(
        self, work: Callable[[Connection], Result], done: Callable[[Result], None], refused: Callable[[str], None]
    ) -> None:
        store = self.face.store
        assert store is not None
        try:
            with store.writing() as connection:
                result = work(connection)
        except SpendtopError as failure:
            self.app.call_from_thread(refused, str(failure))
        except Exception as failure:
            self.report(f"The store cannot be written ({type(failure).__name__}); nothing was changed.", "error")
        else:
            self.app.call_from_thread(done, result)

    def ask_collector(self, kind: TaskKind, arguments: Mapping[str, object]) -> None:
        """Queue a task, and tell its result once it is there."""
        if not self.may_write():
            return
        if self.face.standing().nobody_records:
            self.warn("No collector runs that could do it: start `spendtop --no-ui`.")
            return
        now = self.face.session.clock()

        def work(connection: Connection) -> int:
            from spendtop.services import tasks

            return tasks.ask(connection, kind, dict(arguments), now)

        self.write(work, self._await, self.warn)

    def _await(self, task_id: int) -> None:
        self.run_worker(lambda: self._look(task_id), thread=True, exit_on_error=False, group="task")

    def _look(self, task_id: int) -> None:
        """Runs in a thread until the task has a result."""
        from spendtop.services import tasks

        deadline = monotonic() + _PATIENCE
        while self.is_running:
            found = self._stored_task(task_id)
            if found is not None and found.state is tasks.TaskState.QUEUED and monotonic() > deadline:
                self.report("The collector has not taken it up yet; it stays queued.", "warning")
                return
            if found is None or found.finished:
                failed = found is None or found.state is tasks.TaskState.FAILED
                result = found.result if found else None
                self.report(
                    result or "The collector did not say what came of it.", "warning" if failed else "information"
                )
                return
            sleep(_LOOK)

    def _stored_task(self, task_id: int) -> Task | None:
        from spendtop.services import tasks

        store = self.face.store
        assert store is not None
        with store.reading() as connection:
            return tasks.look(connection, task_id)
