"""The prompt and response of a span as JSON bodies in the shape of OpenAI's chat, which every face can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from spendtop.sources.receivers.otlp.attributes import opened
from spendtop.sources.receivers.otlp.names import NAMES
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan

_Message: TypeAlias = dict[str, object]

_DEEPEST_NAME = 12
_DETAILS = "gen_ai.client.inference.operation.details"
_AI_SDK_ANSWERS = ("ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object")
_ROLE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def request_body(span: TraceSpan) -> bytes | None:
    """JSON of the prompt side, or None when the span does not hold it."""
    attributes = _given(span)
    messages = (
        _conventional(attributes.get("gen_ai.input.messages"))
        or [_openinference(each) for each in _indexed(attributes, "llm.input_messages")]
        or _dicts(opened(attributes.get("ai.prompt.messages")))
    )
    if not messages and (sent := _as_sent(attributes, NAMES.prompt, lambda value: {"input": value})):
        return sent
    messages = (
        messages
        or [_openllmetry(each) for each in _indexed(attributes, "gen_ai.prompt")]
        or [message for event in span.events for message in _prompt_event(event.name, event.attributes)]
    )
    system = [_part(part) for part in _list(opened(attributes.get("gen_ai.system_instructions")))]
    if not messages and not system:
        return None
    return _encoded({"system": system, "messages": messages} if system else {"messages": messages})


def response_body(span: TraceSpan) -> bytes | None:
    """JSON of the response side with the error of a failed call, or None when the span does not hold it."""
    attributes = _given(span)
    messages = (
        _conventional(attributes.get("gen_ai.output.messages"))
        or [_openinference(each) for each in _indexed(attributes, "llm.output_messages")]
        or _ai_sdk(attributes)
    )
    if not messages and (sent := _as_sent(attributes, NAMES.answer, _answer)):
        return sent
    messages = (
        messages
        or [_openllmetry(each) for each in _indexed(attributes, "gen_ai.completion")]
        or [message for event in span.events for message in _response_event(event.name, event.attributes)]
    )
    body = ({"choices": [{"message": message} for message in messages]} if messages else {}) | _error(span)
    return _encoded(body) if body else None


def _given(span: TraceSpan) -> Attributes:
    """The span's attributes, and those of the event to which newer instrumentations move the content."""
    details = [event.attributes for event in span.events if event.name == _DETAILS]
    return {**details[0], **span.attributes} if details else span.attributes


def _conventional(value: object) -> list[_Message]:
    """Messages of the GenAI conventions: `[{"role", "parts": [{"type", "content"}]}]`."""
    messages = []
    for message in _dicts(opened(value)):
        parts = message.get("parts")
        if isinstance(parts, list):
            rest = {each: value for each, value in message.items() if each != "parts"}
            message = {**rest, "content": [_part(part) for part in parts]}
        messages.append(message)
    return messages


def _part(part: object) -> object:
    """A part of a conventional message as OpenAI and Anthropic spell it."""
    if not isinstance(part, dict):
        return part
    content = part.get("content")
    match part.get("type"):
        case "text":
            return {"type": "text", "text": content}
        case "reasoning":
            return {"type": "thinking", "thinking": content}
        case "tool_call":
            return _known(type="tool_use", id=part.get("id"), name=part.get("name"), input=part.get("arguments"))
        case "tool_call_response":
            result = next((part[each] for each in ("response", "result") if each in part), None)
            return _known(type="tool_result", tool_use_id=part.get("id"), content=result)
        case "blob" | "uri" | "file":
            kind = part.get("modality")
            return _known(
                type=kind if kind in ("image", "audio", "video") else "file",
                media_type=part.get("mime_type"),
                url=part.get("uri"),
                file_id=part.get("file_id"),
                data=content,
            )
    return part


def _openinference(tree: Mapping[str, object]) -> _Message:
    """A message of OpenInference's `llm.input_messages.N` or `llm.output_messages.N`."""
    message = _dict(tree.get("message"))
    parts = [_openinference_part(_dict(each.get("message_content"))) for each in _in_order(message.get("contents"))]
    calls = [_dict(each.get("tool_call")) for each in _in_order(message.get("tool_calls"))]
    called = message.get("function_call_name")
    return _known(
        role=message.get("role"),
        content=parts or message.get("content"),
        name=message.get("name"),
        tool_call_id=message.get("tool_call_id"),
        tool_calls=[_call(call.get("id"), _dict(call.get("function"))) for call in calls] or None,
        function_call=called and {"name": called, "arguments": message.get("function_call_arguments_json", "")},
    )


def _openinference_part(part: Mapping[str, object]) -> object:
    image = _dict(_dict(part.get("image")).get("image"))
    if image:
        return {"type": "image_url", "image_url": image}
    return _known(type=part.get("type", "text"), text=part.get("text"))


def _openllmetry(message: Mapping[str, object]) -> _Message:
    """A message of OpenLLMetry's older `gen_ai.prompt.N` or `gen_ai.completion.N`."""
    calls = [_call(each.get("id"), each) for each in _in_order(message.get("tool_calls"))]
    parts = opened(message.get("content"))
    return _known(
        role=message.get("role"),
        content=parts if _dicts(parts) else message.get("content"),
        tool_call_id=message.get("tool_call_id"),
        tool_calls=calls or None,
    )


def _prompt_event(name: str, attributes: Attributes) -> list[_Message]:
    if name == "gen_ai.content.prompt":
        return _dicts(opened(attributes.get("gen_ai.prompt"))) or _plain("user", attributes.get("gen_ai.prompt"))
    role = _ROLE_EVENTS.get(name)
    return [{"role": role, **_event_message(attributes)}] if role else []


def _response_event(name: str, attributes: Attributes) -> list[_Message]:
    if name == "gen_ai.content.completion":
        completion = attributes.get("gen_ai.completion")
        return _dicts(opened(completion)) or _plain("assistant", completion)
    if name != "gen_ai.choice":
        return []
    choice = _event_message(attributes)
    return [_dict(opened(choice.get("message"))) or choice]


def _event_message(attributes: Attributes) -> _Message:
    """What an event says, which some write as one JSON text and others as attributes."""
    written = _dict(opened(attributes.get("gen_ai.event.content")))
    return written or {each: opened(value) if each == "tool_calls" else value for each, value in attributes.items()}


def _plain(role: str, content: object) -> list[_Message]:
    return [{"role": role, "content": content}] if content else []


def _answer(value: object) -> object:
    return {"choices": [{"message": {"role": "assistant", "content": value}}]}


def _ai_sdk(attributes: Attributes) -> list[_Message]:
    """The answer as the AI SDK notes it: its text, or the object that it was asked for, and calls of tools."""
    content = next((attributes[name] for name in _AI_SDK_ANSWERS if attributes.get(name)), None)
    called = _dicts(opened(attributes.get("ai.response.toolCalls")))
    calls = [
        _call(each.get("toolCallId"), {"name": each.get("toolName"), "arguments": each.get("input", each.get("args"))})
        for each in called
    ]
    if content is None and not calls:
        return []
    return [_known(role="assistant", content=content, tool_calls=calls or None)]


def _as_sent(attributes: Attributes, names: Sequence[str], wrapped: Callable[[object], object]) -> bytes | None:
    """A body that the span holds whole; what is no JSON object is put into one."""
    value = next((attributes[name] for name in names if attributes.get(name)), None)
    if value is None:
        return None
    inner = opened(value)
    if isinstance(inner, dict):
        return value.encode() if isinstance(value, str) else _encoded(inner)
    return _encoded(wrapped(inner))


def _error(span: TraceSpan) -> _Message:
    """Why the call failed, by its status or the exception that the span recorded."""
    kind = span.attributes.get("error.type")
    if not span.has_failed and not kind:
        return {}
    thrown = next((event.attributes for event in span.events if event.name == "exception"), {})
    message = span.message or thrown.get("exception.message")
    error = _known(type=kind or thrown.get("exception.type"), message=message)
    return {"error": error} if error else {}


def _call(call_id: object, function: Mapping[str, object]) -> _Message:
    return _known(id=call_id, function=_known(name=function.get("name"), arguments=function.get("arguments")))


def _indexed(attributes: Attributes, prefix: str) -> list[_Message]:
    """What dotted names with numbers spell, such as `llm.input_messages.0.message.role`, in the numbers' order."""
    root: _Message = {}
    start = f"{prefix}."
    for name, value in attributes.items():
        if name.startswith(start):
            *path, last = name.removeprefix(start).split(".", _DEEPEST_NAME)
            node = root
            for step in path:
                inner = node.get(step)
                if not isinstance(inner, dict):
                    inner = node[step] = {}
                node = inner
            node[last] = value
    return _in_order(root)


def _in_order(numbered: object) -> list[_Message]:
    numbers = sorted((each for each in _dict(numbered) if each.isdecimal()), key=lambda each: (len(each), each))
    return _dicts([_dict(numbered)[each] for each in numbers])


def _known(**fields: object) -> _Message:
    """The fields that have a value."""
    return {each: value for each, value in fields.items() if value is not None}


def _encoded(body: object) -> bytes | None:
    try:
        return msgspec.json.encode(body)
    except RecursionError:
        return None


def _dict(value: object) -> _Message:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[_Message]:
    return [each for each in _list(value) if isinstance(each, dict)]
