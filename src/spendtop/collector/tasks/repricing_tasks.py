"""What faces ask about stored costs: comparing them with the prices of now, pricing anew, and taking that back.

Pages are read and priced beside the writer; only the corrections of each are a transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.config.settings import Settings
from spendtop.domain.counted import counted
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.services import tasks
from spendtop.services.repricing import current_costs, repricing
from spendtop.services.repricing.current_costs import Correction, CostComparison, Page, as_read_now
from spendtop.services.repricing.repricing import Run
from spendtop.services.tasks import Task, TaskKind
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.transactions import read

_MOST_GROUPS = 1_000
"""Days of models that the result of a comparison names."""
Step = Callable[[FilterContext], Awaitable[Run]]


class RepricingTasks:
    """Runs over stored requests; one that was interrupted goes on where it was, as the store knows how far it is."""

    def __init__(self, context: PollContext, settings: Callable[[], Settings]) -> None:
        self._context = context
        self._settings = settings

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {
            TaskKind.REPRICE_COMPARE: self.compare,
            TaskKind.REPRICE: self.reprice,
            TaskKind.REPRICE_UNDO: self.undo,
        }

    async def compare(self, task: Task) -> str:
        """What pricing anew would change; nothing does. Raises Stopped when somebody stopped it."""
        asked, context = task.arguments, self._filter_context()
        text = str(asked["filter"])
        since, until = (None if asked[end] is None else int(str(asked[end])) for end in ("since", "until"))
        query = RequestQuery(parse_filter(text) if text else None, since, until)
        comparison, page = CostComparison(context.calendar), Page(None, ())
        while True:
            page = await read(
                self._context.store, partial(current_costs.read_page, query=query, context=context, after=page.end)
            )
            comparison.add(page, await self._differing(page))
            if page.is_last:
                return msgspec.json.encode(comparison.excerpt(_MOST_GROUPS)).decode()
            if not await self._context.note_progress(task, f"{counted(comparison.looked_at, 'request')} compared"):
                raise tasks.Stopped("The comparison was stopped. Nothing was changed.")

    async def reprice(self, task: Task) -> str:
        """Price anew what the run `run` is about. Raises Stopped when somebody stopped it."""
        run_id = int(str(task.arguments["run"]))
        recorder = self._context.recorder

        async def step(context: FilterContext) -> Run:
            page = await read(
                self._context.store, partial(repricing.next_page, run_id=run_id, calendar=context.calendar)
            )
            differing = await self._differing(page)
            return await self._context.write(
                lambda connection: repricing.step(
                    connection, run_id, page, differing, recorder.recording, context, as_read_now
                )
            )

        return await self._carried_out(task, run_id, step)

    async def undo(self, task: Task) -> str:
        """Take the corrections of the run `run` back. Raises Stopped when somebody stopped it."""
        run_id, asked_by = int(str(task.arguments["run"])), str(task.arguments["by"])
        recorder = self._context.recorder

        async def step(context: FilterContext) -> Run:
            return await self._context.write(
                lambda connection: repricing.undo_step(connection, run_id, recorder.recording, context, asked_by)
            )

        return await self._carried_out(task, run_id, step)

    async def _carried_out(self, task: Task, run_id: int, step: Step) -> str:
        try:
            while True:
                run = await step(self._filter_context())
                self._context.stored()
                if run.is_over:
                    return repricing.outcome(run)
                if not await self._context.note_progress(task, repricing.progress(run)):
                    raise tasks.Stopped(f"Stopped. `{repricing.how_to_go_on(run)}` goes on there.")
        except Exception:
            await self._context.write(partial(repricing.leave, run_id=run_id))
            raise

    async def _differing(self, page: Page) -> list[Correction]:
        price = self._context.recorder.cost
        return await asyncio.to_thread(lambda: list(current_costs.corrections(page.candidates, as_read_now, price)))

    def _filter_context(self) -> FilterContext:
        return FilterContext(self._context.clock(), self._settings().time.calendar)
