"""One collector from start to end: lock → bind → migrate → ready, then every loop, then out in order."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack

from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.lane import ChannelState
from spendtop.alerts.outbox_loop import Outbox
from spendtop.api.app import Listener
from spendtop.api.context import Context, Health
from spendtop.api.counters import Counters
from spendtop.api.server import bind, serve
from spendtop.api.token_book import TokenCopy
from spendtop.collector.active_config import InForce
from spendtop.collector.config_reload import Reloading
from spendtop.collector.evaluator_loop import Evaluation
from spendtop.collector.housekeeping import Housekeeping
from spendtop.collector.polling.account_watch import AccountWatch
from spendtop.collector.polling.poll_steps import Desk
from spendtop.collector.polling.poll_supervisor import Pollers
from spendtop.collector.printer import Printer
from spendtop.collector.process.readiness import Standing
from spendtop.collector.process.signals import Wishes, end_with, on_signals
from spendtop.collector.process.status_snapshot import Snapshot
from spendtop.collector.process.store_lock import Hold, Places, holding, places
from spendtop.collector.process.systemd import (
    notify_systemd,
    occupy_standard_descriptors,
    tell_parent,
    watchdog_seconds,
)
from spendtop.collector.refusal_counts import Tallying
from spendtop.collector.setup import Rooms, Setup
from spendtop.collector.supervisor import Loop, Supervisor, pause
from spendtop.collector.tasks.slow_tasks import Asked
from spendtop.collector.tasks.task_runner import Errands
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode, SpendtopError
from spendtop.services.alert_messages import Announcement
from spendtop.services.outbox_rules import free_abandoned
from spendtop.services.presence import State
from spendtop.services.recorder import Recorder
from spendtop.services.recording import Outcome
from spendtop.store import files, schema
from spendtop.store.changes import Notifier
from spendtop.store.engine import Store
from spendtop.store.failures import named

_log = logging.getLogger(__name__)
_VITALS_EVERY = 0.5
_LOOPS_END_WITHIN = 7.0
_WRITER_ENDS_WITHIN = 4.0
"""Seconds at the end. What is not committed by then was not acknowledged either."""


def run(setup: Setup) -> ExitCode:
    """Collect until a signal; returns the exit code. A failed start is told to the parent and raised."""
    import uvloop

    occupy_standard_descriptors()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_collect(setup))
    except SpendtopError as failure:
        tell_parent(setup.ready_descriptor, {"ready": False, "code": failure.exit_code, "message": str(failure)})
        raise


async def _collect(setup: Setup) -> ExitCode:
    wishes = on_signals()
    server = setup.loaded.settings.server
    database, notice = files.locate(setup.loaded.settings.database.url.get_secret_value())
    store = Store(database)
    where = places(store, data_folder())
    with ExitStack() as stack:
        stack.callback(store.close)
        files.prepare_folder(where.lock)
        with named(store):
            held = stack.enter_context(holding(store, where))
        listening = stack.enter_context(bind(server.host, server.port))
        standing = Standing(where.holder, _url(listening), setup.started_by, setup.clock)
        stack.callback(standing.leave)
        standing.tell(State.STARTING)
        if store.path:
            files.prepare(store.path)
        with named(store):
            schema.upgrade(store)
            collector = Collector(setup, store, held, where, standing, wishes)
        return await collector.run(listening, notice)


class Collector:
    """The rooms of one collector, wired."""

    def __init__(
        self, setup: Setup, store: Store, held: Hold, where: Places, standing: Standing, wishes: Wishes
    ) -> None:
        self._setup = setup
        self._store = store
        self._slot = held.slot
        self._standing = standing
        self._stop = wishes.stop
        self._supervisor = Supervisor(wishes.stop)
        self._in_force = InForce(setup.loaded, setup.clock)
        self._counters = Counters()
        self._notifier = Notifier(store)
        self._printer = Printer(store, setup.clock, setup.as_json) if setup.prints else None
        self._recorder = Recorder(
            store, self._in_force.preparer, self._in_force.book, held.slot, self._recorded, self._committed
        )
        self._snapshot = Snapshot(where.status, store, lambda: self._recorder.book, setup.clock, standing.url)
        self._evaluation = Evaluation(
            store, self._recorder, held.ownership, lambda: self._in_force.evaluator, setup.clock, self._announced
        )
        self._accounts = AccountWatch(
            store, self._recorder, self._settings, setup.clock, lambda: self._evaluation.owns, self._announced
        )
        self._outbox = Outbox(
            store=store,
            writer=self._recorder,
            channels=lambda: self._in_force.channel_urls,
            courier=ProcessCourier(),
            clock=setup.clock,
        )
        self._reloading = Reloading(
            setup, self._in_force, self._recorder, standing.url, wishes.reload, self._say, self._evaluation.wake
        )

    async def run(self, listening: socket.socket, notice: str | None) -> ExitCode:
        """Collect until the stop event; closes the socket. EXIT 70 when the writer or the listener died."""
        self._recorder.start()
        try:
            with named(self._store):
                await self._reloading.publish()
                if self._store.is_sqlite:
                    await asyncio.wrap_future(self._recorder.run(free_abandoned))
            self._standing.tell(State.READY)
            self._greet(notice)
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._serve(listening), name="listener")
                loops = [
                    tasks.create_task(self._supervisor.keep(name, loop), name=name)
                    for name, loop in self._loops().items()
                ]
                code = await self._watch_vitals(serving)
                self._standing.tell(State.STOPPING)
                await _end([serving, *loops])
            return code
        finally:
            await asyncio.to_thread(self._recorder.stop, _WRITER_ENDS_WITHIN)
            await asyncio.to_thread(self._notifier.close)

    async def _serve(self, listening: socket.socket) -> None:
        context = Context(
            recorder=self._recorder,
            store=self._store,
            settings=lambda: self._in_force.settings,
            clock=self._setup.clock,
            health=self._health,
            ceilings=lambda: self._recorder.book.ceilings,
            tokens=TokenCopy(self._store, time.monotonic),
            backups=(self._store.path.parent if self._store.path else data_folder()) / "backups",
            environment=self._setup.loaded.environment,
            stopping=self._stop,
            counters=self._counters,
        )
        try:
            await serve(Listener(context), listening, self._stop)
        except Exception:
            _log.exception("the listener failed")

    def _loops(self) -> dict[str, Loop]:
        desk = Desk(
            store=self._store,
            recorder=self._recorder,
            clock=self._setup.clock,
            stored=self._polled,
            say=self._say,
        )
        pollers = Pollers(desk, self._settings, lambda: self._evaluation.owns)
        errands = Errands(
            self._store,
            self._recorder,
            self._setup.clock,
            lambda: list(self._in_force.channel_urls),
            lambda: self._evaluation.owns,
            self._stop.set,
            self._wake,
            Asked(desk, pollers, self._settings).errands(),
        )
        housekeeping = Housekeeping(
            self._recorder,
            lambda: self._in_force.kept,
            self._setup.clock,
            lambda: self._evaluation.owns,
            self._store.checkpoint,
        )
        loops: dict[str, Loop] = {
            "evaluator": self._evaluation.run,
            "outbox": self._deliver,
            "tasks": errands.run,
            "pollers": pollers.run,
            "accounts": self._accounts.run,
            "status file": self._snapshot.run,
            "housekeeping": housekeeping.run,
            "configuration": self._reloading.run,
            "refusals": Tallying(self._counters, self._recorder, self._setup.clock, self._slot).run,
            "watchdog": _ping_watchdog,
        }
        if self._printer is not None:
            loops["printer"] = self._printer.run
        if self._setup.leash_descriptor is not None:
            loops["leash"] = end_with(self._setup.leash_descriptor, self._stop)
        rooms = Rooms(self._store, self._recorder, self._standing.url, self._setup.clock, self._settings, self._say)
        return loops | {name: companion(rooms) for name, companion in self._setup.companions.items()}

    def _settings(self) -> Settings:
        return self._in_force.settings

    async def _deliver(self, stop: asyncio.Event) -> None:
        """Deliver while evaluating and delivering is ours."""
        while not stop.is_set():
            while not self._evaluation.owns and not stop.is_set():
                await pause(stop, _VITALS_EVERY)
            turn = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                delivering = tasks.create_task(self._outbox.run(turn))
                while self._evaluation.owns and not stop.is_set() and not delivering.done():
                    await pause(stop, _VITALS_EVERY)
                turn.set()

    async def _watch_vitals(self, serving: asyncio.Task[None]) -> ExitCode:
        """Without the writer or the listener nothing can be recorded: end, so that whoever watches starts us anew."""
        while not self._stop.is_set():
            if not self._recorder.alive or serving.done():
                _log.error("the %s died", "listener" if serving.done() else "writer")
                self._stop.set()
                return ExitCode.INTERNAL
            await pause(self._stop, _VITALS_EVERY)
        return ExitCode.OK

    def _recorded(self, outcomes: Sequence[Outcome]) -> None:
        self._evaluation.wake()
        if self._printer is not None:
            self._printer.recorded(outcomes)

    def _committed(self) -> None:
        self._snapshot.changed()
        self._notifier.committed()

    def _announced(self, announcements: Sequence[Announcement]) -> None:
        self._outbox.wake()
        if self._printer is not None:
            self._printer.announced(announcements)

    def _polled(self) -> None:
        self._evaluation.wake()
        self._accounts.wake()

    def _wake(self) -> None:
        """Something was written by hand."""
        self._evaluation.wake()
        self._outbox.wake()

    def _health(self) -> Health:
        if not self._recorder.alive:
            return Health("down", {"writer": "ended"})
        channels = {status.name: status.state.value for status in self._outbox.status()}
        failing = [name for name, state in channels.items() if state != ChannelState.OK.value]
        degraded = bool(self._supervisor.failures or failing or self._reloading.rejected)
        return Health(
            "degraded" if degraded else "healthy",
            {
                "loops_failing": dict(self._supervisor.failures),
                "channels": channels,
                "configuration": self._reloading.rejected or "applied",
                "writes_waiting": self._recorder.waiting,
            },
        )

    def _greet(self, notice: str | None) -> None:
        url = self._standing.url
        tell_parent(self._setup.ready_descriptor, {"ready": True, "url": url, "pid": os.getpid()})
        if self._printer is not None:
            self._printer.banner(self._in_force.facts(url, self._store.name))
        for sentence in (notice, *self._setup.loaded.warnings):
            if sentence:
                self._say(sentence)

    def _say(self, sentence: str) -> None:
        if self._printer is not None:
            self._printer.say(sentence)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all have ended; those that take too long are cancelled."""
    _, late = await asyncio.wait(tasks, timeout=_LOOPS_END_WITHIN)
    for task in late:
        _log.warning("%s did not end in time", task.get_name())
        task.cancel()


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _ping_watchdog(stop: asyncio.Event) -> None:
    seconds = watchdog_seconds()
    if seconds is None:
        await stop.wait()
        return
    while not stop.is_set():
        notify_systemd("WATCHDOG=1")
        await pause(stop, seconds)
