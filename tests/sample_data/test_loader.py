"""The loader gives domain records, webhooks to sign, and the captured ones."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.collector.demo.sample_traffic import SECRET, as_new, history, live_bodies, sample_folder, webhook_captures
from spendtop.domain.clock import DAY, HOUR, SECOND
from spendtop.domain.request import BodyState, Request, Status, TimeSource
from spendtop.domain.sources import HELICONE, HELICONE_API
from spendtop.domain.usage import usage_of_response

NOW = 1_800_000_000 * SECOND


@pytest.fixture(scope="module")
def month() -> list[Request]:
    return list(history(NOW))


def test_every_line_is_a_request_of_the_month_before_now_in_time_order(month: list[Request]) -> None:
    times = [request.occurred_at for request in month]
    assert 6000 <= len(month) <= 7500
    assert times == sorted(times)
    assert NOW - 30 * DAY <= times[0] < NOW - 29 * DAY
    assert NOW - HOUR < times[-1] <= NOW
    assert len({request.external_id for request in month}) == len(month)


def test_another_now_shifts_times_alone(month: list[Request]) -> None:
    later = next(history(NOW + DAY))
    assert later.occurred_at - month[0].occurred_at == DAY
    assert later.external_id == month[0].external_id


def test_bodies_of_the_last_two_days_are_there_and_few_before(month: list[Request]) -> None:
    recent = [request for request in month if request.occurred_at > NOW - 2 * DAY + SECOND]
    older = month[: -len(recent) - 1]
    assert all(request.body_state is BodyState.STORED for request in recent)
    assert 0.05 < sum(request.request_body is not None for request in older) / len(older) < 0.1
    assert all((request.body_state is BodyState.STORED) == (request.response_body is not None) for request in month)


def test_bodies_are_sized_like_real_ones(month: list[Request]) -> None:
    sizes = sorted(len(request.request_body or b"") + len(request.response_body or b"") for request in month)
    sizes = [size for size in sizes if size]
    assert sizes[0] < 600 and sizes[-1] > 10_000
    assert 2_500 < sizes[len(sizes) // 2] < 4_500


def test_usage_of_the_bodies_is_the_usage_of_the_record(month: list[Request]) -> None:
    answered = [request for request in month if request.response_body and request.response_id and not request.cached]
    assert len(answered) > 900
    for request in answered:
        usage = usage_of_response(msgspec.json.decode(request.response_body or b""))
        assert replace(usage, units=None) == request.usage


def test_created_in_a_body_moves_with_its_request(month: list[Request]) -> None:
    bodies = [(request, msgspec.json.decode(request.response_body)) for request in month if request.response_body]
    dated = [(request, body["created"]) for request, body in bodies if "created" in body]
    assert len(dated) > 300
    assert all(created == request.occurred_at // SECOND for request, created in dated)


def test_what_only_a_webhook_told_has_no_session_and_is_not_verified(month: list[Request]) -> None:
    webhook_only = [request for request in month if request.source is HELICONE]
    assert len(webhook_only) > 50
    for request in webhook_only:
        assert request.time_source is TimeSource.PROVIDER and not request.verified
        assert (request.session_id, request.token, request.properties) == (None, None, None)
    assert all(request.verified for request in month if request.source is HELICONE_API)


def test_every_live_body_is_another_request_each_time() -> None:
    bodies = live_bodies()
    assert len(bodies) == 60
    for number, body in enumerate(bodies):
        request_id = f"00000000-0000-4000-8000-{number:012d}"
        old, new = msgspec.json.decode(body), msgspec.json.decode(as_new(body, request_id, NOW))
        assert list(new) == list(old)
        assert new["request_id"] == request_id
        assert request_id in new["request_response_url"] and old["request_id"] not in new["request_response_url"]
        assert new["response_body"].get("created", NOW // SECOND) == NOW // SECOND
        assert new["metadata"] == old["metadata"]
        assert new["response_body"].get("id") != old["response_body"].get("id") or "id" not in old["response_body"]


def test_two_new_requests_of_one_live_body_have_different_response_ids() -> None:
    body = next(body for body in live_bodies() if b'"chatcmpl-' in body)
    ids = {
        msgspec.json.decode(as_new(body, f"{n:08d}-0000-4000-8000-000000000000", NOW))["response_body"]["id"]
        for n in range(20)
    }
    assert len(ids) == 20


def test_live_bodies_hold_what_webhooks_hold() -> None:
    events = [msgspec.json.decode(body) for body in live_bodies()]
    keys = ["request_id", "request_body", "response_body", "user_id", "request_response_url", "model", "provider"]
    for event in events:
        assert [key for key in event if key != "metadata"] == [key for key in keys if key in event]
        assert list(event["metadata"]) == ["cost", "promptTokens", "completionTokens", "totalTokens", "latencyMs"]
    assert sum("user_id" not in event for event in events) >= 5
    assert sum("error" in event["response_body"] for event in events) >= 3
    assert sum(event["model"] == "acme-private-7b" and not event["metadata"]["cost"] for event in events) >= 3
    assert {event["provider"] for event in events} == {"OPENAI", "ANTHROPIC", "GOOGLE", "CUSTOM"}


def test_captures_carry_valid_signatures_over_their_raw_bytes() -> None:
    captures = webhook_captures()
    assert len({capture.scenario for capture in captures}) == 12
    for capture in captures:
        signature = hmac.new(SECRET.encode(), capture.raw, hashlib.sha256).hexdigest()
        assert signature == capture.signature == dict(capture.headers)["Helicone-Signature"]


def test_secret_is_the_one_written_beside_the_captures() -> None:
    assert msgspec.json.decode((sample_folder() / "webhooks.json").read_bytes())["hmac_secret_utf8"] == SECRET


def test_the_month_shows_what_its_description_promises(month: list[Request]) -> None:
    assert Counter(request.status for request in month).keys() == set(Status)
    assert {429, 500, 504} <= {request.http_status for request in month}
    assert {request.provider for request in month} == {"openai", "anthropic", "google", None}
    assert len({request.model for request in month}) == 9
    assert len({request.user_id for request in month} - {None}) >= 12
    assert sum(request.user_id is None for request in month) > 100
    assert {request.token for request in month} == {"web", "ci-42", "lab", None}
    assert {key for request in month for key in request.properties or {}} == {"env", "team"}
    assert sum(request.cached for request in month) > 100
    assert sum((request.usage.cache_read or 0) > 0 for request in month) > 500
    assert sum((request.usage.cache_write or 0) > 0 for request in month) > 500
    assert sum((request.usage.reasoning or 0) > 0 for request in month) > 500


def test_nights_and_weekends_are_quiet(month: list[Request]) -> None:
    def count(first_day: int, days: int, first_hour: float, hours: float) -> int:
        end = NOW - first_day * DAY - int(first_hour * HOUR)
        periods = [(end - day * DAY - int(hours * HOUR), end - day * DAY) for day in range(days)]
        return sum(start < request.occurred_at <= stop for request in month for start, stop in periods)

    # The month ends on a Friday at 16:30: 0.5 h back is 16:00, 15.5 h back is one o'clock at night.
    assert count(0, 1, 0.5, 7) > 5 * count(0, 1, 14.5, 1.5)
    assert count(7, 4, 0.5, 7) > 2 * count(12, 2, 0.5, 7)


def test_one_evening_a_session_runs_away_with_nearly_the_same_prompt(month: list[Request]) -> None:
    loop = [request for request in month if request.session_path == "/lab/agent/step"]
    assert len({request.session_id for request in loop}) == 1 and len(loop) > 120
    assert loop[-1].occurred_at - loop[0].occurred_at < HOUR
    texts = [
        msgspec.json.decode(request.request_body or b"")["messages"][0]["content"][1]["text"] for request in loop[:20]
    ]
    assert len({text[:40] for text in texts}) == 1 and len(set(texts)) > 10


def test_one_user_grows_week_by_week(month: list[Request]) -> None:
    weeks = Counter((NOW - request.occurred_at) // (7 * DAY) for request in month if request.user_id == "grace")
    assert weeks[0] > weeks[1] > weeks[2] > weeks[3]
    assert weeks[0] > 2 * weeks[3]


def test_the_private_model_has_no_reported_cost(month: list[Request]) -> None:
    private = [request for request in month if request.model == "acme-private-7b" and request.status is Status.OK]
    assert len(private) > 100
    assert all(request.cost.reported is None and request.usage.total for request in private)
