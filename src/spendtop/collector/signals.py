"""Signals and leashes: what ends a collector, and what makes it read its configuration again."""

from __future__ import annotations

import asyncio
import os
import signal

from spendtop.collector.supervisor import Loop


def on_signals(stop: asyncio.Event) -> asyncio.Event:
    """SIGTERM and SIGINT stop, a second one ends at once; SIGHUP sets the event that is returned."""
    loop = asyncio.get_running_loop()
    reload = asyncio.Event()

    def end(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    return reload


def end_with(descriptor: int, stop: asyncio.Event) -> Loop:
    """A loop that stops everything once the other end of a pipe closes."""

    async def hold(_stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, stop.set)
        await stop.wait()
        loop.remove_reader(descriptor)

    return hold
