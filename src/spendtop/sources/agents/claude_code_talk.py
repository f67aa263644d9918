"""What is said in Claude Code's transcripts: texts and calls of tools, a block per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from spendtop.sources.agents.fields import instant, text
from spendtop.sources.agents.talk import Talk, text_block, texts_in, tool_block
from spendtop.sources.repaired_json import decoded

_HEAD = 4_000
"""Bytes in which a line says what it is."""


class _SaidMessage(Struct, frozen=True):
    id: Any = None
    content: Any = None


class _SaidLine(Struct, frozen=True, rename="camel"):
    type: Any = None
    timestamp: Any = None
    is_meta: Any = None
    message: _SaidMessage | None = None


_LINE = Decoder(_SaidLine)


def may_be_question(line: bytes) -> bool:
    """Whether a line may hold what the user wrote; results of tools come as the user's, too."""
    return b'"user"' in line[:_HEAD] and b'"tool_result"' not in line


def hear(talk: Talk, raw: bytes) -> None:
    """Take note of what a line says; one that is none says nothing."""
    try:
        line = decoded(_LINE, raw)
    except (DecodeError, RecursionError):
        return
    at, message = instant(line.timestamp), line.message
    if at is None or message is None:
        return
    if line.type == "assistant":
        talk.answer(_blocks(message.content), at, text(message.id))
    elif line.type == "user" and line.is_meta is not True and (texts := texts_in(message.content, "text")):
        talk.ask("\n".join(texts))


def _blocks(content: object) -> Iterator[dict[str, Any]]:
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "text" and isinstance(said := part.get("text"), str):
            yield text_block(said)
        elif part.get("type") == "tool_use":
            yield tool_block(part.get("name"), part.get("input"))
