"""Gemini CLI's chats: `~/.gemini/tmp/<project>/chats/session-*.jsonl`, and one JSON document each in older versions.

As gemini-cli's `chatRecordingService` writes them; the field for totals is read as ccusage learned to. A message is
written again, whole, when its counts or tools arrive; rewinding a conversation takes no bill back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.fields import instant, text
from spendtop.sources.agents.files import document, found, listed
from spendtop.sources.agents.lines import lines
from spendtop.sources.repaired_json import decoded

_LONGEST_PATH = 4096


class _ChatMessage(Struct, frozen=True):
    id: Any = None
    timestamp: Any = None
    type: Any = None
    model: Any = None
    tokens: Any = None


class _SetPart(Struct, frozen=True):
    messages: list[_ChatMessage] | None = None


class _ChatLine(Struct, frozen=True, rename={"session_id": "sessionId", "changed": "$set"}):
    """A message, the chat's head, or a change of what stands before."""

    session_id: Any = None
    kind: Any = None
    directories: Any = None
    id: Any = None
    timestamp: Any = None
    type: Any = None
    model: Any = None
    tokens: Any = None
    changed: _SetPart | None = None


class _Chat(Struct, frozen=True):
    session_id: Any = field(name="sessionId", default=None)
    kind: Any = None
    directories: Any = None
    messages: list[_ChatMessage] = []


class GeminiCliReader:
    name: ClassVar[str] = "gemini-cli"

    def __init__(self) -> None:
        self._line, self._document = Decoder(_ChatLine), Decoder(_Chat)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return listed(environment, "GEMINI_DATA_DIR", home / ".gemini")

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        chats = (each for each in found(root / "tmp", tally) if "chats" in each.parts)
        return (each for each in chats if each.suffix in (".jsonl", ".json"))

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        place = _place_of(file)
        if file.suffix == ".json":
            chat = document(file, self._document, bookmark, tally)
            if chat is not None:
                head = _head(chat.session_id, chat.kind, chat.directories, place)
                yield from _calls_of(chat.messages, head)
            return
        for raw in lines(file, _may_matter, bookmark, tally):
            try:
                line = decoded(self._line, raw)
            except (DecodeError, RecursionError):
                tally["malformed lines"] += 1
                continue
            if text(line.session_id) is not None:
                bookmark.state = _head(line.session_id, line.kind, line.directories, place)
            message = _ChatMessage(line.id, line.timestamp, line.type, line.model, line.tokens)
            again = line.changed.messages if line.changed is not None else None
            yield from _calls_of([message, *(again or ())], bookmark.state or {})


def _may_matter(line: bytes) -> bool:
    return b'"tokens"' in line or b'"sessionId"' in line[:200]


def _place_of(file: Path) -> dict[str, str]:
    """What the folders tell: the project, and of which session this one is a subagent's."""
    chats = next(each for each in file.parents if each.name == "chats")
    place = {}
    try:
        with (chats.parent / ".project_root").open(encoding="utf-8", errors="replace") as written:
            place["project"] = written.read(_LONGEST_PATH).strip()
    except OSError:
        pass
    if file.parent != chats:
        place["parent"] = file.parent.name
    return place


def _head(session: Any, kind: Any, directories: Any, place: dict[str, str]) -> dict[str, str]:
    head = dict(place)
    folders = directories if isinstance(directories, list) else []
    if "project" not in head and folders and (first := text(folders[0])):
        head["project"] = first
    if kind == "subagent":
        head.setdefault("parent", "")
    if (name := text(session)) is not None:
        head["session"] = name
    return head


def _calls_of(messages: list[_ChatMessage], head: dict[str, str]) -> Iterator[AgentCall]:
    session = head.get("session")
    for message in messages:
        occurred_at, name = instant(message.timestamp), text(message.id)
        if message.type != "gemini" or not isinstance(message.tokens, dict) or None in (session, name, occurred_at):
            continue
        counts = _counts(message.tokens)
        if not counts.is_used or occurred_at is None:
            continue
        yield AgentCall(
            agent=GeminiCliReader.name,
            key=f"{session}:{name}",
            occurred_at=occurred_at,
            begun_at=occurred_at,
            provider="google",
            model=text(message.model),
            counts=counts,
            session=session,
            path="/subagent" if "parent" in head else "/",
            properties={each: head[each] for each in ("project", "parent") if head.get(each)},
        )


def _counts(tokens: dict[str, Any]) -> Counts:
    names = ("input", "output", "cached", "thoughts", "tool", "total")
    given, output, cached, thoughts, tool, total = (count(tokens.get(name)) for name in names)
    prompt = (given or 0) + (tool or 0)
    beside = prompt + (cached or 0)
    if cached and total == beside + (output or 0) + (thoughts or 0):
        prompt = beside
    cached = None if cached is None else min(cached, prompt)
    return Counts(
        fresh=prompt - (cached or 0),
        cache_read=cached,
        output=(output or 0) + (thoughts or 0),
        reasoning=thoughts,
    )
