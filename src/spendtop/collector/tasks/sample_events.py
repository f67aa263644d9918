"""Sending ourselves one event as Helicone or an application would, to see that the door is open."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from spendtop.collector.demo.sample_traffic import as_test, live_bodies
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock, to_iso
from spendtop.domain.errors import SpendtopError
from spendtop.domain.requests.request import TEST_PROPERTY
from spendtop.domain.sources.records import HELICONE, INGEST
from spendtop.domain.untrusted import clean_line
from spendtop.services.tasks import Task, TaskKind
from spendtop.sources.settings import HeliconeSettings

if TYPE_CHECKING:
    import httpx

_SECONDS = 30.0
_REMOVAL = "It counts until `spendtop send-test --remove`."
_Post = tuple[str, bytes, dict[str, str]]
"""Path, body, headers."""


class SampleEvents:
    def __init__(self, url: str, settings: Callable[[], Settings], clock: Clock) -> None:
        """`url` is where we listen."""
        self._url = url
        self._settings = settings
        self._clock = clock

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {TaskKind.SAMPLE_EVENT: self.send}

    async def send(self, task: Task) -> str:
        """Post one event that is marked as a test, and say what was answered. Raises SpendtopError."""
        import httpx

        token = task.arguments.get("token")
        path, body, headers = self._webhook() if token is None else self._push(str(token))
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
                answer = await client.post(f"{self._url.rstrip('/')}{path}", content=body, headers=headers)
        except httpx.HTTPError as failure:
            raise SpendtopError(f"{self._url} did not answer ({type(failure).__name__}).") from None
        if answer.is_success:
            return f"{path} took a test request: HTTP {answer.status_code}. {_REMOVAL}"
        raise SpendtopError(f"{path} refused a test request: HTTP {answer.status_code}, {_reason(answer)}")

    def _webhook(self) -> _Post:
        helicone = self._settings().section(HeliconeSettings)
        body = as_test(live_bodies()[0], str(uuid.uuid4()), self._clock())
        headers = {"Content-Type": "application/json"}
        if helicone.webhook_secrets:
            secret = helicone.webhook_secrets[0].get_secret_value().encode()
            headers["Helicone-Signature"] = hmac.new(secret, body, sha256).hexdigest()
        elif not helicone.allow_unsigned:
            raise SpendtopError(f"Webhooks are off. Set {HELICONE.setting}.")
        return HELICONE.path, body, headers

    def _push(self, token: str) -> _Post:
        key = next(iter(self._settings().server.ingest_keys.values()), None)
        if key is None:
            raise SpendtopError("Pushes are off. Name a key under ingest_keys in [server].")
        item = {
            "request_id": str(uuid.uuid4()),
            "tracking_token": token,
            "provider": "openai",
            "model": "gpt-4o-mini",
            "usage": {"prompt_tokens": 12, "completion_tokens": 3},
            "timestamp": to_iso(self._clock()),
            "properties": {TEST_PROPERTY: "1"},
        }
        headers = {"Content-Type": "application/json", "X-Ingest-Key": key.get_secret_value()}
        return INGEST.path, json.dumps(item).encode(), headers


def _reason(answer: httpx.Response) -> str:
    try:
        return clean_line(str(answer.json()["error"]["message"]), 200)
    except (ValueError, KeyError, TypeError):
        return "without a reason"
