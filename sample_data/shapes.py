"""Requests and answers as the providers' APIs and Helicone's webhooks write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from conversations import Conversation, Tool, Turn

Json = dict[str, Any]
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ERRORS = {
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached for {model}: please try again in 1.2s."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    502: ("stream_error", None, "The upstream connection ended before the answer of {model} was complete."),
    504: ("timeout", None, "Upstream request timed out after 60 seconds."),
}


@dataclass(frozen=True)
class Tokens:
    """Tokens of one request: `prompt` with cache, `completion` with reasoning; None: no such count."""

    prompt: int = 0
    completion: int = 0
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


def random_id(rng: Random, prefix: str, length: int) -> str:
    """An identifier as providers make them."""
    return prefix + "".join(rng.choices(_ALPHABET, k=length))


def request_body(provider: str, model: str, conversation: Conversation, file_id: str | None) -> Json:
    """The last question with everything before it."""
    if provider == "anthropic":
        return _anthropic_request(model, conversation, file_id)
    if provider == "google":
        return _google_request(conversation, file_id)
    return _openai_request(model, conversation, file_id)


def response_body(rng: Random, provider: str, model: str, answer: Turn, tokens: Tokens, created: int) -> Json:
    """A successful answer. `created` is in unix seconds."""
    if provider == "anthropic":
        return _anthropic_response(rng, model, answer, tokens)
    if provider == "google":
        return _google_response(rng, model, answer, tokens)
    return _openai_response(rng, model, answer, tokens, created)


def error_body(provider: str, model: str, status: int) -> Json:
    """The answer of a call that failed with this HTTP status."""
    kind, code, text = _ERRORS[status]
    message = text.format(model=model)
    if provider == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": message}}
    if provider == "google":
        return {"error": {"code": status, "message": message, "status": kind.upper()}}
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def webhook_body(line: Json, url: str) -> Json:
    """One line of traffic as Helicone's webhook would have reported it: no status, session, token or time."""
    usage = line["usage"]
    cached = (usage["cache_read"] or 0) + (usage["cache_write"] or 0)
    prompt = (usage["prompt"] or 0) - cached
    completion = (usage["completion"] or 0) - (usage["reasoning"] or 0)
    body: Json = {
        "request_id": line["external_id"],
        "request_body": line["request_body"],
        "response_body": line["response_body"],
        "user_id": line["user_id"],
        "request_response_url": url,
        "model": line["model"],
        "provider": (line["provider"] or "custom").upper(),
        "metadata": {
            "cost": float(line["reported_cost"] or 0),
            "promptTokens": prompt,
            "completionTokens": completion,
            "totalTokens": prompt + completion,
            "latencyMs": line["latency_ms"],
        },
    }
    if line["user_id"] is None:
        del body["user_id"]
    return body


def _openai_request(model: str, conversation: Conversation, file_id: str | None) -> Json:
    messages: list[Json] = [{"role": "system", "content": conversation.system}]
    messages += [_openai_message(turn) for turn in conversation.turns]
    if file_id:
        first = next(message for message in messages if message["role"] == "user")
        first["content"] = [{"type": "text", "text": first["content"]}, {"type": "file", "file": {"file_id": file_id}}]
    body: Json = {"model": model, "messages": messages}
    if conversation.tools:
        functions = [_described(tool, "parameters") for tool in conversation.tools]
        body["tools"] = [{"type": "function", "function": function} for function in functions]
        body["tool_choice"] = "auto"
    if conversation.json_answer:
        body["response_format"] = {"type": "json_object"}
    return body | {"max_completion_tokens": 4096, "temperature": 0.2}


def _openai_message(turn: Turn) -> Json:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.text}
    if turn.tool:
        function = {"name": turn.tool, "arguments": turn.text}
        call = {"id": turn.call_id, "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"role": turn.role, "content": turn.text}


def _openai_response(rng: Random, model: str, answer: Turn, tokens: Tokens, created: int) -> Json:
    message = _openai_message(answer) | {"refusal": None, "annotations": []}
    finish = "tool_calls" if answer.tool else "stop"
    return {
        "id": random_id(rng, "chatcmpl-", 29),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
            "prompt_tokens_details": {"cached_tokens": tokens.cache_read or 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": tokens.reasoning or 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": f"fp_{rng.getrandbits(40):010x}",
    }


def _anthropic_request(model: str, conversation: Conversation, file_id: str | None) -> Json:
    system: Json = {"type": "text", "text": conversation.system}
    if conversation.prompt_caching:
        system["cache_control"] = {"type": "ephemeral"}
    messages = [_anthropic_message(turn) for turn in conversation.turns]
    if file_id:
        source = {"type": "file", "file_id": file_id.replace("file-", "file_011C")}
        document = {"type": "document", "source": source, "title": "context.txt"}
        messages[0]["content"] = [document, {"type": "text", "text": messages[0]["content"]}]
    body: Json = {"model": model, "max_tokens": 4096, "system": [system], "messages": messages}
    if conversation.tools:
        body["tools"] = [_described(tool, "input_schema") for tool in conversation.tools]
    return body | {"temperature": 0.2}


def _anthropic_message(turn: Turn) -> Json:
    if turn.role == "tool":
        result = {"type": "tool_result", "tool_use_id": turn.call_id, "content": turn.text}
        return {"role": "user", "content": [result]}
    return {"role": turn.role, "content": [_anthropic_block(turn)] if turn.tool else turn.text}


def _anthropic_block(turn: Turn) -> Json:
    if turn.tool:
        return {"type": "tool_use", "id": turn.call_id, "name": turn.tool, "input": json.loads(turn.text)}
    return {"type": "text", "text": turn.text}


def _anthropic_response(rng: Random, model: str, answer: Turn, tokens: Tokens) -> Json:
    read, write = tokens.cache_read or 0, tokens.cache_write or 0
    return {
        "id": random_id(rng, "msg_01", 22),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_anthropic_block(answer)],
        "stop_reason": "tool_use" if answer.tool else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": tokens.prompt - read - write,
            "cache_creation_input_tokens": write,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": write, "ephemeral_1h_input_tokens": 0},
            "output_tokens": tokens.completion,
            "service_tier": "standard",
        },
    }


def _google_request(conversation: Conversation, file_id: str | None) -> Json:
    roles = {"user": "user", "tool": "user", "assistant": "model"}
    contents = [{"role": roles[turn.role], "parts": [_google_part(turn)]} for turn in conversation.turns]
    if file_id:
        uri = f"https://generativelanguage.googleapis.com/v1beta/files/{file_id}"
        contents[0]["parts"] = [
            _google_part(conversation.turns[0]),
            {"fileData": {"mimeType": "text/plain", "fileUri": uri}},
        ]
    config: Json = {"temperature": 0.2, "maxOutputTokens": 4096}
    if conversation.json_answer:
        config["responseMimeType"] = "application/json"
    system = {"parts": [{"text": conversation.system}]}
    body: Json = {"systemInstruction": system, "contents": contents, "generationConfig": config}
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": [_described(tool, "parameters") for tool in conversation.tools]}]
    return body


def _google_part(turn: Turn) -> Json:
    if turn.role == "tool":
        return {"functionResponse": {"name": turn.tool, "response": {"content": turn.text}}}
    if turn.tool:
        return {"functionCall": {"name": turn.tool, "args": json.loads(turn.text)}}
    return {"text": turn.text}


def _google_response(rng: Random, model: str, answer: Turn, tokens: Tokens) -> Json:
    thoughts = tokens.reasoning or 0
    content = {"role": "model", "parts": [_google_part(answer)]}
    usage = {"promptTokenCount": tokens.prompt, "candidatesTokenCount": tokens.completion - thoughts}
    usage |= {"totalTokenCount": tokens.prompt + tokens.completion}
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    if tokens.cache_read:
        usage["cachedContentTokenCount"] = tokens.cache_read
    return {
        "candidates": [
            {"content": content, "finishReason": "STOP", "index": 0, "avgLogprobs": -round(rng.random(), 6)}
        ],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": random_id(rng, "", 22),
    }


def _described(tool: Tool, schema_key: str) -> Json:
    return {"name": tool.name, "description": tool.description, schema_key: tool.parameters}
