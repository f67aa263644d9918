"""The loop that does what faces ask: rows of the table `task`, done by the collector that also evaluates and delivers.

What a task is and becomes is up to `services.tasks`; those that take long are in `slow_tasks`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection

from spendtop.alerts.message_text import channel_test_message
from spendtop.collector.supervisor import pause
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.domain.clock import Clock
from spendtop.domain.errors import SpendtopError
from spendtop.domain.requests.request import NotUnderstood
from spendtop.services import tasks
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.recording import quarantine
from spendtop.services.recording.recorder import Recorder
from spendtop.services.stores.lease import LostLease
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.sources.pollers import connections
from spendtop.sources.registry import READERS
from spendtop.store.engine import Store
from spendtop.store.transactions import WriteQueue, read, write

T = TypeVar("T")

_LOOK = 0.25
"""Seconds between two looks for new tasks."""
_AT_ONCE = {TaskKind.FETCH_SESSION: 4}
"""Somebody waits for these."""
_log = logging.getLogger(__name__)


class TaskRunner:
    """Does one task after the other and writes its result as a sentence."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        writes: WriteQueue,
        clock: Clock,
        channels: Callable[[], list[str]],
        owns: Callable[[], bool],
        stop: Callable[[], None],
        on_done: Callable[[], None],
        slow: Mapping[TaskKind, SlowTask] | None = None,
    ) -> None:
        """`stop` and `on_done` are called in the event loop. `slow` are done beside the others."""
        self._store = store
        self._recorder = recorder
        self._writes = writes
        self._clock = clock
        self._channels = channels
        self._owns = owns
        self._stop = stop
        self._on_done = on_done
        self._quick: Mapping[TaskKind, Callable[[Connection, Task], str]] = {
            TaskKind.QUARANTINE_RETRY: self._retry_quarantine,
            TaskKind.DELIVERY_RETRY: self._retry_deliveries,
            TaskKind.CHANNEL_TEST: self._test_channel,
            TaskKind.STOP: self._stop_collecting,
        }
        self._slow = slow or {}
        self._turns = {kind: asyncio.Semaphore(_AT_ONCE.get(kind, 1)) for kind in self._slow}
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Do tasks until the stop event; those that take long beside the others, as a rule one of a kind at a time."""
        took_over = False
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                owns = self._owns()
                try:
                    if owns and not took_over:
                        await write(self._writes, lambda connection: tasks.abandon_running(connection, self._clock()))
                    elif took_over and not owns:
                        self._give_up()
                    took_over = owns
                    if owns and await read(self._store, tasks.are_queued):
                        await self._do_one(group)
                        continue
                except LostLease:
                    self._give_up()
                    took_over = False
                await pause(stop, _LOOK)
            self._give_up()

    def _give_up(self) -> None:
        """Leave what takes long; whoever collects next finds it as it is in the store."""
        for task in self._under_way:
            task.cancel()

    async def _do_one(self, group: asyncio.TaskGroup) -> None:
        task = await write(self._writes, lambda connection: tasks.claim(connection, self._clock()))
        if task is None:
            return
        if task.kind in self._quick:
            await self._finish(task, write(self._writes, lambda connection: self._quick[task.kind](connection, task)))
        else:
            under_way = group.create_task(self._finish_slow(task))
            self._under_way.add(under_way)
            under_way.add_done_callback(self._under_way.discard)

    async def _finish_slow(self, task: Task) -> None:
        with suppress(LostLease):  # whoever collects now finds it as it is in the store
            await self._finish(task, self._do_slow(task))

    async def _do_slow(self, task: Task) -> str:
        slow_task = self._slow.get(task.kind)
        if slow_task is None:
            raise SpendtopError("This collector cannot do that.")
        async with self._turns[task.kind], connections.kept():
            return await slow_task(task)

    async def _finish(self, task: Task, result_of: Awaitable[str]) -> None:
        try:
            result = await result_of
            state = TaskState.DONE
        except tasks.Stopped as stopped:
            result, state = str(stopped), TaskState.STOPPED
        except LostLease:
            raise
        except SpendtopError as failure:
            result, state = str(failure), TaskState.FAILED
        except Exception:
            _log.exception("task %d (%s) failed", task.id, task.kind)
            result, state = "This failed; the collector's log says more.", TaskState.FAILED
        await write(self._writes, lambda connection: tasks.finish(connection, task.id, state, result, self._clock()))
        self._on_done()
        if task.kind is TaskKind.STOP:
            self._stop()

    def _retry_quarantine(self, connection: Connection, task: Task) -> str:
        understood, left = 0, 0
        for row in quarantine.open_events(connection, _ids(task)):
            raw = quarantine.raw_of(row)
            parsed = READERS.signed[row.source]().parse(raw, row.received_at) if raw is not None else None
            if parsed is None or isinstance(parsed, NotUnderstood):
                left += 1
                continue
            self._recorder.record_prepared(connection, self._recorder.prepare([parsed]))
            quarantine.close(connection, row.id)
            understood += 1
        return f"{understood} understood and recorded, {left} still not understood."

    def _retry_deliveries(self, connection: Connection, task: Task) -> str:
        wanted = task.arguments.get("id")
        revived = outbox_rules.retry(connection, self._clock(), None if wanted is None else int(str(wanted)))
        return f"{revived} messages are sent again." if revived else "There are no dead messages to send again."

    def _test_channel(self, connection: Connection, task: Task) -> str:
        wanted = task.arguments.get("name")
        names = [name for name in self._channels() if wanted in (None, name)]
        if not names:
            raise SpendtopError("There is no such channel. `spendtop channel list` names them.")
        now = self._clock()
        outbox_rules.enqueue(
            connection,
            alert_id=None,
            seq=task.id,
            message=channel_test_message(now),
            severity="info",
            channels=names,
            now=now,
        )
        return f"A test message is on its way to {', '.join(names)}."

    def _stop_collecting(self, connection: Connection, task: Task) -> str:
        return "The collector is stopping."


def _ids(task: Task) -> list[int] | None:
    ids = task.arguments.get("ids")
    return [int(str(each)) for each in ids] if isinstance(ids, list) else None
