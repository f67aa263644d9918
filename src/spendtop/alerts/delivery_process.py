"""The short-lived process that delivers one message: `python -m spendtop.alerts.delivery_process`.

One line of JSON on stdin is the job, one line on stdout the result. A process of its own, because a service that
answers slowly or endlessly would keep Apprise's threads, and the collector, from everything else.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from spendtop.domain.discreet import Discreet

_DETAIL_LIMIT = 300
_MEMORY = 400 * 1024 * 1024
_CODE = re.compile(r"\berror=(\d{3})\b")
_PASSING_CODES = frozenset({408, 425, 429, 451})
_OURS: dict[str, Any] = {
    "app_id": "spendtop",
    "app_desc": "spendtop alerts",
    "app_url": "",
    "image_url_mask": None,
    "image_url_logo": None,
}
"""Who sends; Apprise's own name and pictures stand in for nobody."""
_CHATTY = ("apprise", "urllib3", "requests", "smtplib", "asyncio")


class DeliveryOutcome(StrEnum):
    SENT = "sent"
    TRANSIENT = "transient"
    """May work later; the message was perhaps delivered all the same."""
    PERMANENT = "permanent"
    """The service refuses it and will probably refuse it again."""
    MISCONFIGURED = "misconfigured"
    """Cannot work until the configuration changes."""


class DeliveryJob(Discreet, frozen=True, kw_only=True):
    """One message for one recipient."""

    url: str
    title: str
    body: str
    type: str
    """Apprise's notification type: info, success, warning or failure."""
    deadline: float
    """Seconds that the service may take."""


class DeliveryResult(Struct, frozen=True, kw_only=True):
    """How one try ended. `detail` says why in at most 300 characters, without the URL or a part of it."""

    outcome: DeliveryOutcome
    detail: str = ""
    elapsed_ms: int = 0
    slow_down: bool = False
    """The service asked for fewer messages."""


def main() -> NoReturn:
    """Read the job, deliver it, write the result, and be gone whatever threads still run."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=DeliveryJob)
    _restrict(job.deadline)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.write(1, msgspec.json.encode(deliver(job)) + b"\n")
    os._exit(0)


def deliver(job: DeliveryJob) -> DeliveryResult:
    """Send the message and say how it went."""
    started = time.monotonic()
    try:
        outcome, detail, slow_down = _send(job)
    except Exception as failure:
        outcome, detail, slow_down = (
            DeliveryOutcome.TRANSIENT,
            f"the delivery broke off: {type(failure).__name__}",
            False,
        )
    return DeliveryResult(
        outcome=outcome,
        detail=detail[:_DETAIL_LIMIT],
        elapsed_ms=int((time.monotonic() - started) * 1000),
        slow_down=slow_down,
    )


def _send(job: DeliveryJob) -> tuple[DeliveryOutcome, str, bool]:
    from apprise import Apprise, AppriseAsset, AppriseResultStatus

    asset = AppriseAsset(service_timeout=job.deadline, http_redirects=False, storage_mode="memory", **_OURS)
    sender = Apprise(asset=asset)
    if not sender.add(job.url):
        return DeliveryOutcome.MISCONFIGURED, "Apprise does not understand this channel's URL", False
    _sign(sender)
    answer: Any = sender.notify(title=job.title, body=job.body, notify_type=job.type, body_format="text")
    services = list(answer)
    if not services:
        return DeliveryOutcome.MISCONFIGURED, "Apprise found nothing to send", False
    last = services[-1].attempts[-1]
    if last.status is AppriseResultStatus.SUCCESS:
        return DeliveryOutcome.SENT, "", False
    if last.status is AppriseResultStatus.TIMEOUT:
        return DeliveryOutcome.TRANSIENT, f"no complete answer within {job.deadline:g} s", False
    return classify([entry.message for entry in last.logs], job.url)


def _sign(sender: Any) -> None:
    """PagerDuty's source, and other values that Apprise fills with its own name."""
    for service in sender:
        for name, value in vars(service).items():
            if value == "Apprise":
                setattr(service, name, _OURS["app_id"])


def classify(lines: Sequence[str], url: str) -> tuple[DeliveryOutcome, str, bool]:
    """What Apprise's log lines about a failure mean: its class, a reason without the URL, whether to slow down."""
    text = " ".join(lines)
    if match := _CODE.search(text):
        code = int(match[1])
        if code < 300:
            return DeliveryOutcome.TRANSIENT, f"the service's answer was not the expected one (HTTP {code})", False
        if code < 400:
            return DeliveryOutcome.PERMANENT, f"redirect refused (HTTP {code})", False
        refused = 400 <= code < 500 and code not in _PASSING_CODES
        return (DeliveryOutcome.PERMANENT if refused else DeliveryOutcome.TRANSIENT), f"HTTP {code}", code == 429
    if "onnection error" in text:
        return DeliveryOutcome.TRANSIENT, "cannot connect to the service, or it broke off", False
    if "Sending email to" in text:
        return DeliveryOutcome.PERMANENT, "the mail server refused the message", False
    if "raised an exception" in text:
        return DeliveryOutcome.TRANSIENT, "the service's answer was too large or made no sense", False
    return DeliveryOutcome.TRANSIENT, redacted(text, url) or "the service refused the message without a reason", False


def redacted(line: str, url: str) -> str:
    """`line` without any part of the URL that is long enough to tell something."""
    secrets = {part for form in (url, unquote(url)) for part in re.split(r"[/:@?&=,;+%#\s]+", form) if len(part) > 2}
    for secret in sorted(secrets, key=len, reverse=True):
        line = re.sub(re.escape(secret), "***", line, flags=re.IGNORECASE)
    return line


def _restrict(deadline: float) -> None:
    for limit, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))
    signal.setitimer(signal.ITIMER_REAL, deadline + 5)
    for name in _CHATTY:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.WARNING)
        logger.propagate = False


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
