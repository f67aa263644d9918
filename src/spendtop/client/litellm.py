"""Reports every call of LiteLLM's SDK to spendtop, and loses none while spendtop is away.

import litellm
from spendtop.client.litellm import SpendtopLogger

litellm.callbacks = [SpendtopLogger(url="http://127.0.0.1:8000")]   # key: SPENDTOP_INGEST_KEY
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import json
import os
import weakref
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spendtop.client.poster import Poster
from spendtop.client.sender import Sender
from spendtop.client.spool import Spool

if TYPE_CHECKING:
    CustomLogger = object
elif find_spec("litellm") is None:
    raise ImportError("spendtop.client.litellm needs LiteLLM. Install it with: pip install 'spendtop[litellm]'")
else:
    from litellm.integrations.custom_logger import CustomLogger

_KEY_NAME = "SPENDTOP_INGEST_KEY"
_LARGEST_EVENT = 8 * 1024 * 1024
"""A larger event goes without its prompt and response."""
_SMALLEST_SPOOL = 64 * 1024
_PARTING = 2.0
"""Seconds for which the end of the process waits for what was not sent yet."""


class SpendtopLogger(CustomLogger):
    """A LiteLLM callback: put one into `litellm.callbacks`, early, and for the life of the process.

    Events are on disk before the callback returns, and sent by a thread. What is there when the process ends, however
    it ends, is sent by the next one that uses the same spool; several processes may share it.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        tracking_token: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        most_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """`key` is an ingest key of spendtop, by default SPENDTOP_INGEST_KEY of the environment.

        `spool` is a folder for what is not sent yet, of at most `most_bytes`; the oldest events give way.
        Raises ValueError for an unusable argument, and OSError for a folder that cannot be written.
        """
        super().__init__()
        key = key or os.environ.get(_KEY_NAME, "")
        if not key:
            raise ValueError(f"SpendtopLogger needs an ingest key of spendtop: pass key=..., or set {_KEY_NAME}.")
        if most_bytes < _SMALLEST_SPOOL:
            raise ValueError(f"most_bytes has to be {_SMALLEST_SPOOL:,} or more.")
        poster = Poster(url, key, tracking_token)
        folder = _default_spool() if spool is None else Path(spool)
        self._spool = Spool(folder / _destination(poster.address, tracking_token), most_bytes)
        self._sender = Sender(self._spool, poster)
        self._failed = 0
        self._is_leaving = False
        atexit.register(_call, weakref.WeakMethod(self._leave))
        os.register_at_fork(after_in_child=partial(_call, weakref.WeakMethod(self._after_fork)))

    @property
    def dropped(self) -> int:
        """Events that will never be delivered: given up for want of room, not storable, or refused by spendtop."""
        return self._spool.lost + self._failed + self._sender.refused

    def flush(self, timeout: float = 10.0) -> bool:
        """Send now. Whether all that this process logged was delivered within `timeout` seconds."""
        return self._sender.flush(timeout)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM calls this after a call that succeeded."""
        self._keep(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM calls this after a call that failed."""
        self._keep(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same, of the asynchronous interface."""
        await self._keep_in_thread(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same, of the asynchronous interface."""
        await self._keep_in_thread(kwargs)

    async def _keep_in_thread(self, kwargs: Any) -> None:
        """In a thread, as a disk can be slow; shielded, as a loop that ends cancels what it waits for."""
        try:
            keeping = asyncio.get_running_loop().run_in_executor(None, self._keep, kwargs)
        except RuntimeError:  # the loop takes no more work
            self._keep(kwargs)
        else:
            await asyncio.shield(keeping)

    def _keep(self, kwargs: Any) -> None:
        """Never raises: an application must not fail because its costs are watched."""
        try:
            event = _event(kwargs)
            if event is None:
                return
            lost = self._spool.lost
            self._spool.append(event)
            if self._spool.lost > lost:
                self._sender.say("full", "the spool of spendtop is full; the oldest events are given up")
            if self._is_leaving:
                self._sender.try_once(_PARTING)
            else:
                self._sender.notice()
        except Exception as failure:
            self._failed += 1
            self._sender.say("failed", "an event for spendtop could not be kept (%s)", type(failure).__name__)

    def _leave(self) -> None:
        self._is_leaving = True
        if self._spool.has_unsent():
            self._sender.try_once(_PARTING)

    def _after_fork(self) -> None:
        self._spool.after_fork()
        self._sender.after_fork()


def _event(kwargs: Mapping[str, Any]) -> bytes | None:
    """The event as a line of JSON; None where LiteLLM made none."""
    payload = kwargs.get("standard_logging_object")
    if not isinstance(payload, Mapping):
        return None
    event = {**payload, "session_id": payload.get("session_id") or _session(kwargs)}
    bare = {**event, "messages": None, "response": None}
    try:
        line = _json(event)
    except (ValueError, TypeError, RuntimeError):
        return _json(bare)
    return line if len(line) <= _LARGEST_EVENT else _json(bare)


def _session(kwargs: Mapping[str, Any]) -> str | None:
    """The session that the application named; the event only has it where it looks like a trace."""
    parameters = kwargs.get("litellm_params") or {}
    session = parameters.get("litellm_session_id") or (parameters.get("metadata") or {}).get("session_id")
    return str(session) if session else None


def _json(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, default=str, allow_nan=False, skipkeys=True, separators=(",", ":")).encode()


def _default_spool() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or ""
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "spendtop" / "litellm"


def _destination(address: str, tracking_token: str | None) -> str:
    """A folder of its own for each place that events can go to; a new key for it changes nothing."""
    return hashlib.sha256(f"{address}\n{tracking_token or ''}".encode()).hexdigest()[:16]


def _call(method: weakref.WeakMethod[Any]) -> None:
    call = method()
    if call is not None:
        call()
