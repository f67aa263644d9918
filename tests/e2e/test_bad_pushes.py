"""What no push may hold is refused by name; nothing that was sent comes back or is logged, and what is good is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import CollectorProcess, webhook
from tests.e2e.pushing import ADMIN, ITEM, KEYED, RECEIVER, from_address, pushes, receiving, stored
from tests.helicone_captures import sign
from tests.otlp_posts import attribute

CANARY = "c4n4ry-of-what-was-sent"
NO_JSON: dict[str, bytes] = {
    "empty": b"",
    "cut off": f'{{"model":"{CANARY}"'.encode(),
    "more behind it": f'{{"model":"{CANARY}"}} {{}}'.encode(),
    "deep nesting": b"[" * 100_000,
    "deep nesting in a body": b'{"request_body":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
}
DETAILS: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf{}",
    "bad utf-8": f'{{"model":"{CANARY}\xff"}}'.encode("latin-1"),
    "half a character": f'{{"model":"{CANARY}\\ud800"}}'.encode(),
    "a number beyond all types": b'{"model":1e999}',
}
"""What is no JSON for a detail, and says nothing."""
SENT_AGAIN = frozenset({"/ingest", "/log"})
"""Where people write the client, who can mend it; what is sent only once is repaired."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector that logs all it can."""
    with receiving(tmp_path_factory.mktemp("bad"), RECEIVER, "--debug") as found:
        yield found


@pytest.mark.parametrize("path", pushes())
def test_what_is_no_json_is_refused_on_every_way_in(
    collector: CollectorProcess, addresses: Iterator[str], path: str
) -> None:
    headers = {**KEYED, "Content-Type": "application/json"}
    before = stored(collector)
    with from_address(collector, next(addresses)) as client:
        answers = {name: client.post(path, content=raw, headers=headers) for name, raw in NO_JSON.items()}
    refusals = (400, 422) if path == "/litellm" else (400,)
    assert not [name for name, answer in answers.items() if answer.status_code not in refusals]
    assert not [name for name, answer in answers.items() if CANARY in answer.text]
    assert stored(collector) == before


@pytest.mark.parametrize("path", pushes())
def test_no_detail_is_a_failure_of_ours(collector: CollectorProcess, addresses: Iterator[str], path: str) -> None:
    headers = {**KEYED, "Content-Type": "application/json"}
    with from_address(collector, next(addresses)) as client:
        answers = {name: client.post(path, content=raw, headers=headers) for name, raw in DETAILS.items()}
    expected = (400, 422) if path in SENT_AGAIN else (200, 422)
    assert not [name for name, answer in answers.items() if answer.status_code not in expected]
    assert not [name for name, answer in answers.items() if CANARY in answer.text]


@pytest.mark.parametrize("detail", [rb'"\ud83d"', b"1e999", b"NaN", b'"\xff"'])
def test_a_signed_webhook_is_stored_whatever_detail_of_a_prompt_is_no_json(
    collector: CollectorProcess, detail: bytes
) -> None:
    raw = webhook(f"detail-{detail.hex()}", request_body={"messages": [], "detail": 0}).replace(
        b'"detail":0', b'"detail":%b' % detail
    )
    answer = collector.post(raw)
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert collector.client.get(f"/requests/{answer.json()['id']}", headers=ADMIN).status_code == 200


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"request_id":"r","metadata":{"cost":1e999}}', b"\xef\xbb\xbf{}"])
def test_a_signed_webhook_that_cannot_be_read_is_kept(collector: CollectorProcess, raw: bytes) -> None:
    answer = collector.post(raw)
    assert (answer.status_code, answer.json()["status"]) == (202, "quarantined")


def test_a_null_character_is_kept_as_its_picture(collector: CollectorProcess) -> None:
    item = {**ITEM, "model": "a\0b", "user_id": "nul", "request_body": {"messages": [{"content": "x\0y"}]}}
    answer = collector.client.post("/ingest", json=item, headers=KEYED)
    assert answer.status_code == 200
    one = collector.client.get(f"/requests/{answer.json()['id']}", headers=ADMIN).json()
    assert one["model"] == "a\u2400b"


def _strangers_calls(client: httpx.Client) -> Iterator[httpx.Response]:
    """Everything that could make somebody repeat what was sent, without a key and with one."""
    attributes = [attribute("gen_ai.request.model", CANARY), attribute("gen_ai.usage.input_tokens", CANARY)]
    span = {"traceId": CANARY, "spanId": CANARY, "name": CANARY, "attributes": attributes}
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    litellm = {"id": CANARY, "litellm_call_id": CANARY, "response_cost": CANARY, "model": [CANARY]}
    for path, content in (
        ("/ingest", dict.fromkeys(ITEM, CANARY) | {"timestamp": CANARY, "usage": {"input_tokens": CANARY}}),
        ("/log", [CANARY]),
        ("/litellm", [litellm]),
        ("/litellm", CANARY),
        ("/v1/traces", spans),
        ("/v1/traces", {"resourceSpans": CANARY}),
    ):
        yield client.post(path, json=content, headers=KEYED)
        yield client.post(path, json=content, headers={"X-Ingest-Key": CANARY})
        yield client.post(path, json=content, headers={**KEYED, "X-Tracking-Token": CANARY, "Content-Encoding": CANARY})
    for path in (f"/{CANARY}", f"/requests/{CANARY}", f"/sessions/{CANARY}/costs"):
        yield client.get(path, headers=ADMIN)
    for path in ("/requests", "/models", "/export.csv", "/sessions", "/spending/summary", "/verdict", "/alerts"):
        yield client.get(path, params={"hours": CANARY, "open": CANARY, CANARY: CANARY}, headers=ADMIN)
        yield client.get(path, headers={"X-API-Key": CANARY})
    yield client.get("/requests", params={"q": f"cost>{CANARY}"}, headers=ADMIN)
    yield client.get("/events", headers={**ADMIN, "Last-Event-ID": CANARY})
    yield client.post("/ingest/tokens", json={"name": {CANARY: 1}, CANARY: CANARY}, headers=ADMIN)
    yield client.post("/ingest/tokens", content=f"{{{CANARY}", headers=ADMIN)
    yield client.post("/alerts/1/snooze", json={"minutes": CANARY}, headers=ADMIN)
    yield client.request(CANARY.upper(), "/ingest", headers=KEYED)
    yield client.post("/webhook", content=CANARY, headers={"Helicone-Signature": CANARY})
    yield client.post("/webhook", content=CANARY, headers={"Helicone-Signature": sign(CANARY.encode())})


def test_no_refusal_repeats_what_was_sent_and_no_log_holds_it(
    collector: CollectorProcess, addresses: Iterator[str]
) -> None:
    with from_address(collector, next(addresses)) as client:
        answers = list(_strangers_calls(client))
    assert not [answer.url for answer in answers if CANARY in answer.text or CANARY in str(answer.headers)]
    # OTLP tells what it could not take in an answer of its own with 200.
    refusals = [answer for answer in answers if answer.url.path != "/v1/traces"]
    assert all(answer.status_code >= 400 for answer in refusals)
    assert CANARY not in collector.out + collector.err


def test_after_all_of_it_webhooks_are_taken_and_nothing_failed_inside(collector: CollectorProcess) -> None:
    assert collector.post(webhook("after-all-of-it")).status_code == 200
    counters = collector.client.get("/metrics", headers=ADMIN).json()["counters"]
    assert counters["failed"] == 0
    assert counters["ingest_not_stored"] == 0
    assert "Traceback" not in collector.err


def test_twenty_thousand_users_are_exact_in_sum_and_few_in_every_answer(tmp_path: Path) -> None:
    users, batches = 20_000, 4
    with receiving(tmp_path) as collector:
        for batch in range(batches):
            numbers = range(batch, users, batches)
            items = [
                {**ITEM, "user_id": f"user-{number}", "model": f"model-{number % 1001}", "cost_usd": 0.001}
                for number in numbers
            ]
            answer = collector.client.post("/ingest", json=items, headers=KEYED)
            assert (answer.status_code, answer.json()["accepted"]) == (200, users // batches)
        strange = [{**ITEM, "tracking_token": f"strange-{number}"} for number in range(5_000)]
        assert collector.client.post("/ingest", json=strange, headers=KEYED).status_code == 422
        summary = collector.client.get("/spending/summary?by=user", headers=ADMIN).json()
        exposed = collector.client.get("/metrics", headers={**ADMIN, "Accept": "text/plain"}).text
    assert (summary["requests"], summary["cost_nanousd"]) == (users, users * 1_000_000)
    assert (len(summary["top_users"]), len(summary["by_model"]), len(summary["by"])) == (10, 100, 1000)
    assert len(exposed.splitlines()) < 1_000
    assert 'model="(other)"' in exposed
