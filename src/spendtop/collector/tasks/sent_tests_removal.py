"""Taking out what `send-test` sent, batch by batch beside what is recorded meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.services import tasks
from spendtop.services.sent_tests import AT_ONCE, sent_tests, spend_of, take_out
from spendtop.services.tasks import Task, TaskKind
from spendtop.store.transactions import read


class SentTestsRemoval:
    def __init__(self, context: PollContext) -> None:
        self._context = context

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {TaskKind.REMOVE_TESTS: self.remove}

    async def remove(self, task: Task) -> str:
        """Take all out, and say what they were. Raises Stopped when somebody stopped it."""
        context = self._context
        ids = await asyncio.to_thread(sent_tests, context.store, context.clock)
        if not ids:
            return "There are no test requests: those sent with --keep have no mark."
        spend = await read(context.store, partial(spend_of, ids=ids))
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            await context.write(partial(take_out, recording=context.recorder.recording, ids=part))
            context.stored()
            taken = start + len(part)
            if not await context.note_progress(task, f"{taken:,} of {len(ids):,} taken out") and taken < len(ids):
                raise tasks.Stopped(f"Stopped: {taken:,} of {len(ids):,} test requests are taken out.")
        requests = "test request is" if len(ids) == 1 else "test requests are"
        return f"{len(ids):,} {requests} taken out of every figure: {spend.words}."
