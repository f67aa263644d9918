"""One collector from start to end: lock → bind → migrate → ready, then every loop, then out in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack

from spendtop.alerts.channels import failing_channels
from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.outbox_loop import OutboxLoop
from spendtop.api.app import listen
from spendtop.api.context import Context, Health
from spendtop.api.counters import Counters
from spendtop.api.listener.server import bind
from spendtop.api.recent_posts import RecentPosts
from spendtop.api.refusals import Refusals
from spendtop.api.token_book import TokenCopy
from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.conditions import Conditions
from spendtop.collector.config_reload import ConfigReload
from spendtop.collector.dictionary_training import DictionaryTraining
from spendtop.collector.emergency import EmergencyMessages
from spendtop.collector.evaluator_loop import EvaluatorLoop
from spendtop.collector.first_bill import FirstBill
from spendtop.collector.housekeeping import Housekeeping, RefusalCounts
from spendtop.collector.list_refresh import ListRefresh
from spendtop.collector.polling.account_watch import AccountWatch
from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.polling.poll_supervisor import PollSupervisor
from spendtop.collector.printer import Printer
from spendtop.collector.process.garbage import seldom_collected_garbage
from spendtop.collector.process.lifecycle import (
    Readiness,
    SignalEvents,
    end_with,
    occupy_standard_descriptors,
    on_signals,
    tell_parent,
    watchdog,
)
from spendtop.collector.process.slot_watch import SlotWatch
from spendtop.collector.process.status_snapshot import StatusSnapshot
from spendtop.collector.process.store_lock import Places, StoreLock, hold_store, places
from spendtop.collector.progress import progress
from spendtop.collector.refusal_watch import RefusalWatch
from spendtop.collector.run_summary import RunSummary
from spendtop.collector.setup import CompanionContext, Setup
from spendtop.collector.spend_watch import SpendWatch, anomaly_rules, loop_rules
from spendtop.collector.store_health import StoreHealth
from spendtop.collector.store_troubles import StoreTroubles
from spendtop.collector.store_upgrade import StoreUpgrade
from spendtop.collector.supervisor import Loop, Supervisor, pause
from spendtop.collector.tasks.kinds import all_slow_tasks
from spendtop.collector.tasks.task_runner import TaskRunner
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_iso
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import ExitCode, SpendtopError
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.services.stores.descriptors import raise_descriptor_limit
from spendtop.services.stores.lease import OwnedWrites
from spendtop.services.stores.presence import CollectorState
from spendtop.store import files, schema
from spendtop.store.changes import Notifier
from spendtop.store.engine import Store, named
from spendtop.store.transactions import OwnTransactions

_log = logging.getLogger(__name__)
_VITALS_EVERY = 0.5
_LOOPS_END_WITHIN = 7.0
_WRITER_ENDS_WITHIN = 4.0
"""Seconds at the end. What is not committed by then was not acknowledged either."""


def run(setup: Setup) -> ExitCode:
    """Collect until a signal; returns the exit code. A failed start is told to the parent and raised."""
    import uvloop

    occupy_standard_descriptors()
    raise_descriptor_limit()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_collect(setup))
            setup.ended(code)
            return code
    except SpendtopError as failure:
        tell_parent(setup.ready_descriptor, {"ready": False, "code": failure.exit_code, "message": str(failure)})
        raise


async def _collect(setup: Setup) -> ExitCode:
    signals = on_signals()
    server = setup.loaded.settings.server
    database, notice = files.locate(setup.loaded.settings.database.url.get_secret_value())
    store = Store(database)
    where = places(store, data_folder())
    with ExitStack() as stack:
        stack.callback(store.close)
        if setup.known_stores is not None and not setup.begins_anew:
            setup.known_stores.refuse_a_loss(store)
        files.prepare_folder(where.lock)
        with named(store):
            lock = stack.enter_context(hold_store(store, where))
        listening = stack.enter_context(bind(server.host, server.port))
        readiness = Readiness(where.holder, _url(listening), setup.started_by, setup.clock, setup.ready_descriptor)
        stack.callback(readiness.withdraw)
        readiness.announce(CollectorState.STARTING)
        notices = [notice] if notice else []
        if store.path:
            files.prepare(store.path)
            notices += files.tightened(store.path, data_folder())
        with named(store):
            say = Printer(store, setup.clock, setup.as_json).say if setup.prints else _say_nothing
            if not await StoreUpgrade(store, setup.clock, readiness, say).run(listening, signals.stop):
                return ExitCode.OK
            schema.refuse_gaps(store)
            if setup.known_stores is not None:
                setup.known_stores.remember(store)
            collector = Collector(setup, store, lock, where, readiness, signals)
        with seldom_collected_garbage():
            return await collector.run(listening, notices)


class Collector:
    """The rooms of one collector, wired."""

    def __init__(
        self, setup: Setup, store: Store, lock: StoreLock, where: Places, readiness: Readiness, signals: SignalEvents
    ) -> None:
        self._setup = setup
        self._store = store
        self._hold = lock.hold
        self._readiness = readiness
        self._stop = signals.stop
        self._supervisor = Supervisor(signals.stop)
        active = self._active = ActiveConfig(setup.loaded, setup.clock)
        self._conditions = Conditions(setup.clock)
        self._counters, self._refusals, self._posts = Counters(), Refusals(setup.clock), RecentPosts()
        self._refusal_watch = RefusalWatch(self._refusals, self._conditions)
        self._notifier = Notifier(store)
        self._summary = RunSummary(setup.clock())
        self._printer = Printer(store, setup.clock, setup.as_json) if setup.prints else None
        self._prices: Future[None] = Future()
        self._recorder = Recorder(
            store, active.preparer, active.book, lock.hold.slot, self._recorded, self._committed, self._prices
        )
        self._store_health = StoreHealth(
            store, self._recorder, self._conditions, lambda: self._active.settings.database.disk_reserve
        )
        self._snapshot = StatusSnapshot(where.status, store, lambda: self._recorder.book, setup.clock, readiness.url)
        self._first_bill = FirstBill(store, lambda: self._active, setup.clock, self._say)
        self._evaluator = EvaluatorLoop(
            store, self._recorder, lock.ownership, lambda: self._active.evaluator, setup.clock, self._announced
        )
        self._owned = OwnedWrites(self._recorder, lock.ownership)
        self._beside = self._owned if store.is_sqlite else OwnedWrites(OwnTransactions(store), lock.ownership)
        watching = (setup.clock, lambda: self._evaluator.owns, self._announced)
        self._accounts = AccountWatch(store, self._owned, self._settings, *watching)
        self._anomalies = SpendWatch(store, self._owned, self._settings, anomaly_rules, *watching)
        self._repeating = SpendWatch(store, self._owned, self._settings, loop_rules, *watching)
        self._troubles = StoreTroubles(self._conditions, self._owned, setup.clock, lambda: self._evaluator.owns)
        self._outbox = OutboxLoop(
            store=store,
            writes=self._owned,
            channels=lambda: self._active.channel_urls,
            courier=ProcessCourier(),
            clock=setup.clock,
            sender=self._sender,
            fallbacks=lambda: self._active.fallbacks,
        )
        self._config_reload = ConfigReload(
            setup.reload,
            self._active,
            self._recorder,
            setup.clock,
            readiness.url,
            signals.reload,
            self._say,
            self._applied,
        )
        self._price_list = ListRefresh(self._active, self._config_reload, self._recorder, setup.clock, self._say)

    async def run(self, listening: socket.socket, notices: Sequence[str]) -> ExitCode:
        """Collect until the stop event; closes the socket. EXIT 70 when the writer or the listener died.

        `notices` are told to a person who looks on.
        """
        self._recorder.start()
        try:
            with named(self._store):
                await self._config_reload.publish()
            self._readiness.announce(CollectorState.READY)
            await self._greet(notices)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.to_thread(self._load_prices), name="prices")
                serving = tasks.create_task(self._serve(listening), name="listener")
                loops = [
                    tasks.create_task(self._supervisor.keep(name, loop), name=name)
                    for name, loop in self._loops().items()
                ]
                code = await self._watch_vitals(serving)
                self._readiness.announce(CollectorState.STOPPING)
                await _end([serving, *loops])
                await self._evaluator.release()
        finally:
            await asyncio.to_thread(self._recorder.stop, _WRITER_ENDS_WITHIN)
            await asyncio.to_thread(self._notifier.close)
        self._say(self._summary.farewell(self._setup.clock(), self._outbox.sent))
        return code

    def _load_prices(self) -> None:
        """In the background, so that neither the start nor the first request waits for it."""
        try:
            self._active.catalogue.load()
        except Exception:  # each request then says so, and is recorded without a price
            _log.exception("the price list could not be loaded")
        finally:
            self._prices.set_result(None)
        gc.collect()
        gc.freeze()

    async def _serve(self, listening: socket.socket) -> None:
        context = Context(
            recorder=self._recorder,
            store=self._store,
            settings=lambda: self._active.settings,
            clock=self._setup.clock,
            health=self._health,
            ceilings=lambda: self._recorder.book.ceilings,
            tokens=TokenCopy(self._store, time.monotonic),
            backups=(self._store.path.parent if self._store.path else data_folder()) / "backups",
            environment=self._setup.loaded.environment,
            stopping=self._stop,
            counters=self._counters,
            refusals=self._refusals,
            posts=self._posts,
        )
        try:
            await listen(context, listening, self._stop)
        except Exception:
            _log.exception("the listener failed")

    def _loops(self) -> dict[str, Loop]:
        clock, owns = self._setup.clock, lambda: self._evaluator.owns
        polling = PollContext(
            store=self._store,
            recorder=self._recorder,
            writes=self._owned,
            clock=clock,
            stored=self._polled,
            say=self._say,
        )
        pollers = PollSupervisor(polling, self._settings, owns)
        tasks = TaskRunner(
            self._store,
            self._recorder,
            self._owned,
            clock,
            lambda: list(self._active.channel_urls),
            owns,
            self._stop.set,
            self._wake,
            all_slow_tasks(polling, pollers, self._settings, self._readiness.url, self._posts),
        )
        housekeeping = Housekeeping(
            self._owned,
            self._beside,
            lambda: self._active.retention,
            clock,
            owns,
            self._store.checkpoint,
            is_quiet=lambda: self._recorder.is_quiet,
        )
        loops: dict[str, Loop] = {
            "evaluator": self._evaluator.run,
            "outbox": self._deliver,
            "tasks": tasks.run,
            "pollers": pollers.run,
            "accounts": self._accounts.run,
            "anomalies": self._anomalies.run,
            "loops": self._repeating.run,
            "status file": self._snapshot.run,
            "first bill": self._first_bill.run,
            "housekeeping": housekeeping.run,
            "dictionary": DictionaryTraining(self._store, self._recorder, self._owned, owns, clock).run,
            "configuration": self._config_reload.run,
            "price list": self._price_list.run,
            "refusals": RefusalCounts(self._counters, self._recorder, clock, lambda: self._hold.slot).run,
            "emergency": self._emergency().run,
            "refusal log": self._refusal_watch.run,
            "slot": SlotWatch(self._hold, self._recorder, self._conditions).run,
            "store": self._store_health.run,
            "store alerts": self._troubles.run,
            "watchdog": watchdog(progress(self._recorder, self._evaluator)),
        }
        if self._printer is not None:
            loops["printer"] = self._printer.run
        if self._setup.leash_descriptor is not None:
            loops["leash"] = end_with(self._setup.leash_descriptor, self._stop)
        context = CompanionContext(self._store, self._recorder, self._readiness.url, clock, self._settings, self._say)
        return loops | {name: companion(context) for name, companion in self._setup.companions.items()}

    def _emergency(self) -> EmergencyMessages:
        return EmergencyMessages(
            self._conditions,
            lambda: self._active.channel_urls,
            ProcessCourier(),
            self._setup.clock,
            # Of a SQLite store nobody else could tell, also before the first evaluation.
            lambda: self._store.is_sqlite or self._evaluator.owns,
            lambda: self._active.settings.time.calendar.zone,
            self._sender,
        )

    def _sender(self) -> str:
        return self._active.settings.ui.shown_name

    def _settings(self) -> Settings:
        return self._active.settings

    async def _deliver(self, stop: asyncio.Event) -> None:
        """Deliver while evaluating and delivering is ours."""
        while not stop.is_set():
            while not self._evaluator.owns and not stop.is_set():
                await pause(stop, _VITALS_EVERY)
            turn = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                delivering = tasks.create_task(self._outbox.run(turn))
                while self._evaluator.owns and not stop.is_set() and not delivering.done():
                    await pause(stop, _VITALS_EVERY)
                turn.set()

    async def _watch_vitals(self, serving: asyncio.Task[None]) -> ExitCode:
        """Without the writer or the listener nothing can be recorded: end, so that whoever watches starts us anew."""
        while not self._stop.is_set():
            if not self._recorder.alive or serving.done():
                _log.error("the %s died", "listener" if serving.done() else "writer")
                self._stop.set()
                return ExitCode.INTERNAL
            self._examine()
            self._readiness.admit(self._conditions.present)
            await pause(self._stop, _VITALS_EVERY)
        return ExitCode.OK

    def _recorded(self, outcomes: Sequence[Outcome]) -> None:
        self._evaluator.wake()
        self._summary.recorded(outcomes)
        if self._printer is not None:
            self._printer.recorded(outcomes)

    def _committed(self) -> None:
        self._snapshot.changed()
        self._notifier.committed()

    def _announced(self, announcements: Sequence[Announcement]) -> None:
        self._outbox.wake()
        self._summary.announced(len(announcements))
        if self._printer is not None:
            self._printer.announced(announcements)

    def _applied(self) -> None:
        self._evaluator.wake()
        self._price_list.wake()

    def _polled(self) -> None:
        self._evaluator.wake()
        self._first_bill.wake()
        self._accounts.wake()

    def _wake(self) -> None:
        """Something was written by hand."""
        self._evaluator.wake()
        self._outbox.wake()

    def _health(self) -> Health:
        self._examine()
        return Health(
            self._conditions.status,
            {
                "conditions": [
                    {
                        "name": condition.name,
                        "status": condition.status.value,
                        "sentence": condition.sentence,
                        "since": to_iso(condition.since),
                    }
                    for condition in self._conditions.present
                ],
                "loops_failing": dict(self._supervisor.failures),
                "channels": {status.name: status.state.value for status in self._outbox.status()},
                "configuration": self._config_reload.rejected or "applied",
                "writes_waiting": self._recorder.waiting,
                "deliveries_dead": self._outbox.dead,
            },
        )

    def _examine(self) -> None:
        """Ask those who do not say by themselves what is amiss with them."""
        ended = None if self._recorder.alive else "The writer has ended: nothing is recorded. Restart the collector."
        self._conditions.keep("writer ended", ConditionStatus.DOWN, ended)
        self._store_health.examine()
        self._conditions.keep("loops", ConditionStatus.DEGRADED, self._supervisor.amiss)
        self._conditions.keep("limits", ConditionStatus.DEGRADED, self._evaluator.amiss)
        self._conditions.keep("unusual spend", ConditionStatus.DEGRADED, self._anomalies.amiss)
        self._conditions.keep("repeated calls", ConditionStatus.DEGRADED, self._repeating.amiss)
        self._conditions.keep("channels", ConditionStatus.DEGRADED, failing_channels(self._outbox.status()))
        self._conditions.keep("configuration", ConditionStatus.DEGRADED, self._config_reload.amiss)
        self._refusal_watch.examine()
        self._conditions.keep("bills", ConditionStatus.DEGRADED, self._accounts.doubts)

    async def _greet(self, notices: Sequence[str]) -> None:
        url = self._readiness.url
        if self._printer is not None:
            bills = await self._first_bill.look()
            self._printer.banner(self._active.facts(url, self._store.name, bills))
        for sentence in (*notices, *self._setup.loaded.warnings):
            self._say(sentence)
        tell_parent(self._setup.ready_descriptor, {"ready": True, "url": url, "pid": os.getpid()})

    def _say(self, sentence: str) -> None:
        if self._printer is not None:
            self._printer.say(sentence)


def _say_nothing(_sentence: str) -> None:
    """Nobody reads what a collector prints that has another face."""


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all have ended; those that take too long are cancelled."""
    _, late = await asyncio.wait(tasks, timeout=_LOOPS_END_WITHIN)
    for task in late:
        _log.warning("%s did not end in time", task.get_name())
        task.cancel()


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
