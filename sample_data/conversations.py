"""Believable conversations, put together from the sentences of material.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

_SLOT = re.compile(r"\[\[(\w+)(?: (\d+) (\d+))?\]\]")
_LONGEST_PROMPT = 9_000


@dataclass(frozen=True)
class Kind:
    """What one sort of conversation is made of."""

    system: str
    ask: list[str]
    opening: list[str]
    material: list[str] = field(default_factory=list)
    material_count: tuple[int, int] = (0, 0)
    points: list[str] = field(default_factory=list)
    points_count: tuple[int, int] = (0, 0)
    closing: list[str] = field(default_factory=lambda: [""])
    tools: list[str] = field(default_factory=list)
    json_answer: bool = False
    answers_in_order: bool = False
    """The first point answers the first question, and so on."""


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `arguments` and `result` are JSON with slots."""

    name: str
    description: str
    parameters: dict[str, Any]
    arguments: str
    result: str


@dataclass(frozen=True)
class Turn:
    """One message. `tool` is set where an assistant calls a tool (text: arguments) or a tool answers (text: result)."""

    role: str
    text: str
    tool: str | None = None
    call_id: str = ""


Scene = dict[str, str]
"""The words that one paragraph has chosen: what is called `orders` at its start is `orders` at its end."""


@dataclass
class Conversation:
    """A session's messages so far."""

    system: str
    tools: list[Tool]
    json_answer: bool
    prompt_caching: bool
    turns: list[Turn] = field(default_factory=list)
    asked: int = 0
    """Which of its kind's questions was asked last."""
    scenes: list[Scene] = field(default_factory=list)
    """Of the last question's paragraphs."""

    @property
    def tokens(self) -> int:
        """About how many tokens a provider counts for all of it."""
        letters = len(self.system) + sum(len(turn.text) for turn in self.turns)
        return 5 + letters // 4 + 4 * len(self.turns) + 90 * len(self.tools)


class Material:
    """The stock of words, sentences and tools."""

    def __init__(self, path: Path) -> None:
        content = tomllib.loads(path.read_text("utf-8"))
        self._words: dict[str, list[str]] = content["words"]
        self.kinds = {name: Kind(**kind) for name, kind in content["kind"].items()}
        self._tools = {name: Tool(name=name, **tool) for name, tool in content["tools"].items()}

    def begin(self, rng: Random, kind: str, prompt_caching: bool) -> Conversation:
        """A conversation with nothing said yet."""
        stock = self.kinds[kind]
        tools = [self._tools[name] for name in stock.tools]
        return Conversation(self._filled(rng, stock.system, {}), tools, stock.json_answer, prompt_caching)

    def ask(self, rng: Random, conversation: Conversation, kind: str) -> None:
        """Adds what the application sends next: a tool's result if one was called, else a new question."""
        last = conversation.turns[-1] if conversation.turns else None
        if last is not None and last.role == "assistant" and last.tool is not None:
            result = self._filled(rng, self._tools[last.tool].result, conversation.scenes[0])
            conversation.turns.append(Turn("tool", result, last.tool, last.call_id))
            return
        stock = self.kinds[kind]
        conversation.asked = rng.randrange(len(stock.ask))
        paragraphs = [stock.ask[conversation.asked], *self._some(rng, stock.material, stock.material_count)]
        conversation.scenes = [{} for _ in paragraphs]
        pairs = zip(paragraphs, conversation.scenes, strict=True)
        text = "\n\n".join(self._filled(rng, paragraph, scene) for paragraph, scene in pairs)
        conversation.turns.append(Turn("user", text))
        _forget_oldest(conversation.turns)

    def answer(self, rng: Random, conversation: Conversation, kind: str, new_id: Callable[[], str]) -> None:
        """Adds the model's answer: a tool call on a fresh question where it has tools, else text."""
        stock, last, scenes = self.kinds[kind], conversation.turns[-1], conversation.scenes
        if stock.tools and last.role == "user" and rng.random() < 0.7:
            tool = self._tools[rng.choice(stock.tools)]
            arguments = self._filled(rng, tool.arguments, scenes[0])
            conversation.turns.append(Turn("assistant", arguments, tool.name, new_id()))
            return
        points = self._some(rng, stock.points, stock.points_count)
        if stock.answers_in_order:
            points = [stock.points[conversation.asked]]
        joiner = "\n" if stock.json_answer or (points and points[0].startswith("- ")) else "\n\n"
        parts = [rng.choice(stock.opening), *points, rng.choice(stock.closing)]
        text = joiner.join(self._filled(rng, part, rng.choice(scenes[1:] or scenes)) for part in parts if part)
        conversation.turns.append(Turn("assistant", text))

    def _filled(self, rng: Random, text: str, scene: Scene) -> str:
        def word(slot: re.Match[str]) -> str:
            name, low, high = slot.groups()
            found = str(rng.randint(int(low), int(high))) if low else rng.choice(self._words[name])
            return found if name == "number" else scene.setdefault(name, found)

        return _SLOT.sub(word, text)

    @staticmethod
    def _some(rng: Random, stock: list[str], count: tuple[int, int]) -> list[str]:
        wanted = rng.randint(*count)
        return rng.sample(stock, min(wanted, len(stock))) + rng.choices(stock, k=max(0, wanted - len(stock)))


def _forget_oldest(turns: list[Turn]) -> None:
    """Applications cut old turns off; never between a tool call and its result."""
    while sum(len(turn.text) for turn in turns) > _LONGEST_PROMPT and len(turns) > 1:
        del turns[0]
        while turns[0].role != "user":
            del turns[0]
