"""Starting a collector as a process of its own, so that it outlives the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from spendtop.collector.process.log_file import opened
from spendtop.config.paths import state_folder
from spendtop.domain.errors import ExitCode, SpendtopError

_TAIL = 2_000


class Ready(Struct, frozen=True):
    """A collector that listens."""

    pid: int
    url: str


class NotStarted(SpendtopError):
    """The collector did not start; it said why, or its log does."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(code) if code in set(ExitCode) else ExitCode.INTERNAL

    @property
    def already_running(self) -> bool:
        """Whether another collector holds the store: then it is the one to attach to."""
        return self.exit_code is ExitCode.ALREADY_RUNNING


def collector_log() -> Path:
    """Where a collector that a viewer started writes what it has to say."""
    return state_folder() / "collector.log"


class Child:
    """A collector that this process starts.

    With a `leash` it ends when this process does; without, it goes on.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        started_by: str,
        log: Path,
        leash: bool,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to ours."""
        self._log = log
        self._found: Ready | None = None
        self._ready, ready_end = os.pipe()
        passed, more = [ready_end], []
        self._leash: int | None = None
        if leash:
            leash_end, self._leash = os.pipe()
            passed.append(leash_end)
            more = ["--leash-fd", str(leash_end)]
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(opened(log), "ab") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "spendtop", *arguments, "--no-ui"),
                    *("--log-file", str(log), "--started-by", started_by, "--ready-fd", str(ready_end), *more),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=passed,
                start_new_session=True,
                cwd=Path.cwd(),
                env={**os.environ, **(environment or {})},
            )
        for descriptor in passed:
            os.close(descriptor)

    def wait_until_ready(self, upgraded: Callable[[float], object] = lambda share: None) -> Ready:
        """Wait for the ready line. `upgraded` is told how much of the store's upgrade is done, while one goes on.

        Raises NotStarted with what the collector said, or with the end of its log.
        """
        if self._found is None:
            self._found = self._wait(upgraded)
        return self._found

    def _wait(self, upgraded: Callable[[float], object]) -> Ready:
        with os.fdopen(self._ready) as pipe:
            report = self._report(pipe)
            while "upgraded" in report:
                upgraded(report["upgraded"])
                report = self._report(pipe)
        if not report["ready"]:
            self._process.wait()
            raise NotStarted(str(report["message"]), int(report["code"]))
        return Ready(int(report["pid"]), str(report["url"]))

    def _report(self, pipe: TextIO) -> dict[str, Any]:
        line = pipe.readline()
        if not line:
            code = self._process.wait()
            raise NotStarted(f"The collector ended at once. The end of {self._log}:\n{self._tail()}", code)
        report: dict[str, Any] = json.loads(line)
        return report

    def end(self) -> None:
        """Let go of the leash and wait until the collector is gone."""
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        self._process.wait()

    def _tail(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-_TAIL:].strip()
        except OSError:
            return "(no log)"
