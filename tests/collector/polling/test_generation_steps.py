"""Calls whose client hung up get their cost from OpenRouter, once it knows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from spendtop.collector.polling.generation_steps import GenerationSteps
from spendtop.collector.polling.poll_config import PolledGenerations, is_optional, polled
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.requests.request import Request, Status, Usage
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.openrouter.generations import OpenRouterGenerations
from tests.collector.conftest import Bench
from tests.collector.polling.test_poll_config import settings
from tests.collector.polling_bench import Polling
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, answer

TOLD = document("openrouter/generation")["data"]
NAMED, MODEL = TOLD["id"], TOLD["model"]
ROUTE = "/api/v1/generation"
STORED = "SELECT status, cost_nano, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens FROM request"


def hung_up(bench: Bench, named: str, **fields: object) -> None:
    values = {"usage": Usage(), "status": Status.CANCELLED, "provider": "openrouter", "user_id": "ann", **fields}
    pushed = bench.request(None, source=OPENROUTER_PUSH, external_id=named, response_id=named, model=MODEL, **values)
    bench.record(pushed)


async def test_a_call_that_was_given_up_is_completed_as_soon_as_it_is_known(bench: Bench) -> None:
    bench.start()
    office = Polling(bench)
    with FakeApi(
        {ROUTE: answer({"error": {"code": 404, "message": "no"}}, 404)}, authorization="Bearer sk-or-canary"
    ) as fake:
        poller = OpenRouterGenerations("sk-or-canary", fake.url, bounds=FetchBounds(attempts=1))
        steps = GenerationSteps("openrouter-generations", 5 * MINUTE, poller, office.context)
        await office.poll(steps)
        hung_up(bench, NAMED)
        await office.poll(steps)
        assert fake.asked == []  # nothing to ask, and then too early
        bench.clock.now += 2 * MINUTE
        await office.poll(steps)
        assert bench.rows(STORED) == [("cancelled", None, None, None, None, None)]
        fake.pages[ROUTE] = page("openrouter/generation")
        await office.poll(steps)
        assert len(fake.asked) == 1  # it was asked for at this age
        bench.clock.now += 4 * MINUTE
        await office.poll(steps)
        assert bench.rows(STORED) == [("cancelled", 4_412_000, 2_489, 569, 1_024, 145)]
        assert [asked.one("id") for asked in fake.asked] == [NAMED, NAMED]
        await office.poll(steps)
        assert len(fake.asked) == 2
        assert office.checkpoint("openrouter-generations").succeeded_at == bench.clock()
        assert bench.rows("SELECT count(*), sum(cost_nano) FROM request") == [(1, 4_412_000)]


async def test_answers_about_another_call_or_without_a_cost_change_nothing(bench: Bench) -> None:
    bench.start()
    office = Polling(bench)
    hung_up(bench, "gen-other")
    hung_up(bench, NAMED)
    bench.record(bench.request(cost=1.0, status=Status.CANCELLED, provider="openrouter", response_id="gen-known"))
    bench.clock.now += 2 * MINUTE
    with FakeApi({ROUTE: answer({"data": {**TOLD, "total_cost": None}})}) as fake:
        poller = OpenRouterGenerations("sk-or-canary", fake.url, bounds=FetchBounds(attempts=1))
        steps = GenerationSteps("openrouter-generations", 5 * MINUTE, poller, office.context)
        await office.poll(steps)
        assert {asked.one("id") for asked in fake.asked} == {NAMED, "gen-other"}
        bench.clock.now += 4 * MINUTE
        fake.pages[ROUTE] = Answer(body=page("openrouter/generation"))
        fake.always = lambda good: answer({"error": {"message": "canary-answer-text"}}, 401)
        with pytest.raises(KeyRefused, match="Any key of the account") as refused:
            await office.poll(steps)
        assert "canary" not in str(refused.value)
    assert bench.rows("SELECT count(*) FROM request WHERE cost_nano IS NULL") == [(2,)]


class Silent:
    """Never knows a call."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def requests(self, ids: tuple[str, ...], now: int) -> tuple[Request, ...]:
        self.asked.append(ids)
        return ()


async def test_calls_that_are_never_known_are_asked_for_a_few_times_and_keep_no_other_waiting(bench: Bench) -> None:
    bench.start()
    office, silent = Polling(bench), Silent()
    steps = GenerationSteps("openrouter-generations", 5 * MINUTE, silent, office.context)  # type: ignore[arg-type]
    for number in range(40):
        hung_up(bench, f"gen-{number}")
        bench.clock.now += SECOND
    for poll in range(40):
        bench.clock.now += 5 * MINUTE
        if poll == 3:
            hung_up(bench, "gen-new")
            bench.clock.now += 2 * MINUTE
        await office.poll(steps)
    assert "gen-new" in silent.asked[3]
    times = Counter(each for ids in silent.asked for each in ids)
    assert set(times) == {"gen-new", *(f"gen-{number}" for number in range(40))} and max(times.values()) <= 5
    assert max(map(len, silent.asked)) <= 20


def test_it_is_asked_where_openrouter_pushes_and_there_is_a_key(tmp_path: Path) -> None:
    account = '[[account]]\nname = "router"\nprovider = "openrouter"\nkey = "sk-or-canary"\n'
    text = f'[server]\ningest_keys = {{ openrouter-push = "0123456789abcdeg" }}\n{account}'
    (found,) = (each for each in polled(settings(tmp_path, text)) if isinstance(each, PolledGenerations))
    assert (found.name, found.every, is_optional(found)) == ("openrouter-generations", 5 * MINUTE, True)
    assert "canary" not in repr(found)
    assert not any(isinstance(each, PolledGenerations) for each in polled(settings(tmp_path, account)))
