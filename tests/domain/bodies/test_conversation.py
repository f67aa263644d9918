"""Bodies of every provider become one chat, and no body makes reading fail."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    prompt_text,
    response_text,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "helicone_webhooks.json"


def webhook(scenario: str) -> dict[str, Any]:
    captures = json.loads(FIXTURES.read_text())["captures"]
    (raw,) = (one["body_base64"] for one in captures if one["scenario"] == scenario)
    body: dict[str, Any] = json.loads(base64.b64decode(raw))
    return body


def prompt(body: object) -> tuple[Turn, ...]:
    return parse_conversation(json.dumps(body).encode(), None).prompt


def response(body: object) -> tuple[Turn, ...]:
    return parse_conversation(None, json.dumps(body).encode()).response


def said(role: str, *parts: str | Part, tokens: int | None = None) -> Turn:
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts), tokens)


@pytest.mark.parametrize(
    ("scenario", "asked", "answered", "tokens"),
    [
        ("openai_chat_success_user_session_props_unicode", 'Grüße 👋 <b>&amp;</b> "quoted"', "Hey — café ☕", 17),
        ("anthropic_stream_success", "hi", "Hello there!", 12),
        ("dashboard_test_event", "test message", "Hey! Not much, just here to help you out. What's up with you?", 17),
        ("include_data_false", "hello", "hi", 17),
        ("no_user_id", "hello", "hi", 17),
        ("openai_stream_with_usage", "hello", "Hi you", 3),
        ("openai_stream_without_usage", "hello", "Hi you", None),
        ("receiver_replied_500_no_retry", "hello", "hi", 17),
    ],
)
def test_recorded_webhooks_are_read(scenario: str, asked: str, answered: str, tokens: int | None) -> None:
    body = webhook(scenario)
    found = parse_conversation(body["request_body"], body["response_body"])
    assert found == Conversation((said("user", asked),), (said("assistant", answered, tokens=tokens),))
    assert (prompt_text(found), response_text(found)) == (asked, answered)
    assert found.turns == found.prompt + found.response


@pytest.mark.parametrize("scenario", ["bodies_missing_not_stored", "omit_request_and_response"])
def test_recorded_webhooks_without_bodies_have_no_turns(scenario: str) -> None:
    body = webhook(scenario)
    assert parse_conversation(body["request_body"], body["response_body"]) == Conversation()


def test_the_recorded_error_and_the_unknown_shape_are_read() -> None:
    limited, custom = webhook("openai_error_429"), webhook("no_model_metadata_absent")
    failed = parse_conversation(limited["request_body"], limited["response_body"])
    assert failed == Conversation((said("user", "hello"),), (), "Rate limit reached for gpt-4o")
    assert parse_conversation(custom["request_body"], custom["response_body"]).turns == (said("user", "x"),)


@pytest.mark.parametrize("scenario", ["anthropic_stream_success", "openai_stream_with_usage"])
def test_a_stream_that_was_not_reassembled_is_read_from_its_events(scenario: str) -> None:
    whole = webhook(scenario)["response_body"]
    only_stream = {"streamed_data": whole["streamed_data"]}
    assert response(only_stream)[0].parts == response(whole)[0].parts


def test_chat_messages_with_tools_images_and_refusals() -> None:
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, image("https://x.y/cat.png?sig=1")]},
        {"role": "user", "content": [image("data:image/png;base64,AAAA"), {"type": "input_audio", "input_audio": {}}]},
        {"role": "assistant", "content": None, "tool_calls": [call("find", '{"q": "ü"}'), call("odd", "not json")]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "content": "", "refusal": "I cannot"},
        {"role": "assistant", "function_call": {"name": "old", "arguments": "{}"}},
        {"role": "user", "content": ""},
    ]
    assert prompt({"messages": messages}) == (
        said("developer", "be brief"),
        said("user", "look", Attachment("image", "https://x.y/cat.png")),
        said("user", Attachment("image", "data:image/png"), Attachment("audio", "")),
        said("assistant", ToolCall("find", '{\n  "q": "ü"\n}'), ToolCall("odd", "not json")),
        said("tool", ToolResult("c1", "42")),
        said("assistant", "I cannot"),
        said("assistant", ToolCall("old", "{}")),
    )


def image(url: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


def call(name: str, arguments: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def test_several_choices_are_several_turns_without_a_token_count() -> None:
    choices = [{"message": {"role": "assistant", "content": text}} for text in "ab"]
    found = response({"choices": choices, "usage": {"completion_tokens": 4}})
    assert found == (said("assistant", "a"), said("assistant", "b"))


def test_the_responses_api() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "u"}]},
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "7"},
    ]
    assert prompt({"instructions": "short", "input": items}) == (
        said("system", "short"),
        said("user", "hi", Attachment("image", "u")),
        said("user", ToolCall("f", "{}"), ToolResult("c", "7")),
    )
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hmm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
        {"type": "web_search_call", "id": "w"},
    ]
    assert response({"output": output}) == (
        said("assistant", Thinking("hmm")),
        said("assistant", "yes"),
        said("assistant", Attachment("web_search_call", "")),
    )


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ({"prompt": "once"}, (Text("once"),)),
        ({"prompt": ["a", "b"]}, (Text("a"), Text("b"))),
        ({"input": "text"}, (Text("text"),)),
        ({"input": ["a", "b"]}, (Text("a"), Text("b"))),
        ({"input": [1, 2, 3]}, (Attachment("tokens", "3 numbered inputs"),)),
    ],
)
def test_completions_and_embeddings(body: object, parts: tuple[Part, ...]) -> None:
    assert prompt(body) == (Turn("user", parts),)


def test_legacy_completion_answers() -> None:
    assert response({"choices": [{"text": "upon a time"}]}) == (said("assistant", "upon a time"),)
    assert response({"completion": "old claude"}) == (said("assistant", "old claude"),)


def test_anthropic_messages() -> None:
    blocks = [
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "document", "title": "plan.pdf", "source": {}},
    ]
    system = [{"type": "text", "text": "be kind"}]
    assert prompt({"system": system, "messages": [{"role": "user", "content": blocks}]}) == (
        said("system", "be kind"),
        said("user", ToolResult("t1", "sunny"), Attachment("image", "image/png"), Attachment("document", "plan.pdf")),
    )
    content = [
        {"type": "thinking", "thinking": "hmm"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "ok"},
        {"type": "tool_use", "name": "weather", "input": {"city": "Köln"}},
    ]
    answer = {"type": "message", "role": "assistant", "content": content, "usage": {"output_tokens": 9}}
    tool = ToolCall("weather", '{\n  "city": "Köln"\n}')
    expected = said("assistant", Thinking("hmm"), Attachment("redacted thinking", ""), "ok", tool, tokens=9)
    assert response(answer) == (expected,)


def test_an_anthropic_event_stream_as_text() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "f", "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
        {"type": "message_delta", "usage": {"output_tokens": 5}},
    ]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n"
    expected = (said("assistant", "Hello", ToolCall("f", '{\n  "a": 1\n}'), tokens=5),)
    assert parse_conversation(None, text.encode()).response == expected
    assert response(text) == expected


def test_openai_chunks_with_tool_calls() -> None:
    deltas = [
        {"role": "assistant", "content": "Hi"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"content": " you"},
    ]
    chunks: list[object] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [], "usage": {"completion_tokens": 2}})
    assert response(chunks) == (said("assistant", "Hi you", ToolCall("f", "{}"), tokens=2),)


def test_the_responses_api_stream_ends_with_the_whole_answer() -> None:
    whole = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "yes"}]}]}
    text = f"data: {json.dumps({'type': 'response.completed', 'response': whole})}\n"
    assert parse_conversation(None, text).response == (said("assistant", "yes"),)


def test_gemini_contents() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "rules"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}]},
        ],
    }
    assert prompt(body) == (
        said("system", "rules"),
        said("user", "hi", Attachment("file", "image/png")),
        said("model", ToolCall("f", '{\n  "a": 1\n}')),
        said("user", ToolResult("f", '{\n  "r": 2\n}')),
    )
    answer = {"candidates": [{"content": {"parts": [{"text": "hmm", "thought": True}, {"text": "yo"}]}}]}
    assert response(answer | {"usageMetadata": {"candidatesTokenCount": 3}}) == (
        said("model", Thinking("hmm"), "yo", tokens=3),
    )
    chunks = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("Hel", "lo")]
    assert response(chunks) == (said("model", "Hello"),)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": "boom"}, "boom"),
        ({"error": {"message": "too many", "type": "x"}}, "too many"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
        ([{"error": {"code": 400, "message": "bad key"}}], "bad key"),
        ({"error": {"code": 400}}, '{\n  "code": 400\n}'),
        ({"error": "HTML response detected:", "html_response": "<html>"}, "HTML response detected: <html>"),
        ({"helicone_error": "error parsing response", "parse_response_error": "x"}, "error parsing response x"),
        ({"error": None, "choices": []}, None),
        ({}, None),
    ],
)
def test_errors_are_named(body: object, error: str | None) -> None:
    assert parse_conversation(None, json.dumps(body)).error == error


def test_texts_of_several_turns_are_headed_by_their_role() -> None:
    tool = ToolCall("f", "{}")
    found = Conversation((said("system", "s"), said("user", "a", Attachment("image", "u"))), (said("assistant", tool),))
    assert prompt_text(found) == "system: s\n\nuser: a\n[image u]"
    assert response_text(found) == "f({})"
    assert response_text(Conversation()) == ""


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"nonsense", b"[" * 5_000, "{", None, 3, b"null", b'"text"', [], 1.5]
)
def test_bodies_that_are_no_conversation_have_no_turns(body: object) -> None:
    assert parse_conversation(body, body) == Conversation()


def test_nesting_beyond_reason_is_no_conversation() -> None:
    nested: object = "x"
    for _ in range(5_000):
        nested = [{"type": "tool_result", "content": nested}]
    assert parse_conversation({"messages": [{"content": nested}]}, None) == Conversation()


KEYS = [
    *("messages", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "input", "output"),
    *("prompt", "contents", "parts", "candidates", "choices", "message", "delta", "error", "usage", "system", "index"),
    *("streamed_data", "response", "source", "image_url", "functionCall", "summary", "completion_tokens", "refusal"),
]
WORDS = ["text", "tool_use", "tool_result", "image", "message", "user", "reasoning", "content_block_delta", "thinking"]
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(bodies, bodies)
def test_no_json_makes_reading_fail(request: object, answer: object) -> None:
    for found in (
        parse_conversation(request, answer),
        parse_conversation(json.dumps(request).encode(), json.dumps(answer)),
    ):
        assert all(turn.parts for turn in found.turns)
        assert isinstance(prompt_text(found) + response_text(found), str)
