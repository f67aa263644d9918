"""Real collectors in processes of their own, and what can be seen of them from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from tests.helicone_captures import captures, secret, sign
from tests.waiting import DEADLINE

LISTENER = f"""\
[server]
port = 0
[helicone]
webhook_secrets = ["{secret().decode()}"]
"""
"""A listener on a free port that takes the captures' signatures."""


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str


@dataclass
class CollectorProcess:
    """A collector that listens."""

    folder: Path
    process: subprocess.Popen[bytes]
    url: str
    client: httpx.Client = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        """What it has printed."""
        return (self.folder / "out").read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        """What it has logged."""
        return (self.folder / "err").read_text(encoding="utf-8")

    @property
    def lines(self) -> list[str]:
        """What it has printed, by lines, without the times of those that have one."""
        return untimed(self.out)

    def post(self, raw: bytes) -> httpx.Response:
        """Post a webhook as Helicone does."""
        return self.client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})

    def health(self, api_key: str = "") -> dict[str, Any]:
        """What /health says."""
        said: dict[str, Any] = self.client.get("/health", headers={"X-API-Key": api_key} if api_key else {}).json()
        return said

    def rows(self, sql: str) -> list[Any]:
        """What the store holds."""
        return rows(self.folder, sql)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return Ended(self.process.wait(DEADLINE), self.out, self.err)


def untimed(printed: str) -> list[str]:
    """The lines without their times."""
    return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line) for line in printed.splitlines()]


def rows(folder: Path, sql: str) -> list[Any]:
    """What the store in this folder holds."""
    with closing(sqlite3.connect(f"file:{folder}/spendtop.db?mode=ro", uri=True, timeout=DEADLINE)) as connection:
        return connection.execute(sql).fetchall()


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the tester's own."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC", "PYTHONWARNINGS": "error"}


def configured(folder: Path, config: str = LISTENER) -> Path:
    """A configuration file in the folder, with the store beside it."""
    file = folder / "spendtop.toml"
    folder.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    database = "" if "[database]" in config else f'[database]\nurl = "sqlite:///{folder}/spendtop.db"\n'
    file.write_text(config + database)
    return file


def save(file: Path, text: str) -> None:
    """As editors save: a collector that looks meanwhile sees the old file or the new one."""
    new = file.with_name("new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(file)


def command(*arguments: str | Path) -> list[str]:
    """The command line of spendtop with these arguments."""
    return [sys.executable, "-P", "-m", "spendtop", *map(str, arguments)]


def spendtop(
    folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Ended:
    """Run a command to its end; `folder` is its home, and its working directory without `cwd`."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
        env=environment(folder) if environ is None else dict(environ),
        cwd=folder if cwd is None else cwd,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def refused(folder: Path, config: str = LISTENER, *options: str) -> Ended:
    """How a collector that cannot start ends."""
    return spendtop(folder, "--no-ui", "--config", configured(folder, config), *options)


def collecting(
    folder: Path,
    config: str = LISTENER,
    *options: str | Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    passed: Sequence[int] = (),
    **further: Any,
) -> AbstractContextManager[CollectorProcess]:
    """A collector that is ready; at the end of the block it is killed if it still runs."""
    words = ("--config", configured(folder, config), *options)
    return started(folder, *words, environ=environ, cwd=cwd, passed=passed, **further)


@contextmanager
def started(
    folder: Path,
    *options: str | Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    passed: Sequence[int] = (),
    **further: Any,
) -> Iterator[CollectorProcess]:
    """The same with the configuration that it finds; `folder` is its home, and its working directory without `cwd`."""
    ready, told = os.pipe()
    with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
        process = subprocess.Popen(
            command("--no-ui", "--ready-fd", str(told), *options),
            **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **further},
            env=environment(folder) if environ is None else dict(environ),
            cwd=folder if cwd is None else cwd,
            pass_fds=[told, *passed],
        )
    os.close(told)
    try:
        with os.fdopen(ready) as pipe:
            lines = (json.loads(line) for line in pipe)
            said = next((line for line in lines if "upgraded" not in line), None)
        assert said is not None, (folder / "err").read_text()
        assert said["ready"], said
        with httpx.Client(base_url=said["url"], trust_env=False, timeout=DEADLINE) as client:
            yield CollectorProcess(folder, process, said["url"], client)
    finally:
        process.kill()
        process.wait()


def webhook(request_id: str, cost: float = 0.001, **fields: Any) -> bytes:
    """A captured webhook as another request with this cost in USD."""
    event = msgspec.json.decode(captures()["openai_chat_success_user_session_props_unicode"].raw)
    event["request_id"] = request_id
    event["metadata"]["cost"] = cost
    return msgspec.json.encode({**event, **fields})
