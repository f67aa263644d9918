"""Qwen Code's chats: `~/.qwen/projects/<project>/chats/*.jsonl`, in Gemini's shape of usage.

As CodeBurn reads them; some versions repeat the lines of a session that is resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.fields import instant, text
from spendtop.sources.agents.files import found
from spendtop.sources.agents.lines import lines
from spendtop.sources.repaired_json import decoded


class _QwenLine(Struct, frozen=True, rename="camel"):
    uuid: Any = None
    session_id: Any = None
    timestamp: Any = None
    type: Any = None
    cwd: Any = None
    git_branch: Any = None
    version: Any = None
    model: Any = None
    usage_metadata: Any = None


class QwenCodeReader:
    name: ClassVar[str] = "qwen-code"

    def __init__(self) -> None:
        self._line = Decoder(_QwenLine)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return [home / ".qwen"]

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        return (each for each in found(root / "projects", tally) if each.suffix == ".jsonl" and "chats" in each.parts)

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        for raw in lines(file, lambda line: b'"usageMetadata"' in line, bookmark, tally):
            try:
                call = _call_of(decoded(self._line, raw))
            except (DecodeError, RecursionError):
                tally["malformed lines"] += 1
                continue
            if call is not None:
                yield call


def _call_of(line: _QwenLine) -> AgentCall | None:
    occurred_at, session, name = instant(line.timestamp), text(line.session_id), text(line.uuid)
    if line.type != "assistant" or not isinstance(line.usage_metadata, dict) or not (occurred_at and session and name):
        return None
    counts = _counts(line.usage_metadata)
    told = {"project": text(line.cwd), "branch": text(line.git_branch), "agent_version": text(line.version)}
    if not counts.is_used:
        return None
    return AgentCall(
        agent=QwenCodeReader.name,
        key=f"{session}:{name}",
        occurred_at=occurred_at,
        begun_at=occurred_at,
        model=text(line.model),
        counts=counts,
        session=session,
        properties={name: value for name, value in told.items() if value is not None},
    )


def _counts(usage: dict[str, Any]) -> Counts:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")
    prompt, candidates, thoughts, cached = (count(usage.get(name)) for name in names)
    cached = None if cached is None or prompt is None else min(cached, prompt)
    return Counts(
        fresh=None if prompt is None else prompt - (cached or 0),
        cache_read=cached,
        output=None if candidates is None and thoughts is None else (candidates or 0) + (thoughts or 0),
        reasoning=thoughts,
    )
