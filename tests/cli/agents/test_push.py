"""What `agents push` sends over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from spendtop.cli.agents import push
from tests.cli.conftest import Cli, write_config
from tests.sources.agents.test_talk import CLAUDE, HIDDEN, user, written

SECRET = "sk-ant-api03-0123456789abcdefghij"


@contextmanager
def collecting() -> Iterator[tuple[str, list[bytes]]]:
    """Something that takes all calls: its address, and what was posted."""
    posts: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(self.rfile.read(int(self.headers["Content-Length"])))
            results = [{"status": "stored"} for _ in json.loads(posts[-1])]
            answer = json.dumps({"results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Taking) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", posts
        finally:
            server.shutdown()


def test_texts_are_sent_with_the_switch_only_masked_and_in_posts_of_a_size(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path.home() / ".claude" / "projects" / "p" / "s.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(written([user(f"My key is {SECRET}."), *CLAUDE[2:]]))
    key = f'push_key = "{"k" * 30}"\n'
    with collecting() as (url, posts):
        write_config(f"[server]\nport = 0\n[agents]\n{key}")
        assert "2 calls new there" in cli("agents", "push", url).out
        bare = b"".join(posts)
        posts.clear()
        write_config(f"[server]\nport = 0\n[agents]\nbodies = true\n{key}")
        monkeypatch.setattr(push, "_MOST_BYTES", 100)
        assert "2 calls new there" in cli("agents", "push", url).out
        assert len(posts) == 2
    told = b"".join(posts).decode()
    assert b"msg_1" in bare
    assert not any(word in bare for word in (b"key is", b"larks", b"body"))
    assert "larks" in told and "[redacted sk-ant-" in told
    assert not any(word in told for word in (SECRET, *HIDDEN))
