"""What was said around calls, where somebody wants that kept; else none of it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.domain.agents.calls import AgentCall, merged
from spendtop.domain.bodies.conversation import parse_conversation, response_text
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.call_book import CallBook
from spendtop.sources.agents.claude_code import ClaudeCodeReader
from spendtop.sources.agents.codex import CodexReader
from spendtop.sources.agents.scan import readers_of
from spendtop.sources.agents.talk import LONGEST_ANSWER, LONGEST_TEXT, Talks, answer_body, question_body
from spendtop.sources.registry import READERS
from tests.sources.agents.homes import lay_out
from tests.sources.agents.test_claude_code import USAGE

HIDDEN = ("REASONED", "GIVEN BACK")


def user(content: Any, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": content}
    return {"type": "user", "timestamp": "2026-11-03T09:10:30.000Z", "message": message, **fields}


def block(second: int, part: dict[str, Any], of: str = "msg_1") -> dict[str, Any]:
    message = {"id": of, "role": "assistant", "model": "claude-opus-4-6", "stop_reason": None, "usage": USAGE}
    at = f"2026-11-03T09:10:{second}.000Z"
    return {"type": "assistant", "timestamp": at, "sessionId": "s", "message": {**message, "content": [part]}}


CLAUDE = [
    user("Name the birds."),
    user("REASONED", isMeta=True),
    block(36, {"type": "thinking", "thinking": "REASONED"}),
    block(37, {"type": "text", "text": "First the larks."}),
    block(38, {"type": "tool_use", "name": "Read", "input": {"file": "larks.txt"}}),
    user([{"type": "tool_result", "content": "GIVEN BACK"}]),
    block(40, {"type": "text", "text": "Two larks."}, of="msg_2"),
]


def written(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def said(call: AgentCall) -> tuple[str, str]:
    conversation = parse_conversation(question_body(call), answer_body(call))
    return " ".join(str(turn.parts[0].text) for turn in conversation.prompt), response_text(conversation)  # type: ignore[union-attr]


def test_claude_codes_calls_have_the_question_before_them_and_their_own_blocks(tmp_path: Path) -> None:
    file, reader, bookmark, book = tmp_path / "s.jsonl", ClaudeCodeReader(), Bookmark(), CallBook()
    reader.talks = Talks()
    file.write_bytes(b"")
    for part in (CLAUDE[:4], CLAUDE[4:]):
        with file.open("ab") as growing:
            growing.write(written(part))
        last = [*reader.calls(file, tmp_path, bookmark, Tally())]
        for call in last:
            book.add(call)
    first, second = (said(call) for call in book)
    assert first[0] == second[0] == "Name the birds."
    assert "First the larks." in first[1]
    assert "larks.txt" in first[1]
    assert second[1] == "Two larks."
    assert said(last[0]) == first, "what is read later holds what was said before, too"
    assert not any(word in msgspec.json.encode(list(book)).decode() for word in HIDDEN)


def test_codexs_calls_have_what_was_said_before_their_count(tmp_path: Path) -> None:
    home, reader, book = lay_out("codex/usage_records", tmp_path), CodexReader(), CallBook()
    reader.talks = Talks()
    (file,) = home.rglob("rollout-*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    number = next(number for number, line in enumerate(lines) if line["payload"].get("role") == "user")
    items: list[dict[str, Any]] = [
        {"type": "reasoning", "encrypted_content": "REASONED"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Tidied."}]},
        {"type": "function_call", "name": "shell", "arguments": "make clean"},
        {"type": "function_call_output", "output": "GIVEN BACK"},
    ]
    at = lines[number]["timestamp"]
    lines[number + 1 : number + 1] = [{"timestamp": at, "type": "response_item", "payload": each} for each in items]
    file.write_bytes(written(lines))
    for call in reader.calls(file, home / ".codex", Bookmark(), Tally()):
        book.add(call)
    first, *others = sorted(book, key=lambda call: call.occurred_at)
    assert said(first)[0] == "Please tidy the build scripts."
    assert "Tidied." in said(first)[1]
    assert "make clean" in said(first)[1]
    assert others
    assert not any("Tidied." in said(each)[1] for each in others)
    assert not any(word in msgspec.json.encode(list(book)).decode() for word in HIDDEN)


@pytest.mark.parametrize("texts", [False, True])
def test_nothing_is_read_unless_it_is_wanted(texts: bool, tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_bytes(written(CLAUDE))
    reader = readers_of(READERS.agents, texts=texts)["claude-code"]
    told = msgspec.json.encode([*reader.calls(file, tmp_path, Bookmark(), Tally())])
    assert [word in told for word in (b"larks", b"birds")] == [texts, texts]


def test_texts_are_bounded(tmp_path: Path) -> None:
    file, reader = tmp_path / "s.jsonl", ClaudeCodeReader()
    reader.talks = Talks()
    long = [block(36, {"type": "text", "text": f"{number}{'x' * 10_000}"}) for number in range(9)]
    tool = block(36, {"type": "tool_use", "name": "Write", "input": {"content": "x" * 10_000}}, of="msg_2")
    file.write_bytes(written([user("y" * 10_000), *long, tool, user(3), user([3, {"type": "text"}]), block(37, {})]))
    calls = [*reader.calls(file, tmp_path, Bookmark(), Tally())]
    told_twice = replace(calls[0], answered={f'"{number}{"x" * 8_000}"': (0, number) for number in range(9)})
    assert len(answer_body(merged(calls[0], told_twice)) or b"") in range(LONGEST_TEXT, LONGEST_ANSWER + 100)
    assert all(len(call.asked) <= LONGEST_TEXT + 1 for call in calls)
    assert max(sum(map(len, call.answered)) for call in calls) in range(LONGEST_TEXT, LONGEST_ANSWER + 1)
    assert [*calls[-2].answered] == ['{"type":"tool_use","name":"Write"}']
