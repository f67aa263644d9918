from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from spendtop.collector.process.lifecycle import end_with, on_signals
from tests.waiting import DEADLINE

_WAITS = """
import asyncio
from spendtop.collector.process.lifecycle import on_signals

async def main():
    wishes = on_signals()
    print("ready", flush=True)
    await wishes.stop.wait()
    print("stopping", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_for_the_end(number: signal.Signals) -> None:
    wishes = on_signals()
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(DEADLINE):
            await wishes.stop.wait()
        assert not wishes.reload.is_set()
    finally:
        remove_handlers()


async def test_sighup_asks_for_the_configuration_to_be_read() -> None:
    wishes = on_signals()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(DEADLINE):
            await wishes.reload.wait()
        assert not wishes.stop.is_set()
    finally:
        remove_handlers()


def remove_handlers() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _WAITS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number


async def test_a_pipe_that_closes_asks_for_the_end() -> None:
    read, write = os.pipe()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        holding = tasks.create_task(asyncio.wait_for(end_with(read, stop)(stop), DEADLINE))
        await asyncio.sleep(0)
        assert not holding.done()
        os.close(write)
    assert stop.is_set()
    os.close(read)


async def test_a_leash_ends_with_everything_else() -> None:
    read, write = os.pipe()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.wait_for(end_with(read, stop)(stop), DEADLINE))
        stop.set()
    os.close(read)
    os.close(write)
