"""Puts a streamed answer together again: the chunks of OpenAI, Anthropic and Gemini as one body."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

_Pieces = defaultdict[tuple[str, ...], list[str]]


def is_event_stream(text: str) -> bool:
    """Whether the text looks like server-sent events."""
    return text.lstrip().startswith(("event:", "data:"))


def events_of(text: str) -> Iterator[object]:
    """The JSON of every `data:` line that holds some."""
    for line in text.splitlines():
        if line.startswith("data:"):
            try:
                yield json.loads(line.removeprefix("data:"))
            except (ValueError, RecursionError):
                continue


def reassemble(events: Iterator[object] | Sequence[object]) -> dict[str, Any]:
    """One body in the provider's own shape, or an empty one for events of an unknown kind."""
    chunks = [event for event in events if isinstance(event, dict)]
    for chunk in chunks:
        if isinstance(chunk.get("response"), dict) and str(chunk.get("type")).startswith("response.completed"):
            return dict(chunk["response"])
    if any("content_block" in chunk or chunk.get("type") == "message_start" for chunk in chunks):
        return _anthropic(chunks)
    if any(isinstance(chunk.get("choices"), list) for chunk in chunks):
        return _openai(chunks)
    candidates = [one for chunk in chunks for one in _list(chunk.get("candidates")) if isinstance(one, dict)]
    if candidates:
        return {"candidates": [{"content": {"role": "model", "parts": list(_gemini_parts(candidates))}}]}
    return next((chunk for chunk in chunks if "error" in chunk), {})


def _anthropic(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    blocks: dict[str, dict[str, Any]] = {}
    pieces: _Pieces = defaultdict(list)
    body: dict[str, Any] = {"type": "message", "role": "assistant"}
    for chunk in chunks:
        index, delta = str(chunk.get("index")), _dict(chunk.get("delta"))
        match chunk.get("type"):
            case "content_block_start":
                blocks[index] = dict(_dict(chunk.get("content_block")))
            case "content_block_delta":
                blocks.setdefault(index, {"type": "text"})
                for name, kept in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
                    _add(pieces, (index, kept), delta.get(name))
            case "message_delta":
                body["usage"] = chunk.get("usage")
            case "error":
                body["error"] = chunk.get("error")
    for (index, name), texts in pieces.items():
        blocks[index][name] = "".join(texts)
    return body | {"content": list(blocks.values())}


def _openai(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    messages: dict[str, dict[str, Any]] = {}
    pieces: _Pieces = defaultdict(list)
    body: dict[str, Any] = {}
    for chunk in chunks:
        body["usage"] = chunk.get("usage") or body.get("usage")
        for choice in map(_dict, _list(chunk.get("choices"))):
            index, delta = str(choice.get("index")), _dict(choice.get("delta"))
            messages.setdefault(index, {"role": "assistant", "tool_calls": {}})
            _add(pieces, (index, "content"), choice.get("text"))
            for name in ("content", "refusal", "reasoning_content"):
                _add(pieces, (index, name), delta.get(name))
            for call in map(_dict, _list(delta.get("tool_calls"))):
                messages[index]["tool_calls"].setdefault(str(call.get("index")), {})
                for name in ("name", "arguments"):
                    _add(pieces, (index, str(call.get("index")), name), _dict(call.get("function")).get(name))
    for (index, *call_index, name), texts in pieces.items():
        target = messages[index]["tool_calls"][call_index[0]] if call_index else messages[index]
        target[name] = "".join(texts)
    for message in messages.values():
        message["tool_calls"] = list(message["tool_calls"].values())
    return body | {"choices": [{"message": message} for message in messages.values()]}


def _add(pieces: _Pieces, place: tuple[str, ...], text: object) -> None:
    if isinstance(text, str) and text:
        pieces[place].append(text)


def _gemini_parts(candidates: list[dict[str, Any]]) -> Iterator[object]:
    """All parts, with texts that follow each other joined."""
    texts: list[str] = []
    for candidate in candidates:
        for part in map(_dict, _list(_dict(candidate.get("content")).get("parts"))):
            if isinstance(part.get("text"), str) and not part.get("thought"):
                texts.append(part["text"])
                continue
            yield from _joined(texts)
            texts = []
            yield part
    yield from _joined(texts)


def _joined(texts: list[str]) -> Iterator[object]:
    if texts:
        yield {"text": "".join(texts)}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
