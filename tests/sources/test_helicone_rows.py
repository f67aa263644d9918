from __future__ import annotations

import json
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, SECOND, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, ServiceLevel, Status, Usage
from spendtop.sources import unknown_fields
from spendtop.sources.helicone_rows import NotARow, RowReader, request_of

NOW = 1_795_197_600 * SECOND


def request(**fields: object) -> Request:
    row: dict[str, Any] = {"request_id": "r1", "request_created_at": to_iso(NOW - HOUR), **fields}
    return request_of(RowReader().row(json.dumps(row).encode(), NOW), NOW)


def test_the_least_that_makes_a_request() -> None:
    found = request()
    assert (found.model, found.usage, found.cost.reported) == (None, Usage(), None)
    assert (found.status, found.body_state, found.properties) == (Status.OK, BodyState.NOT_SENT, None)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (200, Status.OK),
        (0, Status.OK),
        (399, Status.OK),
        (400, Status.ERROR),
        (500, Status.ERROR),
        (-3, Status.CANCELLED),
        (-1, Status.ERROR),
        (-4, Status.ERROR),
    ],
)
def test_statuses_below_zero_are_helicones_own(status: int, ended: Status) -> None:
    found = request(response_status=status)
    assert (found.status, found.http_status) == (ended, status if status >= 100 else None)


@pytest.mark.parametrize("failure", ["error", "helicone_error", "html_response"])
def test_an_error_in_the_answer_is_an_error_whatever_the_status(failure: str) -> None:
    assert request(response_status=0, response_body={failure: "no"}).status is Status.ERROR
    assert request(response_status=200, response_body={failure: None, "id": "x"}).status is Status.OK


def test_helicones_own_properties_are_left_out_but_for_the_session() -> None:
    found = request(
        properties={
            "Helicone-Session-Id": "s1",
            "Helicone-Session-Path": "/a/b",
            "Helicone-Session-Name": "nightly",
            "Helicone-Prompt-Id": "p",
            "helicone-cache-enabled": "true",
            "environment": "prod",
            "stripe_customer_id": "cus_1",
        }
    )
    assert (found.session_id, found.session_path) == ("s1", "/a/b")
    assert found.properties == {
        "Helicone-Session-Name": "nightly",
        "environment": "prod",
        "stripe_customer_id": "cus_1",
    }


def test_the_answers_own_usage_goes_before_the_buckets() -> None:
    answer = {"usage": {"prompt_tokens": 2000, "completion_tokens": 700}}
    buckets = {"prompt_tokens": "464", "completion_tokens": 188, "reasoning_tokens": 512}
    assert request(response_body=answer, **buckets).usage == Usage(prompt=2000, completion=700)
    found = request(response_body={"id": "x"}, prompt_cache_read_tokens="1536", **buckets).usage
    assert found == Usage(prompt=2000, completion=700, cache_read=1536, reasoning=512)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("OPENAI", "openai"), ("anthropic", "anthropic"), ("BEDROCK", "aws"), ("CUSTOM", None), ("", None)],
)
def test_providers_have_the_names_that_webhooks_give_them(name: str, ours: str | None) -> None:
    assert request(provider=name).provider == ours


@pytest.mark.parametrize("length", [10, 5_000])
def test_a_long_prompt_is_kept_as_it_was_sent(length: int) -> None:
    prompt = {"model": "gpt-4o", "messages": ["x" * length]}
    assert json.loads(request(request_body=prompt).request_body or b"") == prompt


@pytest.mark.parametrize(
    "body", [{}, {"model": "gpt-4o"}, "", None, [], '{"helicone_message": "fetching body"}', "no JSON"]
)
def test_what_stands_for_no_body_is_none(body: object) -> None:
    found = request(request_body=body, response_body=body)
    assert (found.request_body, found.response_body, found.body_state) == (None, None, BodyState.NOT_SENT)


@pytest.mark.parametrize("at", ["2026-11-20 10:00:00.000", "2026-11-20T10:00:00Z", "2026-11-20T12:00:00+02:00"])
def test_a_time_without_a_zone_is_utc(at: str) -> None:
    expected = request(request_created_at="2026-11-20T10:00:00.000Z").occurred_at
    assert request(request_created_at=at).occurred_at == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", "a b"),
        ("request_created_at", "1950-01-01T00:00:00Z"),
        ("request_created_at", to_iso(NOW + HOUR)),
        ("cost", 1e300),
        ("cost", "Infinity"),
        ("delay_ms", "soon"),
    ],
)
def test_a_field_that_cannot_be_is_named(field: str, value: object) -> None:
    with pytest.raises(NotARow) as caught:
        request(**{field: value})
    assert caught.value.field == field


ANSWER = {
    "model": "claude-sonnet-4-5-20250929",
    "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000},
        "output_tokens": 100,
        "service_tier": "standard",
    },
}


def test_the_answer_tells_units_level_and_the_model_that_served() -> None:
    found = request(model="prod-chat-eu", response_body=ANSWER)
    assert found.usage == Usage(
        prompt=1012, completion=100, cache_read=0, cache_write=1000, units={"cache_write_1h_tokens": 1000}
    )
    assert (found.service_level, found.served_model) == (ServiceLevel.STANDARD, "claude-sonnet-4-5-20250929")
    assert found.usage_object == ANSWER["usage"]
    assert request(model="claude-sonnet-4-5", response_body=ANSWER).served_model is None


def test_a_long_prompt_tells_the_level_that_was_asked_for() -> None:
    prompt = {"service_tier": "flex", "messages": [{"role": "user", "content": "x" * 2000}]}
    answer = {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert request(request_body=prompt, response_body=answer).service_level is ServiceLevel.FLEX


def test_the_providers_own_cost_comes_before_helicones() -> None:
    answer = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}}
    assert request(cost=1, response_body=answer).cost == Cost(reported=Usd.of("0.5"), reported_by=Reporter.PROVIDER)
    assert request(cost=1).cost == Cost(reported=Usd.of(1), reported_by=Reporter.GATEWAY)


def test_the_text_of_a_stream_tells_what_was_used() -> None:
    stream = 'data: {"usage":null,"choices":[]}\n\ndata: {"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n'
    found = request(response_body=stream + "data: [DONE]")
    assert (found.usage, found.body_state) == (Usage(prompt=9, completion=3), BodyState.NOT_SENT)


def test_columns_that_nobody_knows_are_told_of() -> None:
    with unknown_fields.collecting() as names:
        request(brand_new=1, storage_location="s3", properties={"mine": "x"}, response_body={"id": "x"})
    assert names == {"brand_new": 1}
