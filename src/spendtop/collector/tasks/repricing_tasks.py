"""What faces ask about stored costs: pricing anew, and taking that back. Each page is a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Connection

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.config.settings import Settings
from spendtop.domain.filters import FilterContext
from spendtop.services import repricing, tasks
from spendtop.services.repricing import Run
from spendtop.services.tasks import Task, TaskKind

Step = Callable[..., Run]


class RepricingTasks:
    """Runs over stored requests; one that was interrupted goes on where it was, as the store knows how far it is."""

    def __init__(self, context: PollContext, settings: Callable[[], Settings]) -> None:
        self._context = context
        self._settings = settings

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {TaskKind.REPRICE: self.reprice, TaskKind.REPRICE_UNDO: self.undo}

    async def reprice(self, task: Task) -> str:
        """Price anew what the run `run` is about. Raises Stopped when somebody stopped it."""
        run_id = int(str(task.arguments["run"]))

        def step(connection: Connection, context: FilterContext) -> Run:
            return repricing.step(connection, run_id, self._context.recorder.recording, context, repricing.as_read_now)

        return await self._carried_out(task, step)

    async def undo(self, task: Task) -> str:
        """Take the corrections of the run `run` back."""
        run_id, asked_by = int(str(task.arguments["run"])), str(task.arguments["by"])

        def step(connection: Connection, context: FilterContext) -> Run:
            return repricing.undo_step(connection, run_id, self._context.recorder.recording, context, asked_by)

        return await self._carried_out(task, step)

    async def _carried_out(self, task: Task, step: Step) -> str:
        while True:
            context = FilterContext(self._context.clock(), self._settings().time.calendar)
            run = await self._context.write(partial(step, context=context))
            self._context.stored()
            if run.is_over:
                return repricing.told(run)
            if not await self._note_progress(task, run):
                raise tasks.Stopped(f"Stopped. `spendtop reprice --resume {run.id}` goes on there.")

    async def _note_progress(self, task: Task, run: Run) -> bool:
        so_far, now = f"{run.looked_at:,} requests looked at, {run.changed:,} changed", self._context.clock()
        return await self._context.write(
            lambda connection: tasks.note_progress(connection, task.id, so_far, task.arguments, now)
        )
