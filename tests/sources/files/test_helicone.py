from __future__ import annotations

import json
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, SECOND, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Request, Restored, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE_API
from spendtop.sources.files.helicone import read_helicone
from spendtop.sources.skipped import NoCall, Skipped

NOW = 1_795_197_060 * SECOND
RESPONSE = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 13, "completion_tokens": 17}}
ROW: dict[str, Any] = {
    "request_id": "550e8400-e29b-41d4-a716-446655440000",
    "response_id": "7a6bd0c4-0000-0000-0000-000000000000",
    "request_created_at": to_iso(NOW - HOUR),
    "response_status": 200,
    "request_user_id": "alice",
    "properties": {"Helicone-Session-Id": "s1", "Helicone-Session-Path": "/a/b", "environment": "prod"},
    "provider": "OPENAI",
    "model": "gpt-4o-2024-08-06",
    "delay_ms": 930,
    "time_to_first_token": "120",
    "prompt_tokens": "464",
    "completion_tokens": 188,
    "reasoning_tokens": 512,
    "prompt_cache_read_tokens": "1536",
    "prompt_cache_write_tokens": 0,
    "cost": 0.00020250000000000002,
    "cache_reference_id": "00000000-0000-0000-0000-000000000000",
    "request_body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
    "response_body": RESPONSE,
    "scores": {"a": 1},
}


def read(*lines: object) -> list[Request | Restored | Skipped | NoCall]:
    return list(read_helicone([json.dumps(line).encode() for line in lines], NOW))


def request(**changes: object) -> Request:
    (found,) = read({**ROW, **changes})
    assert isinstance(found, Request)
    return found


def test_a_row_is_a_request_that_helicones_api_confirmed() -> None:
    found = request()
    assert (found.source, found.external_id, found.verified) == (HELICONE_API, ROW["request_id"], True)
    assert (found.occurred_at, found.time_source, found.received_at) == (NOW - HOUR, TimeSource.API, NOW)
    assert (found.provider, found.model, found.user_id) == ("openai", "gpt-4o-2024-08-06", "alice")
    assert (found.session_id, found.session_path, found.properties) == ("s1", "/a/b", {"environment": "prod"})
    assert (found.latency_ms, found.ttft_ms, found.http_status) == (930, 120, 200)
    assert found.cost.reported == Usd(202_500)
    assert (found.status, found.cached, found.response_id) == (Status.OK, False, "chatcmpl-1")
    assert found.usage == Usage(prompt=13, completion=17)
    assert json.loads(found.response_body or b"") == RESPONSE


def test_without_a_body_the_separate_counts_make_the_sums() -> None:
    elsewhere = json.dumps(
        {"helicone_message": "fetching body from signed_url... contact support for more information"}
    )
    found = request(request_body=elsewhere, response_body=elsewhere)
    assert found.usage == Usage(prompt=2000, completion=700, cache_read=1536, cache_write=0, reasoning=512)
    assert (found.request_body, found.body_state) == (None, BodyState.NOT_SENT)


def test_bodies_may_be_texts_that_hold_json() -> None:
    found = request(response_body=json.dumps(RESPONSE))
    assert found.usage.prompt == 13
    assert json.loads(found.response_body or b"") == RESPONSE


@pytest.mark.parametrize(
    ("changes", "status", "http_status"),
    [
        ({"response_status": 429}, Status.ERROR, 429),
        ({"response_status": -3}, Status.CANCELLED, None),
        ({"response_status": 0}, Status.OK, None),
        ({"response_status": None, "response_body": {"error": {"message": "no"}}}, Status.ERROR, None),
    ],
)
def test_how_it_ended(changes: dict[str, object], status: Status, http_status: int | None) -> None:
    found = request(**changes)
    assert (found.status, found.http_status) == (status, http_status)


@pytest.mark.parametrize("user", ["", "null", "undefined", None])
def test_nobody_is_no_user(user: str | None) -> None:
    assert request(request_user_id=user).user_id is None


def test_a_hit_in_helicones_cache_is_cached() -> None:
    assert request(cache_reference_id="11111111-2222-3333-4444-555555555555").cached


def test_a_cost_beside_negative_tokens_says_nothing() -> None:
    assert request(prompt_tokens=-1, completion_tokens=-1).cost.reported is None


def test_a_line_may_hold_many_rows_as_the_api_answers_them() -> None:
    second = {**ROW, "request_id": "2"}
    found = read({"data": [ROW, None, second], "error": None}, [ROW, {**ROW, "cost": "x"}])
    assert [each.external_id for each in found if isinstance(each, Request)] == [
        ROW["request_id"],
        "2",
        ROW["request_id"],
    ]
    (skipped,) = [each for each in found if isinstance(each, Skipped)]
    assert (skipped.place, skipped.field) == ("line 2, row 2", "cost")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", "secret id"),
        ("request_id", None),
        ("request_created_at", "secret"),
        ("request_created_at", to_iso(NOW + HOUR)),
        ("cost", "secret"),
        ("cost", "NaN"),
        ("properties", {"a": 1}),
        ("prompt_tokens", "secret"),
        ("model", 5),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_never_shown(field: str, value: object) -> None:
    good, skipped = read(ROW, {**ROW, field: value})
    assert isinstance(good, Request)
    assert isinstance(skipped, Skipped)
    assert (skipped.place, skipped.field) == ("line 2", field)
    assert "secret" not in str(skipped)


@pytest.mark.parametrize("line", [b"{", b"17", b"[1]", b'{"data": 5}', b'{"a":' * 5_000, b"[" * 5_000, b"\xff"])
def test_a_line_that_is_no_row_is_skipped(line: bytes) -> None:
    assert [type(each) for each in read_helicone([line, json.dumps(ROW).encode()], NOW)] == [Skipped, Request]
