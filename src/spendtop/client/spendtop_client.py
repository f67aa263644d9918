"""Tells spendtop what each LLM call used, in the background; a failure is logged and never reaches the application.

One file that needs the standard library alone, to copy into an application: `spendtop client > spendtop_client.py`.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import urllib.request
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_log = logging.getLogger("spendtop")


class Spendtop:
    """Sends to a collector's `url`, which ends with /ingest, under a tracking token, with the ingest key that is in
    SPENDTOP_INGEST_KEY. With `prompts`, requests and answers are sent as well."""

    def __init__(self, url: str, token: str, prompts: bool = False) -> None:
        self.prompts = prompts
        self._address = url
        self._token = token
        self._senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="spendtop")
        self._places = threading.BoundedSemaphore(200)  # what finds no place is dropped, so that memory stays bounded

    def call(self, provider: str, request: Mapping[str, Any], **more: Any) -> Call:
        """One call, as `with spendtop.call("openai", request, user_id="alice") as call`. `request` is what the provider
        is sent, `more` what /ingest takes beside it: user_id, session_id, session_path, properties."""
        return Call(self, provider, request, more)

    def send(self, event: Mapping[str, Any]) -> None:
        """Push one event of /ingest as soon as a sender is free."""
        try:
            body = json.dumps({"tracking_token": self._token, **event}, default=str).encode()
            if self._places.acquire(blocking=False):
                self._senders.submit(self._post, body)
            else:
                _log.warning("usage was not recorded: too many wait to be sent")
        except Exception as failure:
            _log.warning("usage was not recorded: %r", failure)

    def _post(self, body: bytes) -> None:
        try:
            headers = {"Content-Type": "application/json", "X-Ingest-Key": os.environ["SPENDTOP_INGEST_KEY"]}
            urllib.request.urlopen(urllib.request.Request(self._address, body, headers), timeout=5).close()
        except Exception as failure:
            _log.warning("usage was not recorded: %r", failure)
        finally:
            self._places.release()


class Call:
    """One call while it goes on. It is told at the end of its block, as failed where that raised."""

    def __init__(self, spendtop: Spendtop, provider: str, request: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        self._spendtop = spendtop
        self._request = request
        self._event: dict[str, Any] = {
            "provider": provider,
            "model": request["model"],
            "request_id": str(uuid.uuid4()),
            **more,
        }
        self._usage: dict[str, Any] = {}
        self._answer: dict[str, Any] | None = None
        self._chunks: list[dict[str, Any]] = []
        self._status = "ok"
        self._started = 0.0

    def answered(self, response: Any) -> Any:
        """Takes note of an answer, and gives it back."""
        self._note(response)
        # Vectors and pictures are large, and tell a reader nothing.
        self._answer = {name: part for name, part in self._sent(response).items() if name != "data"}
        return response

    def stream(self, chunks: Iterable[Any]) -> Iterator[Any]:
        """The chunks of an answer, as they come."""
        self._status = "cancelled"  # until it has come to its end
        for chunk in chunks:
            self._note_chunk(chunk)
            yield chunk
        self._status = "ok"

    async def stream_async(self, chunks: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """The same of an asynchronous client."""
        self._status = "cancelled"
        async for chunk in chunks:
            self._note_chunk(chunk)
            yield chunk
        self._status = "ok"

    def __enter__(self) -> Call:
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind: object, failure: BaseException | None, traceback: object) -> None:
        if failure is not None:
            self._status = "error" if isinstance(failure, Exception) else "cancelled"
        event = {**self._event, "status": self._status}
        event["latency_ms"] = round((time.perf_counter() - self._started) * 1000)
        if self._usage:
            event["usage"] = self._usage
        if self._spendtop.prompts:
            event |= {"request_body": self._request, "response_body": self._answer or self._chunks}
        if self._status == "ok" and not self._usage:
            _log.warning("usage was not recorded: the answer told none; OpenAI's streams tell it with include_usage")
            return
        self._spendtop.send(event)

    def _note_chunk(self, chunk: Any) -> None:
        """OpenAI's last chunk has the usage, where the request asked for it; of Anthropic's the first and the last."""
        whole = getattr(chunk, "message", None) or getattr(chunk, "response", None)
        for part in (whole, chunk):
            if part is not None:
                self._note(part)
        if self._spendtop.prompts:
            self._chunks.append(self._sent(chunk))

    def _sent(self, answer: Any) -> dict[str, Any]:
        """What is sent of an answer or a chunk: nothing without prompts."""
        try:
            return _plain(answer) if self._spendtop.prompts else {}
        except Exception as failure:
            _log.warning("an answer was not read: %r", failure)
            return {}

    def _note(self, response: Any) -> None:
        try:
            for field, name in (("model", "model"), ("response_id", "id"), ("request_id", "_request_id")):
                if isinstance(value := getattr(response, name, None), str) and value:
                    self._event[field] = value
            usage = getattr(response, "usage", None)
            if usage is not None:
                self._usage |= {name: value for name, value in _plain(usage).items() if value is not None}
        except Exception as failure:
            _log.warning("usage was not read: %r", failure)


def _plain(answer: Any) -> dict[str, Any]:
    """An object of a provider's package as JSON has it."""
    return dict(answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer)
