"""The real LiteLLM, SDK and proxy, against a real collector: `pytest -m litellm`.

LiteLLM is looked for in the interpreter that SPENDTOP_TEST_LITELLM names, by default the tests' own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.e2e.processes import CollectorProcess, collecting
from tests.waiting import eventually

pytestmark = pytest.mark.litellm

KEY = "an-ingest-key-of-32-characters-0"
COLLECTOR = f'[server]\nport = 0\ningest_keys = {{ apps = "{KEY}" }}\n'
PYTHON = os.environ.get("SPENDTOP_TEST_LITELLM", sys.executable)
ROOT = Path(__file__).parents[2]
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
COST_NANO = 180_000
PROXY = """\
model_list:
  - {{model_name: mini, litellm_params: {{model: openai/gpt-4o-mini, api_base: "{upstream}", api_key: sk-x}}}}
  - {{model_name: shaky, litellm_params: {{model: openai/gpt-4o-mini, api_base: "{upstream}/shaky", api_key: sk-x}}}}
router_settings: {{num_retries: 2, retry_after: 0}}
litellm_settings:
  callbacks: ["spendtop"]
callback_settings:
  spendtop:
    callback_type: generic_api
    endpoint: {spendtop}/litellm
    headers: {{Authorization: "Bearer {key}"}}
"""


class OpenAi(BaseHTTPRequestHandler):
    """The provider: under `/broken` it never answers, under `/shaky` only every second time."""

    asked: int = 0

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        OpenAi.asked += 1
        number = OpenAi.asked
        if "/broken" in self.path or ("/shaky" in self.path and number % 2):
            self._answer(500, b'{"error":{"message":"overloaded"}}')
        elif sent.get("stream"):
            chunk = {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": sent["model"],
            }
            choice = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            chunks = [{**chunk, "choices": [choice]}, {**chunk, "choices": [], "usage": USAGE}]
            events = [f"data: {json.dumps(each)}\n\n" for each in chunks]
            self._answer(200, "".join([*events, "data: [DONE]\n\n"]).encode(), "text/event-stream")
        else:
            message = {"role": "assistant", "content": "hi"}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            body = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": sent["model"]}
            self._answer(200, json.dumps({**body, "choices": [choice], "usage": USAGE}).encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def upstream() -> Iterator[str]:
    OpenAi.asked = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), OpenAi) as http:
        Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1"
        http.shutdown()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    with collecting(tmp_path / "collector", COLLECTOR) as started:
        yield started


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "SPENDTOP_INGEST_KEY": KEY,
    }


COLUMNS = (
    "user_id",
    "session_id",
    "provider",
    "model",
    "status",
    "cost_nano",
    "basis",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
)


def by_user(collector: CollectorProcess) -> dict[str, list[dict[str, Any]]]:
    """The requests in the store, by user."""
    found: dict[str, list[dict[str, Any]]] = {}
    for values in collector.rows(f"SELECT {', '.join(COLUMNS)} FROM request"):
        row = dict(zip(COLUMNS, values, strict=True))
        found.setdefault(row["user_id"], []).append(row)
    return found


def test_every_call_of_the_sdk_is_counted_once(tmp_path: Path, upstream: str, collector: CollectorProcess) -> None:
    command = [PYTHON, "-m", "tests.client.real_litellm_app", collector.url, upstream, str(tmp_path / "spool")]
    subprocess.run(command, check=True, env=environment(tmp_path), cwd=tmp_path, timeout=120)
    expected = {"sync", "sync stream", "mock", "async", "async stream", "async failure"}
    eventually(lambda: by_user(collector).keys() >= expected)
    rows = by_user(collector)
    assert {user: len(each) for user, each in rows.items()} == dict.fromkeys(expected, 1)
    for user in ("sync", "sync stream", "async", "async stream"):
        (row,) = rows[user]
        assert (row["cost_nano"], row["basis"], row["status"]) == (COST_NANO, "reported", "ok"), user
        assert (row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == (1000, 400, 100)
        assert (row["provider"], row["model"]) == ("openai", "gpt-4o-mini")
    assert rows["sync"][0]["session_id"] == "chat-1"
    assert rows["async"][0]["session_id"] == "6c6af595-1ece-4626-b5eb-f0f913f6e53b"
    assert rows["mock"][0]["session_id"] is None
    assert (rows["async failure"][0]["status"], rows["async failure"][0]["cost_nano"]) == ("error", 0)


def test_calls_made_while_the_collector_was_away_are_sent_by_the_next_process(tmp_path: Path, upstream: str) -> None:
    spool = str(tmp_path / "spool")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-m", "tests.client.real_litellm_app", f"http://127.0.0.1:{port}", upstream, spool]
    subprocess.run(command, check=True, env=environment(tmp_path), cwd=tmp_path, timeout=120)
    with collecting(tmp_path / "collector", COLLECTOR.replace("port = 0", f"port = {port}")) as collector:
        subprocess.run(command, check=True, env=environment(tmp_path), cwd=tmp_path, timeout=120)
        eventually(lambda: sum(map(len, by_user(collector).values())) == 12)
        assert {len(rows) for rows in by_user(collector).values()} == {2}


@contextmanager
def proxying(folder: Path, upstream: str, spendtop: str) -> Iterator[httpx.Client]:
    """A LiteLLM proxy that reports to spendtop."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "proxy.yaml"
    config.write_text(PROXY.format(upstream=upstream, spendtop=spendtop, key=KEY))
    program = str(Path(PYTHON).parent / "litellm")
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            env={**environment(folder), "PYTHONPATH": "", "LITELLM_MASTER_KEY": "sk-master"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        headers = {"Authorization": "Bearer sk-master"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60) as client:

            def is_up() -> bool:
                assert process.poll() is None, (folder / "proxy.log").read_text()
                try:
                    return client.get("/health/liveliness").is_success
                except httpx.TransportError:
                    return False

            eventually(is_up)
            yield client
    finally:
        process.kill()
        process.wait()


def test_every_call_through_the_proxy_is_counted_once(
    tmp_path: Path, upstream: str, collector: CollectorProcess
) -> None:
    def ask(client: httpx.Client, user: str, **fields: Any) -> None:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "mini", "messages": messages, "user": user, **fields}
        assert client.post("/v1/chat/completions", json=body).is_success

    with proxying(tmp_path, upstream, collector.url) as client:
        ask(client, "plain", litellm_session_id="chat-9")
        ask(client, "stream", stream=True)
        ask(client, "second try", model="shaky")
        eventually(lambda: len(by_user(collector)) == 3 and len(by_user(collector)["second try"]) == 2)
    rows = by_user(collector)
    assert (len(rows["plain"]), len(rows["stream"])) == (1, 1)
    assert rows["plain"][0]["session_id"] == "chat-9"
    assert {row["status"]: row["cost_nano"] for row in rows["second try"]} == {"ok": COST_NANO, "error": 0}
    for user in ("plain", "stream"):
        (row,) = rows[user]
        assert (row["cost_nano"], row["model"], row["provider"]) == (COST_NANO, "gpt-4o-mini", "openai")
