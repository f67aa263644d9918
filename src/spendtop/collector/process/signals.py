"""Signals and leashes: what ends a collector, and what makes it read its configuration again."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import NamedTuple

from spendtop.collector.supervisor import Loop


class Wishes(NamedTuple):
    """What can be asked of a collector from outside."""

    stop: asyncio.Event
    reload: asyncio.Event


def on_signals() -> Wishes:
    """SIGTERM and SIGINT stop, a second one ends at once; SIGHUP reads the configuration again."""
    loop = asyncio.get_running_loop()
    wishes = Wishes(asyncio.Event(), asyncio.Event())

    def end(number: signal.Signals) -> None:
        if wishes.stop.is_set():
            os._exit(128 + number)
        wishes.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, wishes.reload.set)
    return wishes


def end_with(descriptor: int, stop: asyncio.Event) -> Loop:
    """A loop that stops everything once the other end of a pipe closes."""

    async def hold(_stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, stop.set)
        await stop.wait()
        loop.remove_reader(descriptor)

    return hold
