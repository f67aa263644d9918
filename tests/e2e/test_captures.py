"""The webhooks that Helicone's own code produced, through a collector of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alerts.sinks import HttpSink
from tests.e2e.processes import collecting, untimed, webhook
from tests.helicone_captures import captures
from tests.waiting import eventually

COSTS = {
    "openai_chat_success_user_session_props_unicode": 202_500,
    "anthropic_stream_success": 562_200,
    "openai_error_429": 0,
    "bodies_missing_not_stored": None,
    "include_data_false": 202_500,
    "no_model_metadata_absent": None,
    "no_user_id": 202_500,
    "omit_request_and_response": 202_500,
    "openai_stream_with_usage": 52_500,
    "openai_stream_without_usage": None,
    "receiver_replied_500_no_retry": 202_500,
}

PRINTED = [
    "processed gpt-4o-2024-08-06 alice@example.com $0.0002",
    "processed claude-sonnet-4-20250514 bob $0.0006",
    "processed gpt-4o alice@example.com $0.00 error",
    "processed (no model) alice@example.com unpriced",
    "processed gpt-4o-2024-08-06 alice@example.com $0.0002",
    "processed (no model) (no user) unpriced",
    "processed gpt-4o-2024-08-06 (no user) $0.0002",
    "processed gpt-4o-2024-08-06 alice@example.com $0.0002",
    "processed gpt-4o-2024-08-06 (no user) $0.000052",
    "processed gpt-4o-2024-08-06 (no user) unpriced",
    "processed gpt-4o-2024-08-06 (no user) $0.0002",
]


@pytest.mark.replaces("monitor/lines")
def test_every_capture_is_stored_once_at_its_exact_cost_and_printed(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        answers = {scenario: collector.post(capture.raw) for scenario, capture in captures().items()}
        again = [collector.post(capture.raw).json()["status"] for capture in captures().values()]
        eventually(lambda: len(collector.lines) >= 6 + len(PRINTED))
        ended = collector.end()
        stored = {str(key): cost for key, cost in collector.rows("SELECT id, cost_nano FROM request")}
        sums = "SELECT SUM(requests), SUM(cost_nano), SUM(unpriced) FROM total WHERE dimension = 'all'"
        totals = collector.rows(sums)

    assert {answer.status_code for answer in answers.values()} == {200}
    said = {scenario: answer.json() for scenario, answer in answers.items()}
    assert said.pop("dashboard_test_event")["status"] == "test"
    assert {each["status"] for each in said.values()} == {"stored"}
    assert {scenario: stored[each["id"]] for scenario, each in said.items()} == COSTS
    assert len(stored) == len(COSTS)
    assert sorted(again) == ["duplicate"] * len(COSTS) + ["test"]
    known = [cost for cost in COSTS.values() if cost is not None]
    assert totals == [(len(COSTS), sum(known), len(COSTS) - len(known))]
    printed = [line for line in untimed(ended.out) if line.startswith("processed")]
    assert [line.partition(" · last hour ")[0] for line in printed] == PRINTED
    assert printed[-1].endswith("· last hour $0.0016 + 3 unpriced")
    assert ended.code == 0
    assert ended.err == ""


def test_one_flipped_byte_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        answers = set()
        for capture in captures().values():
            flipped = capture.raw[:-2] + bytes([capture.raw[-2] ^ 1]) + capture.raw[-1:]
            headers = {"Helicone-Signature": capture.signature.decode()}
            answer = collector.client.post("/webhook", content=flipped, headers=headers)
            answers.add((answer.status_code, answer.content))
        assert [code for code, _ in answers] == [401]
        assert collector.rows("SELECT (SELECT COUNT(*) FROM request) + (SELECT COUNT(*) FROM quarantine)") == [(0,)]


def test_what_is_signed_but_not_understood_is_kept(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        assert collector.post(b"[1, 2]").status_code == 202
        assert collector.post(b"{").status_code == 400
        assert collector.rows("SELECT kind, state FROM quarantine") == [("unrecognized", "open")]


def test_an_address_inside_a_webhook_is_never_asked(tmp_path: Path) -> None:
    with HttpSink() as inside, collecting(tmp_path) as collector:
        address = inside.url("/latest/meta-data").replace("json://", "http://")
        assert collector.post(webhook("leads-inside", request_response_url=address)).status_code == 200
        collector.end()
    assert inside.arrivals.all == []
