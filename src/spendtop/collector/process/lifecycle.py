"""What the process hears and says while it starts, runs and ends: signals, the pipes of its parent, systemd, and a file
beside the store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import spendtop
from spendtop.collector.supervisor import Loop, pause
from spendtop.domain.clock import Clock
from spendtop.domain.condition import Condition
from spendtop.domain.errors import CannotWrite
from spendtop.services.stores.presence import (
    CollectorState,
    RunningCollector,
    announce,
    process_start,
    running_collector,
)

_STDERR = 2
_LOOK_SECONDS = 5.0
"""Between two signs of life at most."""
_LONGEST_STEP_MICROS = 60_000_000
"""For which systemd's patience with a start is prolonged again and again, in µs."""
_FOR_SYSTEMD = {CollectorState.READY: "READY=1", CollectorState.STOPPING: "STOPPING=1"}


class SignalEvents(NamedTuple):
    """What can be asked of a collector from outside."""

    stop: asyncio.Event
    reload: asyncio.Event


def on_signals() -> SignalEvents:
    """SIGTERM and SIGINT stop, a second one ends at once; SIGHUP reads the configuration again."""
    loop = asyncio.get_running_loop()
    signals = SignalEvents(asyncio.Event(), asyncio.Event())

    def end(number: signal.Signals) -> None:
        if signals.stop.is_set():
            os._exit(128 + number)
        signals.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, signals.reload.set)
    return signals


def end_with(descriptor: int, stop: asyncio.Event) -> Loop:
    """A loop that stops everything once the other end of a pipe closes."""

    async def hold(_stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, stop.set)
        await stop.wait()
        loop.remove_reader(descriptor)

    return hold


class Readiness:
    """What this collector says about itself, beside the store and to the parent that started it; `url` is where it
    listens."""

    def __init__(self, file: Path, url: str, started_by: str, clock: Clock, parent: int | None = None) -> None:
        self._file = file
        self.url = url
        self._started_by = started_by
        self._since = clock()
        self._parent = parent
        self._state = CollectorState.STARTING
        self._conditions: tuple[Condition, ...] = ()

    def upgrading(self, share: float) -> None:
        """Say how much of the store's upgrade is done, from 0 to 1."""
        self._announce(share)
        tell_share(self._parent, share)
        notify_systemd(f"STATUS=Upgrading the store: {int(share * 100)} %\nEXTEND_TIMEOUT_USEC={_LONGEST_STEP_MICROS}")

    def announce(self, state: CollectorState) -> None:
        """Say where we stand now, beside the store and to systemd."""
        self._state = state
        self._announce()
        if state in _FOR_SYSTEMD:
            notify_systemd(_FOR_SYSTEMD[state])

    def admit(self, conditions: tuple[Condition, ...]) -> None:
        """Say what is amiss, where that has changed; asked again, it tries again what could not be written."""
        if conditions != self._conditions:
            before, self._conditions = self._conditions, conditions
            try:
                self._announce()
            except (OSError, CannotWrite):
                self._conditions = before

    def _announce(self, upgraded: float | None = None) -> None:
        me = RunningCollector(
            pid=os.getpid(),
            state=self._state,
            url=self.url,
            started_by=self._started_by,
            since=self._since,
            process_started=process_start(os.getpid()),
            version=spendtop.__version__,
            upgraded=upgraded,
            conditions=self._conditions,
        )
        announce(self._file, me)

    def withdraw(self) -> None:
        """Say no more. What another collector of the same PostgreSQL says stays."""
        announced = running_collector(self._file)
        if announced is None or announced.pid == os.getpid():
            self._file.unlink(missing_ok=True)


def occupy_standard_descriptors() -> None:
    """Open /dev/null in place of a standard stream that is closed, so that no socket or store ever takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def notify_systemd(state: str) -> None:
    """Send `READY=1`, `STOPPING=1`, `WATCHDOG=1` or the like when systemd listens (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life, halved; None when it does not."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    return int(micros) / 2_000_000 if micros.isdigit() and int(micros) > 0 else None


def tell_parent(descriptor: int | None, line: dict[str, Any]) -> None:
    """Write the one line that says whether we are ready, and close the pipe."""
    if descriptor is None:
        return
    with suppress(OSError):
        _write_line(descriptor, line)
        os.close(descriptor)


def tell_share(descriptor: int | None, share: float) -> None:
    """Write how much is done, from 0 to 1, of what has to be done to the store before we are ready."""
    if descriptor is not None:
        with suppress(OSError):
            _write_line(descriptor, {"ready": False, "upgraded": share})


def _write_line(descriptor: int, line: dict[str, Any]) -> None:
    os.write(descriptor, (json.dumps(line) + "\n").encode())


def watchdog(is_moving: Callable[[], bool]) -> Loop:
    """A loop that gives systemd signs of life where it wants them, while something moves."""

    async def ping(stop: asyncio.Event) -> None:
        seconds = watchdog_seconds()
        if seconds is None:
            await stop.wait()
            return
        while not stop.is_set():
            if is_moving():
                notify_systemd("WATCHDOG=1")
            await pause(stop, min(seconds, _LOOK_SECONDS))

    return ping
