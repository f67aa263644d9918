"""The Helicone of these tests has the traps of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from tests.sources.pollers.fake_helicone import QUERY, TOTAL_COST, TOTAL_REQUESTS, FakeHelicone
from tests.waiting import DEADLINE

NOW = 1_795_197_600 * SECOND
SINCE = {"request_response_rmt": {"request_created_at": {"gte": "2026-11-20T00:00:00Z"}}}


@pytest.fixture
def fake() -> Iterator[FakeHelicone]:
    with FakeHelicone(clock=lambda: NOW).running() as running:
        yield running


def post(fake: FakeHelicone, path: str, body: Any, key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or fake.key}"}
    return httpx.post(fake.url + path, json=body, headers=headers, trust_env=False, timeout=DEADLINE)


def ids(answer: httpx.Response) -> list[str]:
    return [row["request_id"] for row in answer.json()["data"]]


def test_a_query_succeeds_with_201_and_ten_rows_newest_first(fake: FakeHelicone) -> None:
    added = fake.add_many([NOW - number * MINUTE for number in range(12)])
    answer = post(fake, QUERY, {"filter": "all"})
    assert (answer.status_code, answer.json()["error"]) == (201, None)
    assert ids(answer) == added[:10]
    assert answer.headers["RateLimit-Limit"] == "1000"


def test_only_the_first_column_and_operator_of_a_leaf_count(fake: FakeHelicone) -> None:
    fake.add_many([NOW - 3 * HOUR, NOW])
    since = {"gte": "2026-01-01T00:00:00Z", "lte": "2026-01-02T00:00:00Z"}
    leaf = {"request_created_at": since, "user_id": {"equals": "nobody"}}
    assert len(ids(post(fake, QUERY, {"filter": {"request_response_rmt": leaf}}))) == 2


def test_fractions_of_an_instant_are_cut_off_and_offsets_honoured(fake: FakeHelicone) -> None:
    (request_id,) = fake.add_many([NOW + 1000])
    for text in ("2026-11-20T18:00:00.900Z", "2026-11-20T19:00:00+01:00", "2026-11-20T18:00:00"):
        leaf = {"request_response_rmt": {"request_created_at": {"gte": text}}}
        assert ids(post(fake, QUERY, {"filter": leaf})) == [request_id], text


def test_older_versions_shorten_pages_and_are_counted_by_totals(fake: FakeHelicone) -> None:
    added = fake.add_many([NOW - HOUR, NOW - MINUTE])
    fake.correct(added[0], cost=1)
    page = {"filter": "all", "limit": 2, "sort": {"created_at": "asc"}}
    assert ids(post(fake, QUERY, page)) == added[:1]
    assert ids(post(fake, QUERY, {**page, "offset": 2})) == added[1:]
    span = {"filter": "all", "timeFilter": {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}}
    assert post(fake, TOTAL_REQUESTS, span).json()["data"] == 3
    assert post(fake, TOTAL_COST, span).json()["data"] == pytest.approx(1.000405)


def test_rows_of_the_future_are_hidden_and_costs_below_zero_are_zero(fake: FakeHelicone) -> None:
    fake.add_many([NOW + HOUR])
    fake.add(NOW, cost=-0.0000125)
    assert [row["cost"] for row in post(fake, QUERY, {"filter": "all"}).json()["data"]] == [0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"filter": "all", "excess": 1}, 422),
        ({"filter": {"request_response_rmt": {"request_created_at": {"gte": 1_795_197_600}}}}, 422),
        ({"filter": {"request_response_rmt": {"total_tokens": {"gte": 1}}}}, 422),
        ({"filter": {"request_response_rmt": {"status": {"above": 1}}}}, 422),
        ({"filter": {"response": {"status": {"gte": 1}}}}, 422),
        ({"filter": {"left": SINCE, "operator": "AND", "right": SINCE}}, 422),
        ({"filter": "all", "limit": 1001}, 500),
        ({"filter": {"left": SINCE, "operator": "or", "right": {}}}, 201),
        ({"filter": {"request_response_rmt": {"properties": {"environment": {"equals": "prod"}}}}}, 201),
    ],
)
def test_what_is_taken_and_what_is_not(fake: FakeHelicone, body: dict[str, Any], status: int) -> None:
    assert post(fake, QUERY, body).status_code == status


def test_keys_are_checked_as_helicone_does(fake: FakeHelicone) -> None:
    assert post(fake, QUERY, {"filter": "all"}, "nonsense").text == "Invalid token."
    refused = post(fake, QUERY, {"filter": "all"}, "sk-helicone-other")
    assert (refused.status_code, refused.json()["error"]) == (401, "No API key found")
    fake.permissions = "r"
    refused = post(fake, QUERY, {"filter": "all"})
    assert (refused.status_code, refused.json()["error"]) == (401, None)


def test_the_old_query_is_dead(fake: FakeHelicone) -> None:
    assert post(fake, "/v1/request/query", {"filter": "all"}).status_code == 500
