"""Calls among the events that coding agents log: Claude Code, Codex and Gemini CLI, each once.

As Claude Code's page on monitoring usage describes them, and as openai/codex (`otel`) and gemini-cli (`telemetry`)
write them. Numbers may come as texts. Prompts, arguments and outputs in other events are passed over unread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from spendtop.domain.requests.request import Billing, Cost, Reporter, Request, ServiceLevel, Status, TimeSource, Usage
from spendtop.domain.requests.timing import when
from spendtop.domain.sources.records import OTLP
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.fields import dollars, text
from spendtop.sources.receivers.otlp.logs import LogRecord
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan
from spendtop.sources.settings import AgentsSettings

CLAUDE_SPAN = "claude_code.llm_request"
_OF_A_PLAN = "chatgpt"
"""How Codex is signed in where a plan pays."""
_TWIN = "gen_ai.client.inference.operation.details"


def requests_of(records: Iterable[LogRecord], settings: AgentsSettings, received_at: int) -> list[Request]:
    """The calls that events tell of, in their order."""
    found: list[Request] = []
    for record in records:
        if record.name == _TWIN:
            _name_twin(found, record)
        else:
            found += _calls_of(record, settings, received_at)
    return found


def requests_of_spans(spans: Iterable[TraceSpan], settings: AgentsSettings, received_at: int) -> list[Request]:
    """The calls that Claude Code's spans tell of, which no other reader takes for one: they hold what its events do."""
    records = [
        LogRecord("api_request", span.end // 1000 or None, span.attributes)
        for span in spans
        if span.name == CLAUDE_SPAN and span.attributes.get("success") is not False
    ]
    return requests_of(records, settings, received_at)


def _calls_of(record: LogRecord, settings: AgentsSettings, received_at: int) -> Iterator[Request]:
    attributes = record.attributes
    match record.name.removeprefix("claude_code."):
        case "api_request":
            yield _of_claude(record, settings, received_at)
        case "api_error":
            failed = _of_claude(record, settings, received_at)
            yield replace(failed, status=Status.ERROR, http_status=_number(attributes, "status_code"), usage=Usage())
        case "codex.sse_event" if attributes.get("event.kind") == "response.completed":
            if _number(attributes, "input_token_count") is not None:
                yield _of_codex(record, settings, received_at)
        case "gemini_cli.api_response":
            yield _of_gemini(record, settings, received_at)
        case "gemini_cli.api_error":
            failed = _of_gemini(record, settings, received_at)
            yield replace(failed, status=Status.ERROR, http_status=_number(attributes, "status_code"), usage=Usage())


def _of_claude(record: LogRecord, settings: AgentsSettings, received_at: int) -> Request:
    attributes = record.attributes
    fresh, output = _number(attributes, "input_tokens"), _number(attributes, "output_tokens")
    read, written = _number(attributes, "cache_read_tokens"), _number(attributes, "cache_creation_tokens")
    model, session = text(attributes.get("model")), text(attributes.get("session.id"))
    unnamed = f"{session}:{attributes.get('event.timestamp')}:{attributes.get('event.sequence')}"
    named = text(attributes.get("request_id")) or text(attributes.get("client_request_id"))
    call = _call("claude-code", named or unnamed, record, settings, received_at)
    return replace(
        call,
        provider="anthropic" if model is not None and model.startswith("claude") and "@" not in model else None,
        usage=Usage(
            prompt=None if fresh is None else fresh + (read or 0) + (written or 0),
            completion=output,
            cache_read=read,
            cache_write=written,
        ),
        cost=_reported(attributes.get("cost_usd")),
        service_level=ServiceLevel.FAST if attributes.get("speed") == "fast" else None,
    )


def _of_codex(record: LogRecord, settings: AgentsSettings, received_at: int) -> Request:
    attributes = record.attributes
    prompt, output = _number(attributes, "input_token_count"), _number(attributes, "output_token_count")
    read, reasoning = _number(attributes, "cached_token_count"), _number(attributes, "reasoning_token_count")
    usage = Usage(prompt=prompt, completion=output, cache_read=read, reasoning=reasoning)
    return _by_value("codex", "openai", text(attributes.get("conversation.id")), usage, record, settings, received_at)


def _of_gemini(record: LogRecord, settings: AgentsSettings, received_at: int) -> Request:
    attributes = record.attributes
    names = ("input_token_count", "output_token_count", "cached_content_token_count", "thoughts_token_count")
    given, output, read, thoughts = (_number(attributes, name) for name in names)
    usage = Usage(
        prompt=None if given is None else given + (_number(attributes, "tool_token_count") or 0),
        completion=None if output is None else output + (thoughts or 0),
        cache_read=read,
        reasoning=thoughts,
    )
    return _by_value("gemini-cli", "google", text(attributes.get("session.id")), usage, record, settings, received_at)


def _by_value(
    agent: str,
    provider: str,
    session: str | None,
    usage: Usage,
    record: LogRecord,
    settings: AgentsSettings,
    received_at: int,
) -> Request:
    """A call without an id: known by its session, its counts and its time; its file says the same but for the time."""
    counts = (usage.prompt, usage.cache_read or 0, usage.completion, usage.reasoning or 0)
    moment = record.attributes.get("event.timestamp") or record.at
    name = f"{agent}:{session}:{'-'.join(map(str, counts))}:{moment}"
    return replace(
        _call(agent, name, record, settings, received_at), provider=provider, session_id=session, usage=usage
    )


def _call(agent: str, name: str, record: LogRecord, settings: AgentsSettings, received_at: int) -> Request:
    """What events of all agents have in common."""
    attributes = record.attributes
    happened = when(record.at, TimeSource.CLIENT, received_at)
    billing = Billing(settings.of(agent).billing)
    if billing is Billing.UNKNOWN and str(attributes.get("auth_mode")).lower() == _OF_A_PLAN:
        billing = Billing.SUBSCRIPTION
    told = {
        "agent": agent,
        "agent_version": text(attributes.get("app.version")),
        **{each: text(attributes.get(each)) for each in ("query_source", "auth_mode", "auth_type")},
    }
    return Request(
        source=OTLP,
        external_id=name,
        received_at=received_at,
        occurred_at=happened.occurred_at,
        time_source=happened.time_source,
        time_suspect=happened.suspect,
        model=text(attributes.get("model")) or text(attributes.get("model_name")),
        user_id=text(attributes.get("user.email")) or text(attributes.get("user.id")),
        session_id=text(attributes.get("session.id")) or text(attributes.get("conversation.id")),
        properties={each: value for each, value in told.items() if value is not None},
        latency_ms=_number(attributes, "duration_ms"),
        billing=billing,
        counted=billing is Billing.API,
    )


def _name_twin(found: list[Request], record: LogRecord) -> None:
    """Gemini CLI logs each answer again, with its id: the call of the same session and moment has that."""
    session, response_id = text(record.attributes.get("session.id")), text(record.attributes.get("gen_ai.response.id"))
    for place, call in enumerate(found):
        if call.session_id == session and call.occurred_at == record.at and call.response_id is None:
            found[place] = replace(call, response_id=response_id)
            return


def _number(attributes: Attributes, name: str) -> int | None:
    value: Any = attributes.get(name)
    return count(int(value)) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else count(value)


def _reported(value: object) -> Cost:
    amount = dollars(float(value) if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else value)
    return Cost(reported=amount, reported_by=None if amount is None else Reporter.CLIENT)
