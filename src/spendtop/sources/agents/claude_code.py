"""Claude Code's transcripts: a line per block of an answer, each with the whole usage so far.

As seen in `~/.claude/projects/<folder>/<session>.jsonl` of versions 1.0 to 2.1 and told by ccusage's and CodeBurn's
readers; the maker calls the format internal. Lines of one message share `message.id`; forks, resumes and subagents
repeat the lines of others under another session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.requests.request import ServiceLevel
from spendtop.domain.usage.counts import count
from spendtop.sources.agents import claude_code_talk
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.fields import dollars, instant, text
from spendtop.sources.agents.files import found, listed
from spendtop.sources.agents.lines import lines
from spendtop.sources.agents.talk import Talks
from spendtop.sources.repaired_json import decoded

_SYNTHETIC = "<synthetic>"
_NO_GEO = ("", "not_available", "global")
_LEVELS = {"priority": ServiceLevel.PRIORITY, "batch": ServiceLevel.BATCH, "standard": ServiceLevel.STANDARD}


class _Message(Struct, frozen=True):
    id: Any = None
    model: Any = None
    stop_reason: Any = None
    usage: Any = None


class _TranscriptLine(Struct, frozen=True, rename="camel"):
    type: Any = None
    timestamp: Any = None
    uuid: Any = None
    session_id: Any = None
    agent_id: Any = None
    version: Any = None
    cwd: Any = None
    git_branch: Any = None
    is_sidechain: Any = None
    is_api_error_message: Any = None
    request_id: Any = None
    cost_usd: Any = field(name="costUSD", default=None)
    message: _Message | None = None


class ClaudeCodeReader:
    name: ClassVar[str] = "claude-code"

    def __init__(self) -> None:
        self._line = Decoder(_TranscriptLine)
        self.talks: Talks | None = None

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        old = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "claude"
        folders = listed(environment, "CLAUDE_CONFIG_DIR", old, home / ".claude")
        folders = [each.parent if each.name == "projects" else each for each in folders]
        desktop = [home / ".config" / "Claude", home / "Library" / "Application Support" / "Claude"]
        return [*folders, *(each / "local-agent-mode-sessions" for each in desktop)]

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        below = root if root.name == "local-agent-mode-sessions" else root / "projects"
        return (each for each in found(below, tally) if each.suffix == ".jsonl" and "projects" in each.parts)

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        talk = None if self.talks is None else self.talks.of(file, bookmark.offset)
        for raw in lines(file, _may_be_call if talk is None else _may_say, bookmark, tally):
            if talk is not None:
                claude_code_talk.hear(talk, raw)
            try:
                line = decoded(self._line, raw)
            except (DecodeError, RecursionError):
                tally["malformed lines"] += 1
                continue
            for call in _calls_of(line, tally):
                yield call if talk is None or call.response_id is None else talk.told(call)


def _may_say(line: bytes) -> bool:
    return _may_be_call(line) or claude_code_talk.may_be_question(line)


def _may_be_call(line: bytes) -> bool:
    return b'"usage"' in line and b'"assistant"' in line


def _calls_of(line: _TranscriptLine, tally: Tally) -> Iterator[AgentCall]:
    message = line.message
    if line.type != "assistant" or message is None or not isinstance(message.usage, dict):
        return
    if message.model == _SYNTHETIC or line.is_api_error_message is True:
        tally["answers the agent made up itself"] += 1
        return
    call = _call_of(line, message, message.usage)
    if call is None:
        tally["lines without time, id or counts"] += 1
        return
    yield call
    yield from _advice(call, message.usage)


def _call_of(line: _TranscriptLine, message: _Message, usage: dict[str, Any]) -> AgentCall | None:
    occurred_at = instant(line.timestamp)
    message_id, request_id = text(message.id), text(line.request_id)
    key = message_id or request_id or text(line.uuid)
    counts = _counts(usage)
    if occurred_at is None or key is None or (counts.prompt is None and counts.output is None):
        return None
    model, agent = text(message.model), text(line.agent_id)
    is_aside = line.is_sidechain is True
    return AgentCall(
        agent=ClaudeCodeReader.name,
        key=key,
        rank=int(is_aside),
        request_id=request_id,
        response_id=message_id,
        occurred_at=occurred_at,
        begun_at=occurred_at,
        provider="anthropic" if model is not None and model.startswith("claude") and "@" not in model else None,
        model=model,
        counts=counts,
        units=_searches(usage),
        output_final=message.stop_reason is not None,
        reported=dollars(line.cost_usd),
        level=ServiceLevel.FAST if usage.get("speed") == "fast" else _LEVELS.get(str(usage.get("service_tier"))),
        geo=None if (geo := text(usage.get("inference_geo"))) in _NO_GEO else geo,
        session=text(line.session_id),
        path=f"/agent/{agent}" if is_aside and agent else "/",
        properties=_properties(line, agent),
    )


def _counts(usage: dict[str, Any]) -> Counts:
    split = usage.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    short, long = count(split.get("ephemeral_5m_input_tokens")), count(split.get("ephemeral_1h_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    if written is None and (short is not None or long is not None):
        written = (short or 0) + (long or 0)
    details = usage.get("output_tokens_details")
    return Counts(
        fresh=count(usage.get("input_tokens")),
        cache_read=count(usage.get("cache_read_input_tokens")),
        cache_write=written,
        cache_write_1h=long if written is not None and (long or 0) <= written else None,
        output=count(usage.get("output_tokens")),
        reasoning=count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
    )


def _searches(usage: dict[str, Any]) -> dict[str, int | float]:
    tools = usage.get("server_tool_use")
    searches = count(tools.get("web_search_requests")) if isinstance(tools, dict) else None
    return {"web_searches": searches} if searches else {}


def _properties(line: _TranscriptLine, agent: str | None) -> dict[str, str]:
    told = {
        "project": text(line.cwd),
        "branch": text(line.git_branch),
        "agent_version": text(line.version),
        "subagent": agent,
    }
    return {name: value for name, value in told.items() if value is not None}


def _advice(call: AgentCall, usage: dict[str, Any]) -> Iterator[AgentCall]:
    """Parts of an answer that another model gave: they are not in the answer's own counts."""
    iterations = usage.get("iterations")
    parts = [each for each in iterations if isinstance(each, dict)] if isinstance(iterations, list) else []
    advice = (each for each in parts if each.get("type") == "advisor_message")
    for number, part in enumerate(advice):
        counts = _counts(part)
        if counts.is_used:
            yield AgentCall(
                agent=call.agent,
                key=f"{call.key}:advisor:{number}",
                rank=call.rank,
                occurred_at=call.occurred_at,
                begun_at=call.begun_at,
                provider=call.provider,
                model=text(part.get("model")),
                counts=counts,
                output_final=call.output_final,
                session=call.session,
                path=f"{call.path.rstrip('/')}/advisor",
                properties=call.properties,
            )
