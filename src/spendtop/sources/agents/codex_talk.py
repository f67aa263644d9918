"""What is said in Codex's rollouts: messages and calls of tools, before the count of the response that they are of."""

from __future__ import annotations

from spendtop.sources.agents.fields import instant
from spendtop.sources.agents.rollout import RolloutLine
from spendtop.sources.agents.talk import Talk, text_block, texts_in, tool_block

_CALLS = ("function_call", "custom_tool_call")


def may_be_said(line: bytes) -> bool:
    """Whether a line may hold what was said, by its head."""
    head = line[:400]
    return b'"response_item"' in head and any(
        each in head for each in (b'"message"', b'"function_call"', b'"custom_tool_call"')
    )


def hear(talk: Talk, line: RolloutLine) -> None:
    """Take note of what a line says."""
    payload, at = line.payload, instant(line.timestamp)
    if line.type != "response_item" or not isinstance(payload, dict) or at is None:
        return
    kind, role = payload.get("type"), payload.get("role")
    if kind in _CALLS:
        talk.answer([tool_block(payload.get("name"), payload.get("arguments", payload.get("input")))], at)
    elif kind == "message" and role == "user" and (asked := texts_in(payload.get("content"), "input_text")):
        talk.ask("\n".join(asked))
    elif kind == "message" and role == "assistant":
        talk.answer(map(text_block, texts_in(payload.get("content"), "output_text")), at)
