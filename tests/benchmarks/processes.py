"""The servers as processes of their own, and the load on them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.load import Answered, Load
from tests.benchmarks.webhooks import SECRET

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0
INGEST_KEY = "an-ingest-key-of-the-benchmarks"
_SHIM = """
#include <unistd.h>
#include <sys/syscall.h>
int fsync(int fd) { usleep(2000); return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { usleep(2000); return syscall(SYS_fdatasync, fd); }
"""
_CONFIG = """
[server]
port = 0
ingest_keys = {{ apps = "{ingest_key}" }}
ingest_rate_limit = {{ rpm = 1000000000, burst = 1000000000 }}
[database]
url = "sqlite:///{store}"
[helicone]
webhook_secrets = ["{secret}"]
[[limit]]
name = "hourly"
window = "1h"
usd = 1000000
[[limit]]
name = "daily"
window = "day"
usd = 1000000
[[limit]]
name = "monthly"
window = "month"
usd = 1000000
[[limit]]
name = "each user"
each = "user"
window = "day"
usd = 1000000
"""


class Running(msgspec.Struct, frozen=True):
    """A server that listens."""

    pid: int
    port: int


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Nothing of this machine's user, and this checkout."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    checkout = f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"
    return {**kept, "HOME": str(folder), "PYTHONPATH": checkout, "TERM": "xterm-256color", **more}


def slow_disk(folder: Path) -> dict[str, str]:
    """Environment that adds 2 ms to every fsync and fdatasync of a process."""
    library, source = folder / "slow_fsync.so", folder / "slow_fsync.c"
    if not library.exists():
        source.write_text(_SHIM)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
    return {"LD_PRELOAD": str(library)}


def write_config(folder: Path, store: Path, more: str = "") -> Path:
    """A configuration with the usual limits, all far away, for a store in `folder`."""
    config = folder / f"{store.stem}.toml"
    config.touch(mode=0o600)
    config.write_text(_CONFIG.format(store=store, secret=SECRET, ingest_key=INGEST_KEY) + more)
    return config


@contextmanager
def collector(folder: Path, store: Path, slow: Mapping[str, str] | None = None, more: str = "") -> Iterator[Running]:
    """A collector on a store, until the end of the block."""
    ready, told = os.pipe()
    config = write_config(folder, store, more)
    with (folder / "collector.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "spendtop", "--no-ui", "--config", str(config), "--ready-fd", str(told)],
            env=environment(folder, **(slow or {})),
            cwd=folder,
            pass_fds=[told],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    os.close(told)
    with os.fdopen(ready) as pipe, _ended(process):
        said: dict[str, Any] = next(
            (each for each in map(msgspec.json.decode, pipe) if each["ready"] or "code" in each), {}
        )
        if not said.get("ready"):
            raise RuntimeError((folder / "collector.log").read_text()[-2000:])
        yield Running(process.pid, int(said["url"].rsplit(":", 1)[1]))


@contextmanager
def server(
    folder: Path, module: str, arguments: Sequence[str] = (), slow: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """One of our comparison servers, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", str(listening.fileno()), *arguments],
            env=environment(folder, **(slow or {})),
            cwd=folder,
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
        )
        with _ended(process):
            yield Running(process.pid, listening.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has taken so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def put_load(folder: Path, order: Load) -> Answered:
    """Run the generator. Raises AssertionError when a request was not recorded."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load", msgspec.json.encode(order).decode()],
        env=environment(folder),
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        timeout=order.seconds + 300,
    )
    answered = msgspec.json.decode(done.stdout, type=Answered)
    assert answered.failed == 0, f"{answered.failed} of {answered.requests} requests failed"
    return answered


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
