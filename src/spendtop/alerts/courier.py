"""Delivers one message in a process of its own, which is killed when it takes too long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Protocol

import msgspec

from spendtop.alerts.channels import as_shown, prepared_url
from spendtop.alerts.delivery_process import DeliveryJob, DeliveryOutcome, DeliveryResult
from spendtop.alerts.message_text import Dispatch, notify_type, render
from spendtop.domain.alerting.episode import Message

_KILL_AFTER = 3.0
_ANSWER_LIMIT = 64 * 1024
_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


def delivery_job(url: str, message: Message, dispatch: Dispatch, *, severity: str, deadline: float) -> DeliveryJob:
    """The message as it is sent to this URL on this try; `deadline` in seconds."""
    text = as_shown(url, render(message, dispatch))
    return DeliveryJob(
        url=prepared_url(url),
        title=text.title,
        body=text.body,
        type=notify_type(message.kind, severity),
        deadline=deadline,
    )


class Courier(Protocol):
    """Takes a message to its recipient."""

    async def deliver(self, job: DeliveryJob) -> DeliveryResult:
        """How it went. A failure is a result, never an exception."""
        ...


class ProcessCourier:
    """Delivers in a process without the collector's environment; `proxy` is its only proxy."""

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy

    async def deliver(self, job: DeliveryJob) -> DeliveryResult:
        """Deliver, or kill the process 3 s after the job's deadline."""
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "spendtop.alerts.delivery_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment(),
                cwd="/",
                start_new_session=True,
                limit=_ANSWER_LIMIT,
            )
        except OSError as failure:
            return _failed(f"the delivery process cannot be started: {failure.strerror}", started)
        try:
            async with asyncio.timeout(job.deadline + _KILL_AFTER):
                return _result(await _talk(process, job), started)
        except TimeoutError:
            return _failed(f"no end within {job.deadline:g} s; the delivery was killed", started)
        except (ValueError, OSError) as failure:
            return _failed(f"the delivery process failed: {type(failure).__name__}", started)
        finally:
            await _end(process)

    def _environment(self) -> dict[str, str]:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["NETRC"] = os.devnull
        if self._proxy:
            environment |= {"HTTP_PROXY": self._proxy, "HTTPS_PROXY": self._proxy}
        return environment


async def _talk(process: asyncio.subprocess.Process, job: DeliveryJob) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    await process.stdin.drain()
    return await process.stdout.readline()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _result(answer: bytes, started: float) -> DeliveryResult:
    if not answer:
        return _failed("the delivery process ended without a result", started)
    return msgspec.json.decode(answer, type=DeliveryResult)


def _failed(detail: str, started: float) -> DeliveryResult:
    return DeliveryResult(
        outcome=DeliveryOutcome.TRANSIENT, detail=detail, elapsed_ms=int((time.monotonic() - started) * 1000)
    )
