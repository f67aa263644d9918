"""What providers push, as it was recorded or written down, and how it may be split over posts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request, WaitedFor, Waiting
from spendtop.sources.receivers import Item
from spendtop.sources.receivers.otlp.receiver import JSON, PROTOBUF, OtlpReceiver

FOLDER = Path(__file__).parent / "fixtures" / "pushes"
ARRIVAL = 1_795_860_200_000_000
"""Unix µs, some minutes after all of them."""

_NOT_A_SOURCES = ("source", "cost_basis", "bodies")

Split = list[dict[str, Any]]
"""Posts that hold one span each."""


def push(name: str) -> dict[str, Any]:
    """The post in JSON: `messages`, and others like it."""
    content: dict[str, Any] = json.loads((FOLDER / f"push_{name}.json").read_bytes())
    return content


def expected(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"push_{name}.expected.json").read_bytes())
    return content


def in_protobuf(name: str) -> bytes:
    return (FOLDER / f"push_{name}.pb").read_bytes()


def split(content: dict[str, Any]) -> Split:
    """The same spans, each in a post of its own."""
    return [
        {"resourceSpans": [{**of_resource, "scopeSpans": [{**of_scope, "spans": [span]}]}]}
        for of_resource in content["resourceSpans"]
        for of_scope in of_resource["scopeSpans"]
        for span in of_scope["spans"]
    ]


def together(posts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Several posts as one."""
    return {"resourceSpans": [each for post in posts for each in post["resourceSpans"]]}


def items(receiver: OtlpReceiver, content: dict[str, Any], at: int = ARRIVAL) -> tuple[Item, ...]:
    return receiver.parse(json.dumps(content).encode(), JSON, at).items


def requests(receiver: OtlpReceiver, content: dict[str, Any], at: int = ARRIVAL) -> list[Request]:
    """The requests of a post, in which there is nothing else but what waits."""
    found = [each for each in items(receiver, content, at) if not isinstance(each, Waiting | WaitedFor)]
    of_calls = [each for each in found if isinstance(each, Request)]
    assert len(of_calls) == len(found), found
    return of_calls


def of_protobuf(name: str, at: int = ARRIVAL) -> tuple[Item, ...]:
    return OtlpReceiver().parse(in_protobuf(name), PROTOBUF, at).items


def said(request: Request) -> dict[str, Any]:
    """A request in the words of what is expected."""
    counts = request.usage
    units = counts.units or {}
    usage = {
        "input_tokens": counts.prompt,
        "cache_read_tokens": counts.cache_read,
        "cache_write_tokens": counts.cache_write,
        "cache_write_5m_tokens": units.get("cache_write_5m_tokens", 0),
        "cache_write_1h_tokens": units.get("cache_write_1h_tokens", 0),
        "output_tokens": counts.completion,
        "output_reasoning_tokens": counts.reasoning,
    }
    return {
        "external_id": request.external_id,
        "response_id": request.response_id,
        "provider": request.provider,
        "model": request.model,
        "status": request.status.value,
        "http_status": request.http_status,
        "usage": usage if counts.is_known else None,
        "cost_reported": request.cost.reported,
        "user": request.user_id,
        "session": request.session_id,
        "properties": request.properties,
        "occurred_at_ns": request.occurred_at * 1000,
        "latency_ms": request.latency_ms,
        "ttft_ms": request.ttft_ms,
    }


def as_expected(name: str) -> list[dict[str, Any]]:
    """What is to be recorded, in the words of `said`; how a cost is decided is not a source's."""
    told = expected(name)
    everywhere = {"properties": told["properties_each"]} if "properties_each" in told else {}
    wanted = [{**record, **everywhere} for record in told["recorded"]]
    return [
        {name: _as_said(name, value) for name, value in each.items() if name not in _NOT_A_SOURCES} for each in wanted
    ]


def _as_said(name: str, value: Any) -> Any:
    return Usd.of(value) if name == "cost_reported" and value is not None else value


def fits(request: Request, record: dict[str, Any]) -> bool:
    """Whether a request says all that a record expects; it may have further properties."""
    words = said(request)
    wanted = dict(record)
    properties = wanted.pop("properties", {})
    return all(words[each] == value for each, value in wanted.items()) and (words["properties"] or {}).items() >= (
        properties.items()
    )
