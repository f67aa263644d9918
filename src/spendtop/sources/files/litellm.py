"""LiteLLM's spend logs: as `/spend/logs/v2` answers, or as its table `LiteLLM_SpendLogs` is copied to CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import SECOND
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.sources.records import LITELLM, LITELLM_LOGS, Source
from spendtop.domain.usage import UsageReading, counted, read_response
from spendtop.sources.files.rows import FileRow, present, properties_of
from spendtop.sources.receivers.litellm import NO_CALL
from spendtop.sources.receivers.litellm_payload import CLIENT_LEFT, GENERATED, NOBODY, USER_AGENT
from spendtop.sources.skipped import NoCall


def spend_log(row: FileRow, now: int) -> Request | NoCall:
    """The request of a row. Raises WrongField."""
    call_type = row.name("call_type")
    if call_type is not None and NO_CALL.fullmatch(call_type):
        return NoCall(call_type)
    start = present(row.instant(now, "startTime"), "startTime", "a date and time, and not in the future")
    metadata, failed, cached = row.mapping("metadata"), row.name("status") == "failure", row.is_true("cache_hit")
    request_id = present(row.name("request_id", "litellm_call_id"), "request_id", "the id of a row")
    call_id = row.name("litellm_call_id") or request_id
    model = _model(row)
    reading = _reading(row, metadata, model)
    http_status = _http_status(metadata)
    request_body, response_body = row.body("messages", "proxy_server_request"), row.body("response")
    return Request(
        source=LITELLM_LOGS,
        external_id=call_id,
        other_ids=_pushed_as(call_id, failed),
        received_at=now,
        occurred_at=start,
        time_source=TimeSource.CLIENT,
        response_id=None if failed or cached or request_id == call_id else provider_response_id(request_id),
        provider=biller_named(row.name("custom_llm_provider")),
        model=model,
        status=Status.CANCELLED if http_status == CLIENT_LEFT else Status.ERROR if failed else Status.OK,
        http_status=http_status,
        usage=_usage(row, reading, failed),
        cost=_cost(row),
        service_level=reading.service_level,
        inference_geo=reading.inference_geo,
        provider_usage=reading.provider_usage,
        user_id=_user(row),
        session_id=_session(row),
        properties=_properties(row, metadata) or None,
        latency_ms=_latency(row, start, now),
        ttft_ms=_first_token(row, start, now),
        cached=cached,
        request_body=request_body,
        response_body=response_body,
        body_state=BodyState.NOT_SENT if request_body is response_body is None else BodyState.STORED,
    )


def _pushed_as(call_id: str, failed: bool) -> tuple[tuple[Source, str], ...]:
    """How the proxy's callback calls a failed try; another one has the same id both times."""
    return ((LITELLM, f"{call_id}:failed"),) if failed else ()


def _model(row: FileRow) -> str | None:
    provider = row.name("custom_llm_provider")
    return (row.name("model") or "").removeprefix(f"{provider}/") or None


def _reading(row: FileRow, metadata: Mapping[str, object], model: str | None) -> UsageReading:
    """What the usage objects say that LiteLLM keeps besides its two counts."""
    usage: dict[str, object] = {"prompt_tokens": row.tokens("prompt_tokens")}
    usage["completion_tokens"] = row.tokens("completion_tokens")
    for name in ("additional_usage_values", "usage_object"):
        more = metadata.get(name)
        if isinstance(more, dict):
            usage |= {key: value for key, value in more.items() if value is not None}
    return read_response({"usage": usage}, model=model)


def _usage(row: FileRow, reading: UsageReading, failed: bool) -> Usage:
    if reading.usage.is_known:
        return reading.usage
    own = Usage(prompt=row.tokens("prompt_tokens"), completion=row.tokens("completion_tokens"))
    return counted(own, Status.ERROR if failed else Status.OK)


def _cost(row: FileRow) -> Cost:
    spend = row.dollars("spend")
    return Cost() if spend is None else Cost(reported=spend, reported_by=Reporter.GATEWAY)


def _user(row: FileRow) -> str | None:
    user = row.name("user")
    return row.name("end_user") or (user if user != NOBODY else None)


def _session(row: FileRow) -> str | None:
    """Its proxy makes one up for each call that has none."""
    session = row.name("session_id")
    return None if session is None or GENERATED.fullmatch(session) else session


def _properties(row: FileRow, metadata: Mapping[str, object]) -> dict[str, str]:
    own = metadata.get("spend_logs_metadata")
    tags = [tag for tag in row.texts("request_tags") if not tag.startswith(USER_AGENT)]
    of_proxy = {
        "litellm.key_alias": metadata.get("user_api_key_alias"),
        "litellm.team_id": row.name("team_id") or metadata.get("user_api_key_team_id"),
        "tag": ", ".join(tags),
    }
    return properties_of(own if isinstance(own, dict) else {}, of_proxy)


def _http_status(metadata: Mapping[str, object]) -> int | None:
    information = metadata.get("error_information")
    code = str(information.get("error_code") or "") if isinstance(information, dict) else ""
    return int(code) if re.fullmatch("[1-5][0-9]{2}", code) else None


def _latency(row: FileRow, start: int, now: int) -> int | None:
    said = row.number("request_duration_ms")
    end = row.instant(now, "endTime")
    if said is not None:
        return round(said)
    return round((end - start) * 1000 / SECOND) if end is not None and end >= start else None


def _first_token(row: FileRow, start: int, now: int) -> int | None:
    """Of an answer that came whole its end stands there."""
    first, end = row.instant(now, "completionStartTime"), row.instant(now, "endTime")
    if first is None or first < start or first == end:
        return None
    return round((first - start) * 1000 / SECOND)
