"""The request and response bodies of every provider we know, read as one chat.

Reading never fails: a body of an unknown shape gives no turns, and a face then shows its raw JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from spendtop.domain.bodies.stream import events_of, is_event_stream, reassemble
from spendtop.domain.discreet import Discreet

_ATTACHMENTS = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "file",
    "input_file": "file",
    "document": "document",
    "video": "video",
    "redacted_thinking": "redacted thinking",
}
_OUTPUT_TOKENS = ("completion_tokens", "output_tokens", "candidatesTokenCount")


class Text(Discreet, frozen=True):
    """Something that was said."""

    text: str


class Thinking(Discreet, frozen=True):
    """Reasoning that the provider showed."""

    text: str


class ToolCall(Discreet, frozen=True):
    """The model calls a tool; arguments are indented JSON where they are JSON."""

    name: str
    arguments: str


class ToolResult(Discreet, frozen=True):
    """What a tool answered; `name` is the tool's or the call's id."""

    name: str
    text: str


class Attachment(Struct, frozen=True):
    """An image, audio or file that is not shown; `detail` is its address, name or media type, or empty."""

    kind: str
    detail: str


Part = Text | Thinking | ToolCall | ToolResult | Attachment


class Turn(Struct, frozen=True):
    """What one role said. `tokens` is None where the provider gives no number for this turn."""

    role: str
    parts: tuple[Part, ...]
    tokens: int | None = None


class Conversation(Struct, frozen=True):
    """Both sides of one request as raw text from outside, and the provider's error if there is one."""

    prompt: tuple[Turn, ...] = ()
    response: tuple[Turn, ...] = ()
    error: str | None = None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The prompt's turns, then the response's."""
        return self.prompt + self.response


def parse_conversation(request_body: object, response_body: object) -> Conversation:
    """Both bodies, as bytes of JSON, as text or decoded, as one conversation. Never raises."""
    try:
        response = _decoded(response_body)
        return Conversation(
            tuple(turn for turn in _prompt_turns(_decoded(request_body)) if turn.parts),
            tuple(_response_turns(response)),
            _error_of(response),
        )
    except RecursionError:
        return Conversation()


def prompt_text(conversation: Conversation) -> str:
    """The prompt as one text; turns are headed by their role when there are several."""
    return _one_text(conversation.prompt)


def response_text(conversation: Conversation) -> str:
    """The answer as one text; empty when there is none."""
    return _one_text(conversation.response)


def turn_text(turn: Turn) -> str:
    """What was said in one turn."""
    return "\n".join(map(_part_text, turn.parts))


def _one_text(turns: tuple[Turn, ...]) -> str:
    texts = list(map(turn_text, turns))
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(f"{turn.role}: {text}" for turn, text in zip(turns, texts, strict=True))


def _part_text(part: Part) -> str:
    match part:
        case Text(text=text) | Thinking(text=text) | ToolResult(text=text):
            return text
        case ToolCall(name=name, arguments=arguments):
            return f"{name}({arguments})"
        case Attachment(kind=kind, detail=detail):
            return f"[{kind} {detail}]" if detail else f"[{kind}]"


def _decoded(body: object) -> object:
    """The body as objects; JSON inside a JSON string is opened, event streams are put together."""
    for _ in range(3):
        if isinstance(body, bytes | bytearray):
            body = body.decode("utf-8", "replace")
        if not isinstance(body, str):
            break
        if is_event_stream(body):
            return reassemble(events_of(body))
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return body


def _prompt_turns(body: object) -> Iterator[Turn]:
    if not isinstance(body, dict):
        return
    for name in ("system", "instructions", "systemInstruction", "system_instruction"):
        if body.get(name):
            yield Turn("system", _parts(body[name]))
    if isinstance(body.get("messages"), list):
        yield from map(_message, _dicts(body["messages"]))
    elif "contents" in body:
        yield from _gemini_turns(body["contents"])
    elif "input" in body:
        yield from _items(body["input"], "user")
    elif "prompt" in body:
        yield from _items(body["prompt"], "user")


def _response_turns(body: object) -> list[Turn]:
    if isinstance(body, list):
        body = reassemble(body)
    if not isinstance(body, dict):
        return []
    turns = [turn for turn in _answer(body) if turn.parts]
    streamed = body.get("streamed_data")
    if not turns and isinstance(streamed, str | list):
        events = events_of(streamed) if isinstance(streamed, str) else streamed
        turns = [turn for turn in _answer(reassemble(events)) if turn.parts]
    if len(turns) == 1:
        turns = [Turn(turns[0].role, turns[0].parts, _output_tokens(body))]
    return turns


def _answer(body: dict[str, Any]) -> Iterator[Turn]:
    if isinstance(body.get("choices"), list):
        for choice in _dicts(body["choices"]):
            message = choice.get("message") or choice.get("delta") or {"content": choice.get("text")}
            if isinstance(message, dict):
                yield _message({"role": "assistant"} | message)
    elif isinstance(body.get("candidates"), list):
        for candidate in _dicts(body["candidates"]):
            yield from _gemini_turns(candidate.get("content"), "model")
    elif isinstance(body.get("output"), list):
        yield from _items(body["output"], "assistant")
    elif isinstance(body.get("completion"), str):
        yield Turn("assistant", _parts(body["completion"]))
    elif isinstance(body.get("content"), list | str):
        yield _message({"role": "assistant"} | body)


def _message(message: dict[str, Any]) -> Turn:
    """One chat message of OpenAI or Anthropic."""
    role = _role(message, "user")
    parts = list(_parts(message.get("content")))
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            parts.insert(0, Thinking(message[name]))
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        parts.append(Text(message["refusal"]))
    for call in _dicts(message.get("tool_calls")):
        parts.append(_tool_call(_dict(call.get("function")) or _dict(call.get("custom")) or call))
    if isinstance(message.get("function_call"), dict):
        parts.append(_tool_call(message["function_call"]))
    if role in ("tool", "function"):
        name = _first_str(message, "name", "tool_call_id")
        parts = [ToolResult(name, "\n".join(map(_part_text, parts)))]
    return Turn(role, tuple(parts))


def _items(items: object, role: str) -> Iterator[Turn]:
    """OpenAI's `input` and `output`: a text, texts, token numbers, messages, calls and their results."""
    if not isinstance(items, list):
        yield Turn(role, _parts(items))
        return
    loose: list[Part] = []
    for item in items:
        if isinstance(item, dict) and ("content" in item and item.get("type") in (None, "message")):
            if loose:
                yield Turn(role, tuple(loose))
                loose = []
            yield _message({"role": role} | item)
        elif isinstance(item, dict | str):
            loose.extend(_parts(item))
    numbers = sum(isinstance(item, int | list) for item in items)
    if numbers:
        loose.append(Attachment("tokens", f"{numbers} numbered inputs"))
    if loose:
        yield Turn(role, tuple(loose))


def _gemini_turns(contents: object, role: str = "user") -> Iterator[Turn]:
    for content in contents if isinstance(contents, list) else [contents]:
        if isinstance(content, dict) and isinstance(content.get("parts"), list):
            yield Turn(_role(content, role), _parts(content["parts"]))
        else:
            yield Turn(role, _parts(content))


def _parts(content: object) -> tuple[Part, ...]:
    if isinstance(content, dict) and isinstance(content.get("parts"), list) and "type" not in content:
        content = content["parts"]
    pieces: Iterable[object] = content if isinstance(content, list) else [content]
    return tuple(part for piece in pieces if (part := _part(piece)) is not None)


def _part(piece: object) -> Part | None:
    if isinstance(piece, str):
        return Text(piece) if piece else None
    if not isinstance(piece, dict):
        return None
    kind = piece.get("type")
    match kind:
        case "tool_use" | "server_tool_use" | "mcp_tool_use" | "function_call" | "custom_tool_call":
            return _tool_call(piece)
        case "function_call_output" | "custom_tool_call_output":
            return ToolResult(_first_str(piece, "name", "call_id"), _plain(piece.get("output")))
        case "thinking":
            return Thinking(_first_str(piece, "thinking"))
        case "reasoning":
            text = _plain(piece.get("summary")) or _plain(piece.get("content"))
            return Thinking(text) if text else None
        case "refusal":
            return Text(_first_str(piece, "refusal"))
        case str() if kind.endswith("tool_result"):
            return ToolResult(_first_str(piece, "name", "tool_use_id"), _plain(piece.get("content")))
        case str() if kind in _ATTACHMENTS:
            return Attachment(_ATTACHMENTS[kind], _detail(piece, kind))
    return _gemini_part(piece) or (Attachment(kind, "") if isinstance(kind, str) else None)


def _gemini_part(piece: dict[str, Any]) -> Part | None:
    if isinstance(piece.get("text"), str):
        return Thinking(piece["text"]) if piece.get("thought") is True else Text(piece["text"])
    for name in ("functionCall", "function_call"):
        if isinstance(piece.get(name), dict):
            return _tool_call(piece[name])
    for name in ("functionResponse", "function_response"):
        if isinstance(piece.get(name), dict):
            return ToolResult(_first_str(piece[name], "name", "id"), _pretty(piece[name].get("response")))
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        if isinstance(piece.get(name), dict):
            return Attachment("file", _first_str(piece[name], "fileUri", "file_uri", "mimeType", "mime_type"))
    return None


def _tool_call(call: dict[str, Any]) -> ToolCall:
    passed: object = next((call[name] for name in ("arguments", "input", "args") if name in call), {})
    return ToolCall(_first_str(call, "name"), _pretty(passed))


def _plain(content: object) -> str:
    """What a tool answered, as text; objects that are no content parts as JSON."""
    if content is None:
        return ""
    parts = _parts(content)
    return "\n".join(map(_part_text, parts)) if parts or content in ("", []) else _pretty(content)


def _pretty(value: object) -> str:
    """Indented JSON; a string that holds none stays as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError):
        return ""


def _detail(piece: dict[str, Any], kind: str) -> str:
    """The attachment's name, address without its query, or media type."""
    inner = piece.get(kind, piece.get("source"))
    places = [_dict(inner), piece]
    for place in places:
        if detail := _first_str(place, "filename", "title", "media_type", "format", "url", "image_url", "file_id"):
            return detail.partition(";")[0] if detail.startswith("data:") else detail.partition("?")[0]
    return ""


def _error_of(body: object) -> str | None:
    if isinstance(body, list):
        body = next((one for one in _dicts(body) if "error" in one), None)
    if not isinstance(body, dict):
        return None
    for name in ("error", "helicone_error"):
        error = body.get(name)
        if isinstance(error, str) and error:
            rest = _first_str(body, "html_response", "parse_response_error")
            return f"{error} {rest}".strip()
        if isinstance(error, dict) and error:
            return _first_str(error, "message", "msg", "type", "code") or _pretty(error)
    return _first_str(body, "html_response") or None


def _output_tokens(body: dict[str, Any]) -> int | None:
    usage = _dict(body.get("usage")) or _dict(body.get("usageMetadata"))
    for name in _OUTPUT_TOKENS:
        if type(usage.get(name)) is int and usage[name] >= 0:
            return int(usage[name])
    return None


def _role(message: dict[str, Any], default: str) -> str:
    role = message.get("role")
    return role if isinstance(role, str) and role else default


def _first_str(place: dict[str, Any], *names: str) -> str:
    return next((place[name] for name in names if isinstance(place.get(name), str) and place[name]), "")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
