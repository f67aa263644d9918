"""One collector from start to end: lock → bind → migrate → ready, then every loop, then out in order."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack

import spendtop
from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.lane import ChannelState
from spendtop.alerts.outbox import Outbox
from spendtop.api.app import Listener
from spendtop.api.context import Context, Health
from spendtop.api.server import bind, serve
from spendtop.collector.errands import Errands
from spendtop.collector.evaluation import Evaluation
from spendtop.collector.holding import Hold, Places, holding, places
from spendtop.collector.housekeeping import Housekeeping
from spendtop.collector.in_force import InForce
from spendtop.collector.printer import Printer
from spendtop.collector.reloading import Reloading
from spendtop.collector.service import notify_systemd, tell_parent, watchdog_seconds
from spendtop.collector.setup import Rooms, Setup
from spendtop.collector.signals import end_with, on_signals
from spendtop.collector.snapshot import Snapshot
from spendtop.collector.supervisor import Loop, Supervisor, pause
from spendtop.config.paths import data_folder
from spendtop.domain.errors import ExitCode, SpendtopError
from spendtop.services.announcing import Announcement
from spendtop.services.presence import Holder, State, announce, process_start
from spendtop.services.recorder import Recorder
from spendtop.services.recording import Outcome
from spendtop.store import files, schema
from spendtop.store.changes import Notifier
from spendtop.store.engine import Store
from spendtop.store.failures import named

_log = logging.getLogger(__name__)
_VITALS_EVERY = 0.5


def run(setup: Setup) -> ExitCode:
    """Collect until a signal; returns the exit code. A failed start is told to the parent and raised."""
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_collect(setup))
    except SpendtopError as failure:
        tell_parent(setup.ready_descriptor, {"ready": False, "code": failure.exit_code, "message": str(failure)})
        raise


async def _collect(setup: Setup) -> ExitCode:
    stop = asyncio.Event()
    database, notice = files.locate(setup.loaded.settings.database.url.get_secret_value())
    store = Store(database)
    where = places(store, data_folder())
    with ExitStack() as stack:
        reload = on_signals(stop)
        if store.path:
            files.prepare_folder(store.path)
        stack.callback(store.close)
        with named(store):
            held = stack.enter_context(holding(store, where))
        listening = stack.enter_context(bind(setup.loaded.settings.server.host, setup.loaded.settings.server.port))
        if store.path:
            files.prepare(store.path)
        with named(store):
            schema.upgrade(store)
        collector = Collector(setup, store, held, where, listening, stop, reload)
        return await collector.run(notice)


class Collector:
    """The rooms of one collector, wired."""

    def __init__(
        self,
        setup: Setup,
        store: Store,
        held: Hold,
        where: Places,
        listening: socket.socket,
        stop: asyncio.Event,
        reload: asyncio.Event,
    ) -> None:
        self._setup = setup
        self._store = store
        self._where = where
        self._listening = listening
        self._stop = stop
        self._url = _url(listening)
        self._supervisor = Supervisor(stop)
        self._in_force = InForce(setup.loaded, setup.clock)
        self._notifier = Notifier(store)
        self._printer = Printer(store, setup.clock, setup.as_json) if setup.prints else None
        self._recorder = Recorder(
            store, self._in_force.preparer, self._in_force.book, held.slot, self._recorded, self._committed
        )
        self._snapshot = Snapshot(where.status, store, lambda: self._recorder.book, setup.clock, self._url)
        self._evaluation = Evaluation(
            self._recorder, held.ownership, lambda: self._in_force.evaluator, setup.clock, self._announced
        )
        self._outbox = Outbox(
            store=store,
            writer=self._recorder,
            channels=lambda: self._in_force.channel_urls,
            courier=ProcessCourier(),
            clock=setup.clock,
        )
        self._reloading = Reloading(
            setup, self._in_force, self._recorder, self._url, reload, self._printer.say if self._printer else None
        )

    async def run(self, notice: str | None) -> ExitCode:
        """Collect until the stop event. EXIT 70 when the writer or the listener died."""
        self._recorder.start()
        try:
            await self._reloading.publish()
            self._be(State.READY)
            await self._greet(notice)
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._serve())
                for name, loop in self._loops().items():
                    tasks.create_task(self._supervisor.keep(name, loop), name=name)
                vitals = tasks.create_task(self._watch_vitals(serving))
            return vitals.result()
        finally:
            self._be(State.STOPPING)
            await asyncio.to_thread(self._recorder.stop)
            await asyncio.to_thread(self._notifier.close)
            self._where.holder.unlink(missing_ok=True)

    async def _serve(self) -> None:
        context = Context(
            recorder=self._recorder,
            store=self._store,
            settings=lambda: self._in_force.settings,
            clock=self._setup.clock,
            health=self._health,
        )
        await serve(Listener(context), self._listening, self._stop)

    def _loops(self) -> dict[str, Loop]:
        errands = Errands(
            self._store,
            self._recorder,
            self._setup.clock,
            lambda: list(self._in_force.channel_urls),
            self._stop.set,
            self._outbox.wake,
        )
        housekeeping = Housekeeping(
            self._recorder, lambda: self._in_force.kept, self._setup.clock, lambda: self._evaluation.owns
        )
        loops: dict[str, Loop] = {
            "evaluator": self._evaluation.run,
            "outbox": self._deliver,
            "tasks": errands.run,
            "status file": self._snapshot.run,
            "housekeeping": housekeeping.run,
            "configuration": self._reloading.run,
            "watchdog": _ping_watchdog,
        }
        if self._printer is not None:
            loops["printer"] = self._printer.run
        if self._setup.leash_descriptor is not None:
            loops["leash"] = end_with(self._setup.leash_descriptor, self._stop)
        rooms = Rooms(self._store, self._recorder, self._url, self._setup.clock, lambda: self._in_force.settings)
        return loops | {name: companion(rooms) for name, companion in self._setup.companions.items()}

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

    def _be(self, state: State) -> None:
        me = Holder(
            pid=os.getpid(),
            state=state,
            url=self._url,
            started_by=self._setup.started_by,
            since=self._setup.clock(),
            process_started=process_start(os.getpid()),
            version=spendtop.__version__,
        )
        announce(self._where.holder, me)
        notify_systemd("READY=1" if state is State.READY else "STOPPING=1")

    async def _greet(self, notice: str | None) -> None:
        tell_parent(self._setup.ready_descriptor, {"ready": True, "url": self._url, "pid": os.getpid()})
        if self._printer is None:
            return
        self._printer.banner(self._in_force.facts(self._url, self._store.name))
        for sentence in (notice, *self._setup.loaded.warnings):
            if sentence:
                self._printer.say(sentence)


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
