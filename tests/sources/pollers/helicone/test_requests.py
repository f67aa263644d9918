"""Reading Helicone's API, against a Helicone that has the traps of the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from threading import Event
from typing import Any

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_micros
from spendtop.domain.requests.request import BodyState, Request, TimeSource
from spendtop.domain.sources.records import HELICONE_API
from spendtop.sources.helicone_rows import Row
from spendtop.sources.pollers import KeyRefused, PolledPage, PollFailed
from spendtop.sources.pollers.helicone import requests
from spendtop.sources.pollers.helicone.cursor import OVERLAP, SETTLING, progress, range_cursor, resumed
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from spendtop.sources.pollers.http_client import USUAL, AnswerTooLarge, FetchBounds
from tests.sources.pollers.fake_helicone import (
    ELSEWHERE,
    KEY,
    QUERY,
    TOTAL_COST,
    TOTAL_REQUESTS,
    FakeHelicone,
    compiled,
)
from tests.sources.pollers.polled import ONCE
from tests.waiting import DEADLINE

NOW = 1_795_197_600 * SECOND
SMALL = FetchBounds(attempts=1, most_bytes=200_000)
"""Pages of about 125 plain rows."""


class Collector:
    """Keeps what a poller gives and its cursor together, as one transaction does."""

    def __init__(self, fake: FakeHelicone, bounds: FetchBounds = ONCE, backfill: int = 3 * DAY) -> None:
        self.fake = fake
        self.bounds = bounds
        self.backfill = backfill
        self.cursor: str | None = None
        self.kept: dict[str, Request] = {}
        self.given = self.pages = 0
        self.complete: list[int] = []
        self.restart()

    def restart(self) -> None:
        self.api = HeliconeApi(
            self.fake.key, self.fake.url, backfill=self.backfill, known=self.known, bounds=self.bounds
        )

    def known(self, since: int, until: int) -> tuple[int, int]:
        found = [request for request in self.kept.values() if since <= request.occurred_at < until]
        reported = [request.cost.reported for request in found if not request.cached]
        return len(found), sum(cost.nano for cost in reported if cost is not None)

    def keep(self, page: PolledPage) -> None:
        self.cursor = page.cursor
        self.given += len(page.requests)
        self.pages += 1
        assert self.pages < 500, "it does not come to an end"
        self.kept |= {request.external_id: request for request in page.requests}
        if page.complete_until is not None:
            self.complete.append(page.complete_until)

    async def poll(self, now: int) -> int:
        """One whole poll; returns how many steps it took."""
        steps = 0
        more = True
        while more:
            page = await self.api.step(self.cursor, now)
            self.keep(page)
            steps, more = steps + 1, page.more
        return steps


@pytest.fixture
def fake() -> Iterator[FakeHelicone]:
    with FakeHelicone(clock=lambda: NOW).running() as running:
        yield running


def burst(count: int, at: int, apart: int) -> list[int]:
    return [at + number * apart for number in range(count)]


def length(asked: Any) -> int:
    """µs of time that a question is about."""
    since, until = (asked[side]["request_response_rmt"]["request_created_at"] for side in ("left", "right"))
    return to_micros(datetime.fromisoformat(until["lt"])) - to_micros(datetime.fromisoformat(since["gte"]))


def crowded() -> list[int]:
    """1,500 instants: 400 in one second, 100 in the one after, the others over two days."""
    return [
        *burst(400, NOW - DAY, 1000),
        *burst(100, NOW - DAY + SECOND, 1000),
        *burst(1000, NOW - 2 * DAY, DAY // 520),
    ]


@pytest.mark.replaces("fetcher/pages")
async def test_the_first_run_gives_every_request_of_the_back_fill_exactly_once(fake: FakeHelicone) -> None:
    wanted = fake.add_many(crowded())
    fake.add(NOW - 3 * DAY - SECOND)
    fake.add(NOW - SETTLING // 2)
    collector = Collector(fake, SMALL)
    steps = await collector.poll(NOW)
    assert sorted(collector.kept) == sorted(wanted)
    assert collector.given == 1_500
    assert steps > 12
    assert collector.complete == sorted(collector.complete)
    assert collector.complete[-1] == NOW - SETTLING


async def test_what_is_complete_is_never_more_than_what_was_given(fake: FakeHelicone) -> None:
    fake.add_many(crowded())
    collector = Collector(fake, SMALL)
    more = True
    while more:
        page = await collector.api.step(collector.cursor, NOW)
        collector.keep(page)
        until, more = collector.complete[-1], page.more
        there = {row.fields["request_id"] for row in fake.rows if row.at < until}
        assert there <= collector.kept.keys()


async def test_a_collector_killed_before_any_commit_loses_and_doubles_nothing(fake: FakeHelicone) -> None:
    wanted = fake.add_many(crowded())
    collector = Collector(fake, SMALL)
    more = True
    while more:
        await collector.api.step(collector.cursor, NOW)
        collector.restart()
        page = await collector.api.step(collector.cursor, NOW)
        more = page.more
        collector.keep(page)
        collector.restart()
    assert sorted(collector.kept) == sorted(wanted)


async def test_a_collector_killed_while_comparing_goes_on_where_it_was(fake: FakeHelicone) -> None:
    fake.add_many(burst(40, NOW - 40 * HOUR, HOUR))
    collector = Collector(fake, SMALL)
    await collector.poll(NOW)
    late = fake.add_many([*burst(300, NOW - 30 * HOUR, 1000), *burst(300, NOW - 3 * HOUR, 1000)])
    more = True
    while more:
        collector.restart()
        await collector.api.step(collector.cursor, NOW + 7 * HOUR)
        page = await collector.api.step(collector.cursor, NOW + 7 * HOUR)
        more = page.more
        collector.keep(page)
    assert set(late) <= collector.kept.keys()
    assert len(collector.kept) == len(fake.rows)
    assert len(fake.questions(TOTAL_COST)) == 16


async def test_a_page_that_could_not_be_stored_is_given_again(fake: FakeHelicone) -> None:
    fake.add_many(burst(5, NOW - HOUR, SECOND))
    collector = Collector(fake, backfill=2 * HOUR)
    lost = await collector.api.step(None, NOW)
    again = await collector.api.step(None, NOW)
    assert [request.external_id for request in lost.requests] == [request.external_id for request in again.requests]
    assert len(again.requests) == 5


async def test_later_polls_give_what_is_new_and_what_came_late_and_nothing_twice(fake: FakeHelicone) -> None:
    fake.add_many(burst(50, NOW - HOUR, MINUTE))
    collector = Collector(fake)
    await collector.poll(NOW)
    new, late = fake.add(NOW + MINUTE), fake.add(NOW - OVERLAP + MINUTE)
    given = collector.given
    await collector.poll(NOW + 5 * MINUTE)
    assert collector.given == given + 2
    assert {new["request_id"], late["request_id"]} <= collector.kept.keys()
    assert collector.complete[-1] == NOW + 5 * MINUTE - SETTLING


async def test_what_was_missed_while_nobody_asked_is_found_by_the_next_poll(fake: FakeHelicone) -> None:
    collector = Collector(fake)
    await collector.poll(NOW)
    missed = fake.add_many(burst(500, NOW + HOUR, 100 * SECOND))
    collector.restart()
    later = NOW + 3 * DAY
    fake.clock = lambda: later
    await collector.poll(later)
    assert sorted(collector.kept) == sorted(missed)


async def test_a_corrected_request_is_given_again(fake: FakeHelicone) -> None:
    (request_id,) = fake.add_many([NOW - 10 * MINUTE])
    collector = Collector(fake, backfill=HOUR)
    await collector.poll(NOW)
    fake.correct(request_id, cost=0.5)
    await collector.poll(NOW + 2 * MINUTE)
    reported = collector.kept[request_id].cost.reported
    assert reported is not None and reported.nano == 500_000_000


async def test_of_several_versions_on_a_page_the_newest_counts_and_a_short_page_is_not_the_end(
    fake: FakeHelicone,
) -> None:
    ids = fake.add_many(burst(200, NOW - HOUR, 10))
    for request_id in ids[:100]:
        fake.correct(request_id, request_user_id="bob")
    collector = Collector(fake, SMALL, backfill=2 * HOUR)
    await collector.poll(NOW)
    assert sorted(collector.kept) == sorted(ids)
    assert {collector.kept[request_id].user_id for request_id in ids[:100]} == {"bob"}


async def test_requests_that_came_days_late_are_found_once_a_day(fake: FakeHelicone) -> None:
    fake.add_many(burst(40, NOW - 7 * DAY, HOUR))
    collector = Collector(fake, backfill=10 * DAY)
    await collector.poll(NOW)
    late = fake.add(NOW - 6 * DAY)
    await collector.poll(NOW + 7 * HOUR)
    assert late["request_id"] not in collector.kept
    await collector.poll(NOW + 25 * HOUR)
    assert late["request_id"] in collector.kept


async def test_requests_that_came_very_late_are_found_by_comparing_totals(fake: FakeHelicone) -> None:
    fake.add_many(burst(40, NOW - 40 * HOUR, HOUR))
    collector = Collector(fake)
    await collector.poll(NOW)
    late = fake.add(NOW - 30 * HOUR, cost=0)
    await collector.poll(NOW + HOUR)
    assert late["request_id"] not in collector.kept
    pages = len(fake.questions(QUERY))
    collector.complete.clear()
    later = NOW + 7 * HOUR
    await collector.poll(later)
    assert late["request_id"] in collector.kept
    assert min(collector.complete) <= NOW - 30 * HOUR
    assert collector.complete[-1] == later - SETTLING
    asked = [compiled(body["filter"]) for body in fake.questions(QUERY)[pages + 1 :]]
    about = {row.at for row in fake.rows if any(matches(row) for matches in asked)}
    assert max(about) - min(about) <= 6 * HOUR


async def test_equal_totals_ask_for_no_page(fake: FakeHelicone) -> None:
    fake.add_many(burst(40, NOW - 40 * HOUR, HOUR))
    fake.add(NOW - 20 * HOUR, cache_reference_id="11111111-2222-3333-4444-555555555555", cost=5)
    collector = Collector(fake)
    await collector.poll(NOW)
    pages = len(fake.questions(QUERY))
    await collector.poll(NOW + 7 * HOUR)
    assert len(fake.questions(QUERY)) == pages + 1
    assert len(fake.questions(TOTAL_REQUESTS)) == len(fake.questions(TOTAL_COST)) == 8
    await collector.poll(NOW + 7 * HOUR + 5 * MINUTE)
    assert len(fake.questions(TOTAL_COST)) == 8


async def test_an_equal_number_with_another_cost_is_read_again(fake: FakeHelicone) -> None:
    ids = fake.add_many(burst(40, NOW - 40 * HOUR, HOUR))
    collector = Collector(fake)
    await collector.poll(NOW)
    fake.rows[7].fields |= {"cost": 0.25, "updated_at": "2026-11-25T00:00:00.000Z"}
    await collector.poll(NOW + 7 * HOUR)
    reported = collector.kept[ids[7]].cost.reported
    assert reported is not None and reported.nano == 250_000_000


async def test_what_lies_before_the_back_fill_is_not_compared(fake: FakeHelicone) -> None:
    fake.add(NOW - 5 * HOUR)
    collector = Collector(fake, backfill=HOUR)
    await collector.poll(NOW)
    await collector.poll(NOW + 7 * HOUR)
    assert collector.kept == {}
    assert fake.questions(TOTAL_COST)


async def test_a_range_is_read_to_its_end_with_progress_and_claims_nothing(fake: FakeHelicone) -> None:
    wanted = fake.add_many(burst(300, NOW - 60 * DAY, 10 * MINUTE))
    fake.add(NOW - DAY)
    collector = Collector(fake, SMALL)
    collector.cursor = range_cursor(NOW - 61 * DAY, NOW - 50 * DAY)
    shares: list[float] = []
    more = True
    while more:
        page = await collector.api.step(collector.cursor, NOW)
        collector.keep(page)
        more = page.more
        under_way = progress(page.cursor)
        assert under_way is not None
        shares.append(float(under_way.percent.strip("<%")))
    assert sorted(collector.kept) == sorted(wanted)
    assert shares == sorted(shares) and shares[-1] == 100 and len(set(shares)) > 5
    assert collector.complete == []


async def half_read(fake: FakeHelicone) -> tuple[Collector, str]:
    """Three days of which a part is read."""
    fake.add_many(burst(300, NOW - 60 * DAY, 10 * MINUTE))
    collector = Collector(fake, SMALL)
    collector.cursor = range_cursor(NOW - 60 * DAY, NOW - 57 * DAY)
    for _ in range(4):
        collector.keep(await collector.api.step(collector.cursor, NOW))
    assert collector.cursor is not None
    return collector, collector.cursor


@pytest.mark.parametrize("later", [0, HOUR])
async def test_a_span_that_begins_in_what_was_read_goes_on_behind_it(fake: FakeHelicone, later: int) -> None:
    collector, cursor = await half_read(fake)
    collector.cursor = resumed(cursor, NOW - 60 * DAY + later, NOW - 57 * DAY + later)
    assert collector.cursor is not None
    before, place = progress(cursor), progress(collector.cursor)
    assert before is not None and place is not None
    assert (place.since, place.at) == (NOW - 60 * DAY + later, before.at)
    more = True
    while more:
        page = await collector.api.step(collector.cursor, NOW)
        collector.keep(page)
        more = page.more
    assert len(collector.kept) == 300


@pytest.mark.parametrize("since", [NOW - 61 * DAY, NOW - 57 * DAY - HOUR])
async def test_a_span_that_begins_elsewhere_does_not_go_on(fake: FakeHelicone, since: int) -> None:
    _, cursor = await half_read(fake)
    assert resumed(cursor, since, NOW - 57 * DAY) is None
    assert resumed(range_cursor(since, NOW), since, NOW) is None
    assert resumed("{", since, NOW) is None


async def test_two_readings_in_turn_do_not_hide_requests_from_each_other(fake: FakeHelicone) -> None:
    wanted = fake.add_many(crowded())
    following, ranging = Collector(fake, SMALL), Collector(fake, SMALL)
    ranging.api = following.api
    ranging.cursor = range_cursor(NOW - 3 * DAY, NOW)
    while len(following.kept) < 1_500 or len(ranging.kept) < 1_500:
        following.keep(await following.api.step(following.cursor, NOW))
        ranging.keep(await ranging.api.step(ranging.cursor, NOW))
    assert sorted(following.kept) == sorted(ranging.kept) == sorted(wanted)


@pytest.mark.parametrize("cursor", ["", "{", '{"type": "tomorrow"}', "[" * 5_000])
async def test_a_cursor_of_another_version_begins_anew(fake: FakeHelicone, cursor: str) -> None:
    fake.add(NOW - HOUR)
    page = await Collector(fake).api.step(cursor, NOW)
    assert page.complete_until == NOW - 2 * DAY


async def test_every_leaf_of_a_filter_has_one_column_and_one_operator(fake: FakeHelicone) -> None:
    fake.add_many(burst(3, NOW - HOUR, SECOND))
    collector = Collector(fake)
    await collector.poll(NOW)
    fake.add(NOW - 2 * HOUR)
    await collector.poll(NOW + 7 * HOUR)

    def leaves(node: Any) -> Iterator[dict[str, Any]]:
        if "operator" in node:
            yield from leaves(node["left"])
            yield from leaves(node["right"])
        else:
            yield node["request_response_rmt"]

    found = [leaf for asked in fake.asked if asked.body for leaf in leaves(asked.body["filter"])]
    assert {len(leaf) for leaf in found} == {1}
    assert {len(condition) for leaf in found for condition in leaf.values()} == {1}


async def test_a_second_page_that_fails_leaves_the_first_one(fake: FakeHelicone) -> None:
    wanted = fake.add_many(crowded())
    fake.fail(QUERY, 500, {"message": "Internal Server Error", "details": "Internal Server Error"}, skip=3)
    collector = Collector(fake, SMALL)
    with pytest.raises(PollFailed):
        await collector.poll(NOW)
    before = dict(collector.kept)
    await collector.poll(NOW)
    assert sorted(collector.kept) == sorted(wanted)
    assert before.items() <= collector.kept.items()


async def test_a_429_is_waited_for_as_long_as_helicone_says(fake: FakeHelicone, waits: list[float]) -> None:
    fake.add(NOW - HOUR)
    fake.fail(QUERY, 429, {"error": "Too many requests, please try again later."}, headers={"Retry-After": "7"})
    collector = Collector(fake, USUAL, backfill=2 * HOUR)
    await collector.poll(NOW)
    assert waits == [7.0]
    assert len(collector.kept) == 1


async def test_a_long_retry_after_is_left_to_the_next_poll(fake: FakeHelicone) -> None:
    fake.fail(QUERY, 429, {"error": "Too many requests"}, headers={"Retry-After": "280"})
    with pytest.raises(PollFailed) as caught:
        await Collector(fake).poll(NOW)
    assert caught.value.retry_after == 280


async def test_answers_that_are_too_large_are_asked_for_in_halves(fake: FakeHelicone) -> None:
    wanted = fake.add_many(burst(300, NOW - HOUR, SECOND), request_body={"messages": ["x" * 20_000]})
    collector = Collector(fake, FetchBounds(attempts=1, most_bytes=500_000), backfill=2 * HOUR)
    await collector.poll(NOW)
    assert sorted(collector.kept) == sorted(wanted)
    limits = [body["limit"] for body in fake.questions(QUERY)]
    assert limits[:5] == [250, 125, 62, 31, 15]


async def test_one_request_that_is_too_large_alone_ends_the_poll(fake: FakeHelicone) -> None:
    fake.add(NOW - HOUR, request_body={"messages": ["x" * 300_000]})
    with pytest.raises(AnswerTooLarge):
        await Collector(fake, SMALL, backfill=2 * HOUR).poll(NOW)


async def test_after_a_timeout_at_helicone_less_is_asked_for_then_more_again(fake: FakeHelicone) -> None:
    fake.add_many(burst(60, NOW - 3 * DAY, HOUR))
    fake.fail(QUERY, 500, {"message": "Query timeout. Try a shorter time range or simpler filters."}, times=2)
    collector = Collector(fake, backfill=4 * DAY)
    for _ in range(2):
        with pytest.raises(PollFailed):
            await collector.poll(NOW)
    await collector.poll(NOW)
    assert len(collector.kept) == 60
    questions = fake.questions(QUERY)
    limits = [body["limit"] for body in questions]
    assert limits[:3] == [250, 125, 62] and max(limits) > 250
    spans = [length(body["filter"]) for body in questions]
    assert spans[:3] == [24 * HOUR, 12 * HOUR, 6 * HOUR] and spans.count(24 * HOUR) > 1


@pytest.mark.parametrize(
    ("key", "permissions", "says"),
    [
        ("sk-helicone-1234567-1234567-1234567-1234567", "rw", 'base_url has to be "https://eu.api.helicone.ai"'),
        (KEY, "r", "read and write permission"),
        ("sk-proj-canary", "rw", "looks like a project key of OpenAI"),
        ("canary", "rw", "cannot read the key (400)"),
    ],
)
async def test_a_refused_key_is_told_with_the_way_out(
    fake: FakeHelicone, key: str, permissions: str, says: str
) -> None:
    fake.permissions = permissions
    api = HeliconeApi(key, fake.url, backfill=DAY, known=lambda since, until: (0, 0), bounds=SMALL)
    with pytest.raises(KeyRefused) as caught:
        await api.step(None, NOW)
    assert says in str(caught.value)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (422, b'{"message": "Validation Failed", "details": {"canary": {"message": "canary"}}}'),
        (200, b'{"data": null, "error": "canary"}'),
        (201, b"<html>canary</html>"),
        (201, b'{"data": [{"request_id": "canary'),
        (201, b'{"data": {"canary": 1}, "error": null}'),
        (201, b'{"data": null, "error": null}'),
        (201, b"[17]"),
    ],
)
async def test_what_is_no_page_fails_the_poll_and_quotes_nothing(fake: FakeHelicone, status: int, raw: bytes) -> None:
    fake.fail(QUERY, status, raw=raw)
    with pytest.raises(PollFailed) as caught:
        await Collector(fake).poll(NOW)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("total", ["null", '"x"', "{}", "1e400", "-1e30", '"NaN"'])
async def test_totals_that_are_no_number_never_hold_up_reading(
    fake: FakeHelicone, total: str, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(fake)
    await collector.poll(NOW)
    late = fake.add(NOW - HOUR)
    fake.fail(TOTAL_COST, 200, raw=b'{"data": %b, "error": null}' % total.encode())
    await collector.poll(NOW + 7 * HOUR)
    assert "totals are compared again later" in caplog.text
    new = fake.add(NOW + 7 * HOUR)
    fake.clock = lambda: NOW + 8 * HOUR
    await collector.poll(NOW + 7 * HOUR + 5 * MINUTE)
    assert new["request_id"] in collector.kept
    assert late["request_id"] not in collector.kept
    await collector.poll(NOW + 8 * HOUR)
    assert late["request_id"] in collector.kept


async def test_totals_are_waited_for_while_helicone_asks_for_fewer_questions(fake: FakeHelicone) -> None:
    collector = Collector(fake)
    await collector.poll(NOW)
    fake.fail(TOTAL_COST, 429, {"error": "Too many requests"}, headers={"Retry-After": "280"})
    with pytest.raises(PollFailed) as caught:
        await collector.poll(NOW + 7 * HOUR)
    assert caught.value.retry_after == 280


async def test_half_a_character_in_a_prompt_stops_nothing(fake: FakeHelicone) -> None:
    fake.add(NOW - HOUR, request_body={"messages": ["\ud83d", "\ud83d\ude00", "\\ud83d"]})
    collector = Collector(fake, backfill=2 * HOUR)
    await collector.poll(NOW)
    (request,) = collector.kept.values()
    assert json.loads(request.request_body or b"") == {"messages": ["\ufffd", "\U0001f600", "\\ud83d"]}


async def test_a_row_that_cannot_be_read_is_told_in_the_log_and_stops_nothing(
    fake: FakeHelicone, caplog: pytest.LogCaptureFixture
) -> None:
    fake.add(NOW - HOUR, model={"canary": 1})
    good = fake.add(NOW - HOUR + 1000)
    collector = Collector(fake, backfill=2 * HOUR)
    await collector.poll(NOW)
    assert list(collector.kept) == [good["request_id"]]
    assert "1 of 2 requests of Helicone cannot be read: model" in caplog.text
    assert "canary" not in caplog.text


async def test_a_helicone_that_never_comes_to_an_end_is_left(fake: FakeHelicone) -> None:
    fake.add(NOW - HOUR)
    page = json.dumps({"data": [fake.rows[0].fields], "error": None}).encode()
    fake.fail(QUERY, 201, raw=page, times=1_000_000)
    with pytest.raises(PollFailed, match="without end"):
        await Collector(fake, backfill=2 * HOUR).poll(NOW)
    assert len(fake.questions(QUERY)) < 200


async def test_a_row_that_was_not_asked_for_leads_past_nothing(fake: FakeHelicone) -> None:
    wanted = [fake.add(NOW - 2 * HOUR)["request_id"], fake.add(NOW - HOUR)["request_id"]]
    stray = json.dumps({"data": [fake.rows[1].fields], "error": None}).encode()
    collector = Collector(fake, backfill=2 * DAY)
    fake.fail(QUERY, 201, raw=stray)
    page = await collector.api.step(None, NOW)
    assert page.complete_until == NOW - 2 * DAY
    collector.keep(page)
    await collector.poll(NOW)
    assert sorted(collector.kept) == sorted(wanted)


async def test_quoted_whole_numbers_and_absent_bodies_are_read(fake: FakeHelicone) -> None:
    fake.quotes_integers = True
    row = fake.add(
        NOW - HOUR,
        request_body=ELSEWHERE,
        response_body=ELSEWHERE,
        storage_location="s3",
        signed_body_url="https://s3.example/secret",
        prompt_cache_read_tokens=1024,
        reasoning_tokens=5,
    )
    collector = Collector(fake, backfill=2 * HOUR)
    await collector.poll(NOW)
    request = collector.kept[row["request_id"]]
    assert (request.usage.prompt, request.usage.completion, request.usage.reasoning) == (1037, 22, 5)
    assert (request.body_state, request.request_body) == (BodyState.NOT_SENT, None)


async def test_one_request_is_fetched_with_its_bodies(fake: FakeHelicone) -> None:
    row = fake.add(NOW - HOUR)
    api = Collector(fake).api
    request = await api.request(row["request_id"], NOW)
    assert request is not None
    assert (request.source, request.verified, request.time_source) == (HELICONE_API, True, TimeSource.API)
    assert json.loads(request.response_body or b"") == row["response_body"]


@pytest.mark.parametrize("request_id", ["11111111-2222-3333-4444-555555555555", "../webhooks", "", "a?b"])
async def test_a_request_that_helicone_does_not_have_is_none(fake: FakeHelicone, request_id: str) -> None:
    assert await Collector(fake).api.request(request_id, NOW) is None


async def test_what_was_read_for_nobody_is_given_again(fake: FakeHelicone, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.add_many([NOW - 2 * HOUR + number * SECOND for number in range(300)])
    collector = Collector(fake, SMALL)
    while not collector.kept:
        collector.keep(await collector.api.step(collector.cursor, NOW))
    begun, going_on, ended = Event(), Event(), Event()
    understand = requests._requests

    def late(rows: list[Row], now: int) -> tuple[Request, ...]:
        begun.set()
        assert going_on.wait(DEADLINE)
        ended.set()
        return understand(rows, now)

    with monkeypatch.context() as patched:
        patched.setattr(requests, "_requests", late)
        async with asyncio.TaskGroup() as group:
            step = group.create_task(collector.api.step(collector.cursor, NOW))
            await asyncio.to_thread(begun.wait, DEADLINE)
            step.cancel()
        going_on.set()
        await asyncio.to_thread(ended.wait, DEADLINE)
    await collector.poll(NOW)
    assert len(collector.kept) == 300
