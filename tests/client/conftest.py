"""A LiteLLM that does nothing, and a server that answers as the test says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest

Answer = tuple[int, dict[str, str]]


@dataclass
class Posted:
    """One post: its headers and events."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.raw)
        return found


@dataclass
class Server:
    """Takes posts at `url`; `answer` says what becomes of each."""

    url: str
    answer: Callable[[Posted], Answer] = lambda posted: (200, {})
    posts: list[Posted] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Ids of the events of all posts that were answered with success."""


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    """A server on loopback until the block ends."""
    turn = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            posted = Posted(self.path, dict(self.headers), raw)
            with turn:
                started.posts.append(posted)
                status, headers = started.answer(posted)
                if status == 200:
                    started.taken += [event["id"] for event in posted.events]
            body = b'{"accepted":1,"rejected":0}' if status == 200 else b'{"error":{}}'
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
        started = Server(f"http://127.0.0.1:{http.server_address[1]}")
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield started
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that takes everything."""
    with serving() as started:
        yield started


@pytest.fixture
def litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to import a LiteLLM from that has the base class of callbacks, and nothing else."""
    folder = tmp_path / "fake"
    (folder / "litellm" / "integrations").mkdir(parents=True)
    (folder / "litellm" / "__init__.py").touch()
    (folder / "litellm" / "integrations" / "__init__.py").touch()
    (folder / "litellm" / "integrations" / "custom_logger.py").write_text("class CustomLogger:\n    pass\n")
    for name in [*sys.modules]:
        if name.partition(".")[0] == "litellm" or name == "spendtop.client.litellm":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder)
    return folder
