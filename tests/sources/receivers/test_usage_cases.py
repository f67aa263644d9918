"""Bills that people had, pushed as they were: what the receivers read of them, priced from the published list."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Request
from spendtop.services.recording.preparation import Prepared, Preparer
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.sources.receivers.ingest import IngestReceiver, TimeRule
from spendtop.sources.receivers.litellm import LitellmReceiver
from spendtop.sources.receivers.otlp.receiver import OtlpReceiver

NOW = 1_796_000_000
CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "usage_cases.json").read_text())


@cache
def prices() -> PublishedPrices:
    return PublishedPrices()


def pushed(route: str, body: Any) -> list[Request]:
    raw = json.dumps(body).replace('"<now>"', str(NOW)).encode()
    at = NOW * SECOND
    if route == "/webhook":
        event = HeliconeReceiver().parse(raw, at)
        assert isinstance(event, Request)
        return [event]
    if route == "/v1/traces":
        items = OtlpReceiver().parse(export(body), "application/json", at).items
    elif route == "/ingest":
        items = IngestReceiver().parse(raw, at, TimeRule(35 * DAY)).items
    else:
        items = LitellmReceiver().parse(raw, at).items
    requests = [item for item in items if isinstance(item, Request)]
    assert len(requests) == len(items), items
    return requests


def export(spans: list[dict[str, Any]]) -> bytes:
    """An export of spans in short form."""
    long = [
        {
            "traceId": span.get("trace", f"{number:032x}"),
            "spanId": span.get("span", f"{number:x}").rjust(16, "1"),
            "parentSpanId": span["parent"].rjust(16, "1") if "parent" in span else "",
            "name": span.get("name", "x"),
            "startTimeUnixNano": str((NOW - 2) * 10**9),
            "endTimeUnixNano": str(NOW * 10**9),
            "attributes": [{"key": key, "value": spelled(value)} for key, value in span["a"].items()],
        }
        for number, span in enumerate(spans, 1)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": long}]}]}).encode()


def spelled(value: object) -> dict[str, object]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case["id"]) for case in CASES],
)
def test_a_bill_is_computed_right(case: dict[str, Any]) -> None:
    requests = pushed(case["route"], case["body"])
    right = dict(case["right"])
    assert len(requests) == right.pop("count", 1)
    preparer = Preparer(Pricer({}, None, prices()), None, False, lambda model: prices().provider_of(model, "openai"))
    ready = preparer.prepare(requests[0])
    assert isinstance(ready, Prepared)
    request, cost = ready.request, ready.request.cost
    if "cost_usd" in right:
        expected = right.pop("cost_usd")
        if expected is None:
            assert cost.amount is None
        else:
            assert cost.amount is not None and not cost.partial
            assert abs(cost.amount.nano - Decimal(expected) * 10**9) <= 2
    names = {"cached_tokens": "cache_read", "cache_write_tokens": "cache_write"}
    for name, value in right.items():
        if name.endswith("_tokens"):
            assert getattr(request.usage, names.get(name, name.removesuffix("_tokens"))) == value
        else:
            assert getattr(request, name) == value
