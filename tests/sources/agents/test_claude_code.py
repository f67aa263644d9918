from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spendtop.domain.agents.calls import AgentCall
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.call_book import CallBook
from spendtop.sources.agents.claude_code import ClaudeCodeReader

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30, "output_tokens": 40}


def line(
    usage: Any = USAGE, model: Any = "claude-opus-4-6", message_id: Any = "msg_1", stop: Any = "end_turn", **fields: Any
) -> str:
    message = {"id": message_id, "model": model, "role": "assistant", "stop_reason": stop, "usage": usage}
    return json.dumps(
        {"type": "assistant", "timestamp": "2026-11-03T09:10:36.329Z", "sessionId": "s1", "message": message, **fields}
    )


def calls(folder: Path, *lines: str, tally: Tally | None = None) -> list[AgentCall]:
    file, book = folder / "s1.jsonl", CallBook()
    file.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    for call in ClaudeCodeReader().calls(file, folder, Bookmark(), Tally() if tally is None else tally):
        book.add(call)
    return list(book)


def test_two_requests_with_one_message_id_and_other_inputs_are_two_calls(tmp_path: Path) -> None:
    other = {**USAGE, "input_tokens": 11}
    lines = line(requestId="req_a"), line(other, requestId="req_b")
    for order in (lines, lines[::-1], (*lines, *lines)):
        assert sorted(call.counts.prompt or 0 for call in calls(tmp_path, *order)) == [60, 61]
    assert len(calls(tmp_path, line(requestId="req_a"), line(requestId="req_b"))) == 1
    assert len(calls(tmp_path, line(requestId="req_a"), line(other, requestId="req_b", isSidechain=True))) == 1


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-opus-4-6", "anthropic"),
        ("us.anthropic.claude-opus-4-6-v1:0", None),
        ("claude-opus-4-6@20260101", None),
        ("glm-5", None),
    ],
)
def test_the_provider_is_known_of_the_makers_own_names_only(tmp_path: Path, model: str, provider: str | None) -> None:
    (call,) = calls(tmp_path, line(model=model))
    assert (call.provider, call.model) == (provider, model)


@pytest.mark.parametrize(
    "usage", [{}, None, [], "text", {"input_tokens": -1}, {"input_tokens": "9"}, {"output_tokens": 10**30}]
)
def test_what_is_no_usage_is_no_call(tmp_path: Path, usage: Any) -> None:
    assert calls(tmp_path, line(usage)) == []


def test_hostile_lines_cost_no_other_line(tmp_path: Path) -> None:
    tally = Tally()
    strange = [
        line(timestamp="yesterday"),
        line(timestamp="9999-12-31T23:59:59+00:00"),
        line(message_id=None),
        line()[:-1] + "]}",
        '{"type":"assistant","message":{"usage":{"input_tokens":1}},"x":' + "[" * 9000 + "]" * 9000 + "}",
        json.dumps({"type": "user", "message": {"role": "user"}, "toolUseResult": {"usage": USAGE, "a": "assistant"}}),
        '{"type":"assistant","message":"\\"usage\\":{}","x":{"usage":1}}',
    ]
    (call,) = calls(tmp_path, *strange, line(message_id="msg_2", cwd=5, gitBranch=["x"], version=None), tally=tally)
    assert (call.key, call.properties) == ("msg_2", {})
    assert tally["lines without time, id or counts"] == 3
    assert tally["malformed lines"] >= 2


def test_where_it_looks(tmp_path: Path) -> None:
    reader = ClaudeCodeReader()
    assert tmp_path / ".claude" in reader.roots(tmp_path, {})
    assert tmp_path / ".config" / "claude" in reader.roots(tmp_path, {})
    chosen = reader.roots(tmp_path, {"CLAUDE_CONFIG_DIR": f"{tmp_path}/a, {tmp_path}/b/projects"})
    assert chosen[:2] == [tmp_path / "a", tmp_path / "b"]
    desktop = tmp_path / ".config" / "Claude" / "local-agent-mode-sessions"
    file = desktop / "x" / "projects" / "p" / "s.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert list(reader.files(desktop, Tally())) == [file]
