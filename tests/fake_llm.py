"""What OpenAI and Anthropic answer, on a socket of this machine, for their real packages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 50,
    "service_tier": "standard",
}
FAILS = "fail"
"""The question that is answered with an error."""


@contextmanager
def answering() -> Iterator[Mapping[str, str]]:
    """The environment in which the packages ask this server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield {
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "a-key",
            "OPENAI_MODEL": "gpt-4o-mini",
            "EMBEDDING_MODEL": "text-embedding-3-small",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "a-key",
            "ANTHROPIC_MODEL": "claude-of-the-tests",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"/chat/completions": _chat, "/embeddings": _embedding, "/v1/messages": _message}[self.path](asked)
        fails = asked.get("messages", [{}])[0].get("content") == FAILS
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(400 if fails else 200)
        self.send_header("Content-Type", "application/json" if not isinstance(answer, bytes) else "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _chat(asked: Mapping[str, Any]) -> dict[str, Any] | bytes:
    whole = {"id": f"chatcmpl-{asked['messages'][0]['content']}", "created": 1_795_000_000, "model": asked["model"]}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "hello"}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return {**whole, "object": "chat.completion", "choices": choices, "usage": OPENAI_USAGE}
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in ("hel", "lo")
    ]
    if asked.get("stream_options", {}).get("include_usage"):
        chunks.append({"choices": [], "usage": OPENAI_USAGE})
    events = [{**whole, "object": "chat.completion.chunk", **chunk} for chunk in chunks]
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


def _embedding(asked: Mapping[str, Any]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    return {"object": "list", "data": data, "model": asked["model"], "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def _message(asked: Mapping[str, Any]) -> dict[str, Any] | bytes:
    whole = {
        "id": f"msg_{asked['messages'][0]['content']}",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": "hello"}],
        "usage": ANTHROPIC_USAGE,
    }
    if not asked.get("stream"):
        return whole
    begun = {**whole, "content": [], "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
