from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.collector.process.lifecycle import Readiness, notify_systemd, tell_parent, watchdog, watchdog_seconds
from spendtop.services.stores.presence import CollectorState
from tests.waiting import DEADLINE


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"{folder}/notify")
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        yield listening


def test_systemd_hears_what_is_told(systemd: socket.socket, tmp_path: Path) -> None:
    readiness = Readiness(tmp_path / "collector.json", "http://127.0.0.1:8000", "service", lambda: 0)
    for state in CollectorState:
        readiness.announce(state)
    notify_systemd("WATCHDOG=1")
    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"STOPPING=1", b"WATCHDOG=1"]
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_an_abstract_socket_is_heard_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"spendtop-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify_systemd("READY=1")
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_systemd("READY=1")


@pytest.mark.parametrize(
    ("micros", "seconds"), [(None, None), ("", None), ("0", None), ("soon", None), ("60000000", 30.0)]
)
def test_a_sign_of_life_comes_twice_as_often_as_wanted(
    monkeypatch: pytest.MonkeyPatch, micros: str | None, seconds: float | None
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if micros is not None:
        monkeypatch.setenv("WATCHDOG_USEC", micros)
    assert watchdog_seconds() == seconds


def test_the_parent_gets_one_line_and_the_end_of_the_pipe() -> None:
    read, write = os.pipe()
    tell_parent(write, {"ready": True, "url": "http://127.0.0.1:8000"})
    with os.fdopen(read) as pipe:
        assert json.loads(pipe.read()) == {"ready": True, "url": "http://127.0.0.1:8000"}


def test_a_parent_that_is_gone_or_was_never_there_does_no_harm() -> None:
    read, write = os.pipe()
    os.close(read)
    tell_parent(write, {"ready": True})
    tell_parent(None, {"ready": True})


def test_closed_standard_streams_are_never_taken_by_something_else() -> None:
    program = (
        "import os; os.close(0); os.close(1)\n"
        "from spendtop.collector.process.lifecycle import occupy_standard_descriptors\n"
        "occupy_standard_descriptors()\n"
        "os.write(2, ' '.join([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1)]).encode())\n"
        "assert os.open('/', os.O_RDONLY) > 2\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, stdin=subprocess.PIPE)
    assert done.stderr == b"/dev/null /dev/null"


async def test_a_sign_of_life_is_given_only_while_something_moves(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    answers = iter([True, False, False, True])
    stop, asked = asyncio.Event(), 0

    def is_moving() -> bool:
        nonlocal asked
        asked += 1
        moves = next(answers)
        if asked == 4:
            stop.set()
        return moves

    await asyncio.wait_for(watchdog(is_moving)(stop), DEADLINE)
    assert [systemd.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
