"""A collector that takes pushes, its keys, and what clients post to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.processes import CollectorProcess, collecting
from tests.helicone_captures import secret
from tests.waiting import DEADLINE

API_KEY = "an-api-key-that-is-long-enough"
INGEST_KEY = "an-ingest-key-that-is-long-enough"
OTHER_INGEST_KEY = "another-ingest-key-that-is-long"
KEYED = {"X-Ingest-Key": INGEST_KEY}
ADMIN = {"X-API-Key": API_KEY}
RECEIVER = f"""\
[server]
port = 0
api_key = "{API_KEY}"
ingest_keys = {{ apps = "{INGEST_KEY}", others = "{OTHER_INGEST_KEY}", switched_off = "" }}
[helicone]
webhook_secrets = ["{secret().decode()}"]
"""
"""A listener on a free port with every kind of key."""

TOKEN = "app-1"
ITEM: dict[str, Any] = {"tracking_token": TOKEN, "model": "gpt-4o", "prompt_tokens": 1000, "completion_tokens": 100}
_FIXTURES = Path(__file__).parents[1] / "fixtures"


def pushes() -> Mapping[str, tuple[bytes, str]]:
    """By path of each way in for pushes, a good body and its type."""
    return {
        "/ingest": (json.dumps(ITEM).encode(), "application/json"),
        "/log": (json.dumps(ITEM).encode(), "application/json"),
        "/litellm": ((_FIXTURES / "litellm_sdk_batch.json").read_bytes(), "application/json"),
        "/v1/traces": ((_FIXTURES / "otlp_openllmetry_openai.pb").read_bytes(), "application/x-protobuf"),
    }


@contextmanager
def receiving(folder: Path, config: str = RECEIVER, *options: str, **surroundings: Any) -> Iterator[CollectorProcess]:
    """A collector with the tracking token TOKEN."""
    with collecting(folder, config, *options, **surroundings) as collector:
        made = collector.client.post("/ingest/tokens", json={"name": "app", "token": TOKEN}, headers=ADMIN)
        assert made.status_code == 201, made.text
        yield collector


@contextmanager
def from_address(collector: CollectorProcess, address: str) -> Iterator[httpx.Client]:
    """A client at an address of its own: failures are counted by address."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=collector.url, transport=transport, trust_env=False, timeout=DEADLINE) as client:
        yield client


def connected(collector: CollectorProcess) -> socket.socket:
    """A bare connection, which waits for `DEADLINE` seconds at most."""
    url = httpx.URL(collector.url)
    assert url.port is not None
    return socket.create_connection((url.host, url.port), timeout=DEADLINE)


def exchanged(collector: CollectorProcess, sent: bytes) -> bytes:
    """What a bare connection gets for these bytes until the listener closes it."""
    with connected(collector) as connection:
        connection.sendall(sent)
        received = bytearray()
        while piece := connection.recv(65536):
            received += piece
    return bytes(received)


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """The head of a request with a good ingest key and these further lines."""
    text = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", f"X-Ingest-Key: {INGEST_KEY}", *lines, "", ""])
    return text.encode("latin-1")


def stored(collector: CollectorProcess) -> int:
    """How many requests the store holds."""
    ((count,),) = collector.rows("SELECT count(*) FROM request")
    assert isinstance(count, int)
    return count


def resident(collector: CollectorProcess) -> int:
    """Bytes of memory that the process holds now."""
    for line in Path(f"/proc/{collector.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not tell how much memory a process holds")
