"""What coding agents export, as in `tests/fixtures/coding_agents.json`, alone and together with their files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spendtop.config.settings import Settings, settings_class
from spendtop.domain.clock import HOUR, to_iso
from spendtop.domain.requests.request import Billing, Request, Status
from spendtop.sources.receivers import Post, Unreadable
from spendtop.sources.receivers.otlp.receiver import JSON, PROTOBUF, OtlpReceiver
from spendtop.sources.settings import SECTIONS
from tests.sources.agents.homes import cases

SETTINGS: Settings = settings_class(SECTIONS)()
NOW = 1_793_697_000_000_000 + HOUR


def posted(body: bytes, path: str, content_type: str = JSON) -> list[Request]:
    post = Post(body, NOW, SETTINGS, {b"content-type": [content_type.encode()]}, path)
    items = OtlpReceiver().read(post).items
    assert all(isinstance(item, Request) for item in items)
    return [item for item in items if isinstance(item, Request)]


def all_posted(name: str) -> list[Request]:
    case = cases()[name]
    bodies = [(case["files"][file], path) for file, path in case["expected"]["post"].items()]
    return [request for body, path in bodies for request in posted(body.encode(), path)]


def told(requests: Iterable[Request]) -> list[tuple[Any, ...]]:
    """Once for each id, as the recording takes them."""
    by_id: dict[str, Request] = {}
    for request in requests:
        known = by_id.get(request.external_id)
        if known is None or request.occurred_at < known.occurred_at:
            by_id[request.external_id] = request
    return sorted(
        (
            to_iso(each.occurred_at).replace("000Z", "Z"),
            each.model,
            each.provider,
            each.usage.prompt or 0,
            each.usage.completion or 0,
            each.usage.cache_read or 0,
            each.usage.cache_write or 0,
            each.usage.reasoning or None,
            None if each.cost.reported is None else float(each.cost.reported.dollars),
            each.session_id,
        )
        for each in by_id.values()
        if each.status is Status.OK
    )


def expected(name: str) -> list[tuple[Any, ...]]:
    return sorted(
        (
            each["time"],
            each["model"],
            each["provider"],
            each["prompt"],
            each["completion"],
            each["cache_read"],
            each["cache_write_5m"],
            each["reasoning"] or None,
            each["reported_cost_usd"],
            each["session"],
        )
        for each in cases()[name]["expected"]["records"]
    )


@pytest.mark.parametrize("name", ["otlp/claude", "otlp/claude_without_ids", "otlp/codex", "otlp/gemini"])
def test_exported_events_are_these_calls(name: str) -> None:
    requests = all_posted(name)
    assert told(requests) == expected(name)
    assert {each.billing for each in requests} <= {Billing.UNKNOWN, Billing.SUBSCRIPTION}
    assert not any(each.counted for each in requests)


def test_a_failed_call_is_one_without_usage() -> None:
    (failed,) = (each for each in all_posted("otlp/claude") if each.status is Status.ERROR)
    (error,) = cases()["otlp/claude"]["expected"]["errors"]
    assert (failed.http_status, failed.model, failed.usage.total) == (error["status_code"], error["model"], None)


def test_gemini_names_the_answer_in_a_second_event() -> None:
    ids = {each.response_id for each in all_posted("otlp/gemini")}
    assert ids == {alias for each in cases()["otlp/gemini"]["expected"]["records"] for alias in each["aliases"]}


@pytest.mark.parametrize("name", ["otlp/claude_without_ids", "otlp/codex", "otlp/gemini"])
def test_protobuf_says_the_same(name: str) -> None:
    body = json.loads(cases()[name]["files"]["logs.json"])
    packed = ParseDict(body, ExportLogsServiceRequest(), ignore_unknown_fields=True).SerializeToString()
    assert told(posted(packed, "/v1/logs", PROTOBUF)) == expected(name)


def test_metrics_are_answered_and_make_no_calls() -> None:
    body = cases()["otlp/claude"]["files"]["metrics.json"].encode()
    assert posted(body, "/v1/metrics") == posted(b"whatever it is", "/v1/metrics", PROTOBUF) == []
    with pytest.raises(Unreadable):
        posted(b"[]", "/v1/metrics")
    for hostile in (b"[]", b'{"resourceLogs": 5}', b'{"resourceLogs": [{"scopeLogs": [5]}]}'):
        with pytest.raises(Unreadable):
            posted(hostile, "/v1/logs")
    strange = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": 5, "body": 7}]}]}]}'
    assert posted(strange, "/v1/logs") == []
