from __future__ import annotations

import io
import json
from typing import Any

import pytest

from spendtop.cli.mcp.command import serve
from spendtop.cli.mcp.protocol import HANDSHAKE_VERSIONS, Object, Server, Tool
from spendtop.domain.errors import UsageError

STATELESS = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def _double(arguments: Object) -> Object:
    if "broken" in arguments:
        raise ZeroDivisionError
    if not isinstance(arguments.get("n"), int):
        raise UsageError("n has to be a whole number.")
    return {"twice": arguments["n"] * 2, "text": "\x1b[2J"}


SERVER = Server({"name": "s", "version": "1"}, "ask", [Tool("double", "Double", "Twice.", {"type": "object"}, _double)])


def ask(method: str, params: object = None, **more: object) -> dict[str, Any]:
    answer = SERVER.answer(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}).encode())
    assert answer is not None and answer.endswith(b"\n") and answer.count(b"\n") == 1
    answered: dict[str, Any] = json.loads(answer)
    return answered


@pytest.mark.parametrize("asked", [*HANDSHAKE_VERSIONS, "2020-01-01", None, 7])
def test_the_version_is_the_clients_where_it_is_known_else_the_newest(asked: object) -> None:
    result = ask("initialize", {"protocolVersion": asked, "capabilities": {}})["result"]
    assert result["protocolVersion"] == (asked if asked in HANDSHAKE_VERSIONS else "2025-11-25")
    assert (result["capabilities"], result["serverInfo"]["name"]) == ({"tools": {}}, "s")


def test_a_client_without_a_handshake_is_answered_in_its_own_way() -> None:
    assert ask("server/discover", {"_meta": STATELESS})["result"]["supportedVersions"] == ["2026-07-28"]
    listed = ask("tools/list", {"_meta": STATELESS})["result"]
    assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == ("complete", 0, "private")
    assert ask("tools/call", {"_meta": STATELESS, "name": "double", "arguments": {"n": 2}})["result"]["resultType"]
    newer = {**STATELESS, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}
    error = ask("tools/list", {"_meta": newer})["error"]
    assert (error["code"], error["data"]["supported"]) == (-32022, ["2026-07-28"])


def test_tools_are_listed_as_harmless_with_what_they_take() -> None:
    (tool,) = ask("tools/list")["result"]["tools"]
    assert (tool["name"], tool["inputSchema"], tool["annotations"]["readOnlyHint"]) == (
        "double",
        {"type": "object"},
        True,
    )


def test_an_answer_is_structured_and_the_same_as_text() -> None:
    result = ask("tools/call", {"name": "double", "arguments": {"n": 4}})["result"]
    assert (result["structuredContent"]["twice"], result["isError"]) == (8, False)
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_what_goes_wrong_in_a_tool_is_a_result_that_the_agent_can_read() -> None:
    result = ask("tools/call", {"name": "double"})["result"]
    assert result == {"content": [{"type": "text", "text": "n has to be a whole number."}], "isError": True}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("bogus", None, -32601),
        ("resources/list", {}, -32601),
        ("tools/call", {"name": "nope"}, -32602),
        ("tools/call", {"name": ["double"]}, -32602),
        ("tools/call", {"name": "double", "arguments": [1]}, -32602),
        ("tools/call", {"name": "double", "arguments": {"broken": 1}}, -32603),
        ("ping", [], -32602),
        (7, {}, -32600),
    ],
)
def test_what_cannot_be_asked_is_an_error_with_the_questions_id(method: str, params: object, code: int) -> None:
    answer = ask(method, params, id="a")
    assert (answer["error"]["code"], answer["id"]) == (code, "a")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", -32700),
        (b"\xff{", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b'{"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
    ],
)
def test_rubbish_is_answered_and_the_server_goes_on(line: bytes, code: int) -> None:
    answer = json.loads(SERVER.answer(line) or b"")
    assert (answer["error"]["code"], answer["id"]) == (code, None)
    assert ask("ping")["result"] == {}


def test_notifications_and_answers_are_not_answered() -> None:
    for line in (
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"notifications/unknown","params":{}}',
        b'{"jsonrpc":"2.0","id":3,"result":{}}',
        b'[{"jsonrpc":"2.0","method":"notifications/cancelled"}]',
    ):
        assert SERVER.answer(line) is None


def test_a_batch_is_answered_by_a_batch() -> None:
    ping = {"jsonrpc": "2.0", "method": "ping"}
    answers = json.loads(SERVER.answer(json.dumps([{**ping, "id": 1}, ping, {**ping, "id": 2}, 5]).encode()) or b"")
    assert [answer.get("id") for answer in answers] == [1, 2, None]


def test_lines_are_answered_one_by_one_until_the_input_ends() -> None:
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    answers = io.BytesIO()
    serve(SERVER, io.BytesIO(ping + b"\n\n  \n" + b"x" * 9_000_000 + b"\n" + ping + b"\r\n" + ping), answers)
    answered = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [answer.get("error", {}).get("code") for answer in answered] == [None, -32700, None, None]
    assert b"\x1b" not in answers.getvalue()
