"""What was said around calls, for whoever wants that kept: what the user wrote last, and what was answered to it.

Neither reasoning nor what tools gave back. Bounded, as anything may stand in a file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from spendtop.domain.agents.calls import AgentCall

LONGEST_TEXT = 8_000
"""Characters of one text; a longer one is cut, and ends with an ellipsis."""
LONGEST_ANSWER = 32_000
"""Characters of all blocks of one answer, as JSON; blocks beyond are left out."""
_MOST_TALKS = 100


class Talk:
    """What was said last in one file."""

    def __init__(self) -> None:
        self._asked = ""
        self._answered: dict[str, tuple[int, int]] = {}
        self._of: str | None = None

    def ask(self, text: str) -> None:
        self._asked = _cut(text)
        self.end()

    def answer(self, blocks: Iterable[dict[str, Any]], at: int, of: str | None = None) -> None:
        """Blocks that came at an instant; those of another message than before begin anew."""
        if of != self._of:
            self._answered, self._of = {}, of
        for place, block in enumerate(blocks):
            written = msgspec.json.encode(block).decode()
            if sum(map(len, self._answered)) + len(written) <= LONGEST_ANSWER:
                self._answered.setdefault(written, (at, place))

    def end(self) -> None:
        """What is answered from here on belongs to another call."""
        self._answered, self._of = {}, None

    def told(self, call: AgentCall) -> AgentCall:
        """A call with what was said around it."""
        return replace(call, asked=self._asked, answered=dict(self._answered))


class Talks:
    """By file: an answer may be written while its file is read."""

    def __init__(self) -> None:
        self._talks: OrderedDict[Path, Talk] = OrderedDict()

    def of(self, file: Path, offset: int) -> Talk:
        """What is known of a file that is read on from there."""
        talk = self._talks.pop(file, None)
        self._talks[file] = talk = Talk() if talk is None or not offset else talk
        if len(self._talks) > _MOST_TALKS:
            self._talks.popitem(last=False)
        return talk


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": _cut(text)}


def tool_block(name: object, given: object) -> dict[str, Any]:
    """A call of a tool, with what it was given unless that is too long."""
    block = {"type": "tool_use", "name": name if isinstance(name, str) else ""}
    return {**block, "input": given} if len(msgspec.json.encode(given)) <= LONGEST_TEXT else block


def texts_in(content: object, *kinds: str) -> list[str]:
    """The texts among the parts of a message, or the message itself where it is one text."""
    if isinstance(content, str):
        return [content]
    parts = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    return [text for each in parts if each.get("type") in kinds and isinstance(text := each.get("text"), str)]


def question_body(call: AgentCall) -> bytes | None:
    """The prompt side as JSON in the shape that providers have; None where nothing is known of it."""
    return msgspec.json.encode({"messages": [{"role": "user", "content": call.asked}]}) if call.asked else None


def answer_body(call: AgentCall) -> bytes | None:
    """The same of the answer; what several lines say of it together may be more than each of them."""
    if not call.answered:
        return None
    in_order = sorted(call.answered, key=lambda block: (call.answered[block], block))
    lengths = accumulate(map(len, in_order))
    blocks = [
        msgspec.Raw(block.encode()) for block, so_far in zip(in_order, lengths, strict=True) if so_far <= LONGEST_ANSWER
    ]
    return msgspec.json.encode({"role": "assistant", "content": blocks})


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
