"""Prompts and responses, in each way in which spans carry them, read as one conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spendtop.domain.bodies.conversation import (
    Attachment,
    Conversation,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    parse_conversation,
)
from spendtop.sources.receivers.otlp.messages import request_body, response_body
from spendtop.sources.receivers.otlp.spans import spans_of_json, spans_of_protobuf
from tests.otlp_posts import export, in_json, in_protobuf, span

Events = Mapping[str, Mapping[str, object]]


def conversation(attributes: Mapping[str, object], events: Events | None = None, **fields: Any) -> Conversation:
    """What a face shows of a span."""
    content = export(span(1, attributes, events=events, **fields))
    (given,) = spans_of_protobuf(in_protobuf(content))
    assert spans_of_json(in_json(content)) == [given]
    return parse_conversation(request_body(given), response_body(given))


def said(role: str, *parts: Part) -> Turn:
    return Turn(role, parts)


HELLO = said("user", Text("hello"))
HI = said("assistant", Text("hi there"))
BOTH = Conversation((HELLO,), (HI,))
TOOLS = [
    {"role": "user", "parts": [{"type": "text", "content": "look"}, {"type": "uri", "modality": "image", "uri": "u"}]},
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"a": 1}},
        ],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}]},
    {"role": "user", "parts": ["plain", {"type": "blob", "mime_type": "text/csv", "content": "YQ=="}]},
]


def test_conventional_messages_as_text_and_as_values() -> None:
    prompt = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "hi there"}], "finish_reason": "stop"}]
    names = ("gen_ai.input.messages", "gen_ai.output.messages")
    assert conversation(dict(zip(names, (prompt, answer), strict=True))) == BOTH
    assert conversation(dict(zip(names, map(json.dumps, (prompt, answer)), strict=True))) == BOTH
    details: Events = {"gen_ai.client.inference.operation.details": dict(zip(names, (prompt, answer), strict=True))}
    assert conversation({}, details) == BOTH


def test_conventional_parts_of_every_kind() -> None:
    instructions = json.dumps([{"type": "text", "content": "be brief"}])
    shown = conversation({"gen_ai.input.messages": json.dumps(TOOLS), "gen_ai.system_instructions": instructions})
    assert shown.prompt == (
        said("system", Text("be brief")),
        said("user", Text("look"), Attachment("image", "u")),
        said("assistant", Thinking("hm"), ToolCall("find", '{\n  "a": 1\n}')),
        said("tool", ToolResult("", "found")),
        said("user", Text("plain"), Attachment("file", "text/csv")),
    )


def test_numbered_messages_of_openinference() -> None:
    call = "llm.output_messages.0.message.tool_calls.0.tool_call"
    contents = "llm.input_messages.2.message.contents"
    shown = conversation(
        {
            "llm.input_messages.10.message.role": "tool",
            "llm.input_messages.10.message.content": "20 °C",
            "llm.input_messages.10.message.tool_call_id": "c1",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "hello",
            f"{contents}.0.message_content.type": "text",
            f"{contents}.0.message_content.text": "look",
            f"{contents}.1.message_content.type": "image",
            f"{contents}.1.message_content.image.image.url": "https://x/y.png",
            "llm.input_messages.2.message.role": "user",
            "llm.output_messages.0.message.role": "assistant",
            f"{call}.id": "c1",
            f"{call}.function.name": "weather",
            f"{call}.function.arguments": '{"at":"Rome"}',
            "input.value": "not looked at",
            "output.value": "nor this",
        }
    )
    assert shown == Conversation(
        (
            HELLO,
            said("user", Text("look"), Attachment("image", "https://x/y.png")),
            said("tool", ToolResult("c1", "20 °C")),
        ),
        (said("assistant", ToolCall("weather", '{\n  "at": "Rome"\n}')),),
    )


def test_whole_bodies_of_openinference_stay_as_they_were() -> None:
    request = '{"messages": [{"role": "user", "content": "hello"}]}'
    response = '{"choices": [{"message": {"role": "assistant", "content": "hi there"}}]}'
    (given,) = spans_of_json(in_json(export(span(1, {"input.value": request, "output.value": response}))))
    assert (request_body(given), response_body(given)) == (request.encode(), response.encode())
    assert conversation({"input.value": "hello", "output.value": "hi there"}) == BOTH
    assert conversation({"input.value": '["hello"]', "output.value": ""}) == Conversation((HELLO,))


def test_messages_of_the_ai_sdk() -> None:
    prompt = json.dumps([{"role": "user", "content": [{"type": "text", "text": "hello"}]}])
    assert conversation({"ai.prompt.messages": prompt, "ai.response.text": "hi there"}) == BOTH
    called = json.dumps([{"toolCallId": "c1", "toolName": "find", "input": {"a": 1}}])
    assert conversation({"ai.response.toolCalls": called}).response == (
        said("assistant", ToolCall("find", json.dumps({"a": 1}, indent=2))),
    )


def test_whole_bodies_of_others() -> None:
    request, response = '{"messages":[{"role":"user","content":"hello"}]}', '{"content":"hi there","role":"assistant"}'
    for prompt, answer in (
        ("gen_ai.prompt", "gen_ai.completion"),
        ("mlflow.spanInputs", "mlflow.spanOutputs"),
        ("langfuse.observation.input", "langfuse.observation.output"),
        ("gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response"),
    ):
        (given,) = spans_of_json(in_json(export(span(1, {prompt: request, answer: response}))))
        assert (request_body(given), response_body(given)) == (request.encode(), response.encode())


def test_numbered_messages_of_older_openllmetry() -> None:
    shown = conversation(
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": json.dumps([{"type": "text", "text": "hello"}]),
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "[not json",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "hi there",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "find",
            "gen_ai.completion.0.tool_calls.0.arguments": "{}",
        }
    )
    assert shown == Conversation(
        (HELLO, said("user", Text("[not json"))), (said("assistant", Text("hi there"), ToolCall("find", "{}")),)
    )


def test_messages_in_events() -> None:
    written = {"gen_ai.event.content": json.dumps({"role": "user", "content": "hello"})}
    assert conversation({}, {"gen_ai.user.message": {"content": "hello"}}).prompt == (HELLO,)
    assert conversation({}, {"gen_ai.user.message": written}).prompt == (HELLO,)
    message = {"role": "assistant", "content": "hi there"}
    for choice in (
        {"index": 0, "message": json.dumps(message)},
        {"index": 0, "message": message},
        {"gen_ai.event.content": json.dumps({"index": 0, "message": message})},
        {"content": "hi there"},
    ):
        assert conversation({}, {"gen_ai.choice": choice}).response == (HI,)


def test_content_in_the_oldest_events() -> None:
    events = {
        "gen_ai.content.prompt": {"gen_ai.prompt": json.dumps([{"role": "user", "content": "hello"}])},
        "gen_ai.content.completion": {"gen_ai.completion": "hi there"},
    }
    assert conversation({}, events) == BOTH


def test_why_a_call_failed() -> None:
    thrown = {"exception": {"exception.type": "RateLimitError", "exception.message": "slow down"}}
    assert conversation({}, thrown, status={"code": 2}).error == "slow down"
    assert conversation({}, status={"code": 2, "message": "gone"}).error == "gone"
    assert conversation({"error.type": "timeout"}).error == "timeout"
    assert conversation({}, thrown).error is None
    partly = conversation({"llm.output_messages.0.message.content": "hi there", "error.type": "cut"})
    assert (partly.response, partly.error) == ((HI,), "cut")


def test_a_span_without_content_has_no_bodies() -> None:
    (given,) = spans_of_json(in_json(export(span(1, {"gen_ai.prompt": "", "gen_ai.prompt.a": 1, "input.value": ""}))))
    assert (request_body(given), response_body(given)) == (None, None)
