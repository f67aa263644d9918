"""One post of events to spendtop, and what its answer means."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_SECONDS = 30.0
_LONGEST_WAIT = 3600.0
_FAULT_OF_THE_EVENTS = frozenset({400, 413, 422})
"""What spendtop answers to events that it will never take; all else, such as a tunnel's 404, passes."""


class NotDelivered(Exception):
    """The events have to be sent again. Says why, without the key."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait
        """Seconds that spendtop asked to wait for."""


class Poster:
    """Posts events to one spendtop under one ingest key."""

    def __init__(self, url: str, key: str, tracking_token: str | None) -> None:
        """Raises ValueError for what is no http or https address, key or token."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("url has to be spendtop's address, such as http://127.0.0.1:8000, without user or query.")
        for name, value in (("key", key), ("tracking_token", tracking_token)):
            if value is not None and not (value.isascii() and value.isprintable() and value.strip()):
                raise ValueError(f"{name} has to be plain printable characters.")
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/')}/litellm"
        self.address = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        if tracking_token is not None:
            self._headers["X-Tracking-Token"] = tracking_token

    def deliver(self, events: Sequence[bytes]) -> int:
        """Post events; returns how many spendtop refused for good. Raises NotDelivered.

        Where some events spoil a whole post, the others are found by halves.
        """
        if not events:
            return 0
        status, body, retry_after = self._post(b"[" + b",".join(events) + b"]")
        rejected = _rejected(body)
        if rejected is not None and (200 <= status < 300 or status == 422):
            return rejected
        if status in _FAULT_OF_THE_EVENTS:
            if len(events) == 1:
                return 1
            half = len(events) // 2
            return self.deliver(events[:half]) + self.deliver(events[half:])
        what = "something else than spendtop answered" if 200 <= status < 300 else f"the answer was {status}"
        raise NotDelivered(what, retry_after)

    def _post(self, body: bytes) -> tuple[int, bytes, float]:
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read(4 * 1024 * 1024), _seconds(answer.getheader("Retry-After"))
        except (OSError, HTTPException) as failure:
            raise NotDelivered(type(failure).__name__) from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self._is_tls:
            return HTTPSConnection(self._host, self._port, timeout=_SECONDS, context=ssl.create_default_context())
        return HTTPConnection(self._host, self._port, timeout=_SECONDS)


def _rejected(body: bytes) -> int | None:
    """How many events of a post spendtop rejected; None where this is no such answer."""
    try:
        rejected = json.loads(body)["rejected"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return rejected if isinstance(rejected, int) else None


def _seconds(header: str | None) -> float:
    return min(float(header), _LONGEST_WAIT) if header and header.isascii() and header.isdigit() else 0.0
