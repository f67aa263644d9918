"""Trains the compression dictionary with which the store keeps bodies.

    python sample_data/train_dictionary.py --out src/spendtop/store/body.dict

A store's bodies can be read only with the dictionary that wrote them: once released, the file must not change.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path
from random import Random

import zstandard
from conversations import Conversation, Tool, Turn
from generate import Generator
from shapes import Json, Tokens, error_body, random_id, request_body, response_body

_SIZE = 16 * 1024
"""Larger ones gain only on generated text, nothing on real prose and code."""
_TALKED_SHARE = 3
"""One in so many generated pairs is learnt: more would fill the dictionary with our own sentences."""
_DICTIONARY_ID = 40_001
_SEED = 4242
"""Not a seed of the shipped traffic."""

_MODELS = (
    ("openai", "gpt-5.4", "gpt-5.4-2026-03-05"),
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-5-5", "claude-sonnet-5-5"),
    ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ("google", "gemini-3.5-flash", "gemini-3.5-flash"),
)
_SCHEMA: Json = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


def pair(request: Json, response: Json) -> bytes:
    """Both bodies as `spendtop.store.bodies` puts them into one frame."""
    head, tail = _compact(request), _compact(response)
    return struct.pack(">i", len(head)) + head + b"\1" + tail


def talked(seed: int) -> list[bytes]:
    """Pairs of generated traffic."""
    lines = [line for line in Generator(seed, days=4).lines() if not line["cached"]]
    return [pair(line["request_body"], line["response_body"]) for line in lines[::_TALKED_SHARE]]


def skeletons(rng: Random, count: int) -> list[bytes]:
    """Pairs whose shape is typical and whose text is noise, so that the dictionary learns the shape."""
    pairs = []
    for _ in range(count):
        provider, model, answers_as = rng.choice(_MODELS)
        call_id = random_id(rng, "call_", 24)
        tools = [Tool(_noise(rng), _noise(rng), _SCHEMA, "{}", "{}")] * rng.randint(0, 1)
        turns = [Turn(role, _noise(rng)) for role in ("user", "assistant", "user")]
        if tools:
            turns += [Turn("assistant", '{"query":"' + _noise(rng) + '"}', tools[0].name, call_id)]
            turns += [Turn("tool", _noise(rng), tools[0].name, call_id)]
        conversation = Conversation(_noise(rng), tools, rng.random() < 0.2, rng.random() < 0.5, turns)
        request = request_body(provider, model, conversation, None)
        tokens = Tokens(
            rng.randint(9, 9000), rng.randint(300, 3000), rng.randint(0, 5) * 128, 0, rng.randint(0, 4) * 64
        )
        answer = Turn("assistant", _noise(rng))
        response = response_body(rng, provider, answers_as, answer, tokens, rng.randint(1_760_000_000, 1_900_000_000))
        pairs.append(pair(request, _as_sent(rng, provider, answers_as, request, response)))
    return pairs


def _as_sent(rng: Random, provider: str, model: str, request: Json, response: Json) -> Json:
    """The response, streamed or refused now and then; a stream is reassembled by the gateway."""
    chance = rng.random()
    if chance < 0.1:
        return error_body(provider, model, rng.choice((429, 500, 504)))
    if chance < 0.7 or provider == "google":
        return response
    request["stream"] = True
    if provider == "anthropic":
        start: Json = {"type": "message_start", "message": response | {"content": [], "stop_reason": None}}
        deltas: list[Json] = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _noise(rng)}}
            for _ in range(6)
        ]
        begin: Json = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        end: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
        events = [start, begin, *deltas, {"type": "content_block_stop", "index": 0}, end, {"type": "message_stop"}]
        text = "".join(f"event: {event['type']}\ndata: {_compact(event).decode()}\n\n" for event in events)
        return response | {"streamed_data": text}
    request["stream_options"] = {"include_usage": True}
    common = {key: response[key] for key in ("id", "created", "model", "service_tier", "system_fingerprint")}
    common["object"] = "chat.completion.chunk"
    choices = [
        {"index": 0, "delta": {"content": _noise(rng)}, "logprobs": None, "finish_reason": None} for _ in range(6)
    ]
    return response | {"streamed_data": [common | {"choices": [choice], "usage": None} for choice in choices]}


def _noise(rng: Random) -> str:
    return random_id(rng, "", rng.randint(2, 24))


def _compact(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def main() -> None:
    """Trains and writes the dictionary."""
    parser = argparse.ArgumentParser(description="Trains the dictionary of the store's bodies.")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    samples: list[bytes | bytearray | memoryview[int]] = [*talked(_SEED), *skeletons(Random(_SEED), 3000)]
    dictionary = zstandard.train_dictionary(_SIZE, samples, dict_id=_DICTIONARY_ID, level=3)
    options.out.write_bytes(dictionary.as_bytes())
    sys.stdout.write(f"{len(dictionary)} bytes from {len(samples)} samples in {options.out}\n")


if __name__ == "__main__":
    main()
