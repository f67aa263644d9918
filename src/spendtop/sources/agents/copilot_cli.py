"""Copilot CLI's OpenTelemetry file exporter: `~/.copilot/otel/*.jsonl`, spans, logs and metrics mixed.

As GitHub's page on monitoring Copilot with OpenTelemetry describes it and ccusage reads it: one `chat` span per call;
spans and logs of agents and turns repeat their sum.
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

_USAGE = "gen_ai.usage."
_READ = ("cache_read.input_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_creation.input_tokens", "cache_write.input_tokens", "cache_creation_input_tokens")


class _SpanLine(Struct, frozen=True, rename="camel"):
    type: Any = None
    trace_id: Any = None
    span_id: Any = None
    end_time: Any = None
    attributes: Any = None


class CopilotCliReader:
    name: ClassVar[str] = "copilot-cli"

    def __init__(self) -> None:
        self._line = Decoder(_SpanLine)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        exported = environment.get("COPILOT_OTEL_FILE_EXPORTER_PATH")
        return [*([Path(exported).expanduser()] if exported else ()), home / ".copilot" / "otel"]

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        if root.is_file():
            return iter([root])
        return (each for each in found(root, tally) if each.suffix == ".jsonl")

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        for raw in lines(file, lambda line: b'"gen_ai.usage.' in line, bookmark, tally):
            try:
                span = decoded(self._line, raw)
            except (DecodeError, RecursionError):
                tally["malformed lines"] += 1
                continue
            attributes = span.attributes if isinstance(span.attributes, dict) else {}
            if span.type not in ("span", None) or attributes.get("gen_ai.operation.name") != "chat":
                tally["sums of calls"] += 1
            elif (call := _call_of(span, attributes)) is not None:
                yield call


def _call_of(span: _SpanLine, attributes: dict[str, Any]) -> AgentCall | None:
    trace, name, ended_at = text(span.trace_id), text(span.span_id), _ended_at(span.end_time)
    counts = _counts(attributes)
    if trace is None or name is None or ended_at is None or not counts.is_used:
        return None
    return AgentCall(
        agent=CopilotCliReader.name,
        key=f"{trace}:{name}",
        response_id=text(attributes.get("gen_ai.response.id")),
        occurred_at=ended_at,
        begun_at=ended_at,
        provider=text(attributes.get("gen_ai.provider.name")),
        model=text(attributes.get("gen_ai.response.model")) or text(attributes.get("gen_ai.request.model")),
        counts=counts,
        session=text(attributes.get("gen_ai.conversation.id")),
    )


def _ended_at(moment: Any) -> int | None:
    """Of `[seconds, nanoseconds]`."""
    if not isinstance(moment, list) or len(moment) != 2 or not all(type(part) is int for part in moment):
        return None
    seconds, nanoseconds = moment
    milliseconds = instant(seconds * 1000)
    return None if milliseconds is None else milliseconds + nanoseconds // 1000


def _counts(attributes: dict[str, Any]) -> Counts:
    prompt, output = count(attributes.get(f"{_USAGE}input_tokens")), count(attributes.get(f"{_USAGE}output_tokens"))
    read, written = _first(attributes, _READ), _first(attributes, _WRITTEN)
    if prompt is None:
        return Counts(output=output)
    read = None if read is None else min(read, prompt)
    written = None if written is None else min(written, prompt - (read or 0))
    return Counts(fresh=prompt - (read or 0) - (written or 0), cache_read=read, cache_write=written, output=output)


def _first(attributes: dict[str, Any], names: tuple[str, ...]) -> int | None:
    values = (count(attributes.get(_USAGE + name)) for name in names)
    return next((value for value in values if value is not None), None)
