"""All pollers of a configuration, followed as it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from spendtop.collector.polling.poll_supervisor import PollSupervisor
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, to_micros
from spendtop.sources.pollers.http_client import USUAL
from spendtop.store.facts import first_start
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.sources.pollers.fake_helicone import QUERY, FakeHelicone
from tests.sources.pollers.fake_openai import ADMIN_KEY, FIRST_DAY, FakeOpenAI, a_month
from tests.waiting import DEADLINE, soon


@pytest.fixture
def fake(bench: Bench) -> Iterator[FakeHelicone]:
    with FakeHelicone(clock=bench.clock).running() as running:
        yield running


def openai(fake: FakeOpenAI, more: str = "") -> str:
    return f'[openai]\nadmin_key = "{ADMIN_KEY}"\nbase_url = "{fake.url}"\n{more}'


def with_api(bench: Bench, fake: FakeHelicone, more: str = "") -> None:
    """Configure Helicone's API beside its webhook."""
    bench.configure(more)
    text = bench.file.read_text()
    bench.file.write_text(
        text.replace("[helicone]\n", f'[helicone]\napi_key = "{fake.key}"\nbase_url = "{fake.url}"\n')
    )


def asked_for_costs(fake: FakeOpenAI) -> int:
    return sum("line_item" in asked.query.get("group_by", ()) for asked in fake.asked)


@asynccontextmanager
async def polling(bench: Bench) -> AsyncIterator[PollSupervisor]:
    bench.start()
    pollers = PollSupervisor(Polling(bench).context, lambda: bench.active.settings, lambda: True)
    stop = asyncio.Event()
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        tasks.create_task(pollers.run(stop))
        yield pollers
        stop.set()


async def test_requests_and_costs_are_polled_at_once(bench: Bench, fake: FakeHelicone) -> None:
    fake.add(bench.clock() - DAY)
    with FakeOpenAI(a_month()) as bills:
        with_api(bench, fake, openai(bills))
        async with polling(bench) as pollers:
            await soon(lambda: set(pollers.running()) == {"helicone-api", "openai-costs", "openai-limits"})
            await soon(lambda: bench.rows("SELECT count(*) FROM request") == [(1,)])
            await soon(lambda: bench.rows("SELECT count(*) FROM day_cost WHERE cost_nano > 0") == [(18,)])
    assert bench.rows("SELECT min(day) FROM day_cost") == [(FIRST_DAY,)]


async def test_a_saved_configuration_ends_what_is_gone_and_begins_what_is_new(bench: Bench, fake: FakeHelicone) -> None:
    with FakeOpenAI(a_month()) as bills:
        with_api(bench, fake, openai(bills))
        async with polling(bench) as pollers:
            await soon(lambda: len(pollers.running()) == 3)
            kept = pollers.running()["openai-costs"]
            bench.configure(openai(bills, '[[account]]\nname = "wallet"\nprovider = "other"\n'))
            bench.active.apply(bench.load())
            await soon(lambda: set(pollers.running()) == {"openai-costs", "openai-limits"})
            assert pollers.running()["openai-costs"] is kept
            bench.configure(openai(bills, 'poll_every = "30m"\n'))
            bench.active.apply(bench.load())
            await soon(lambda: pollers.running().get("openai-costs") not in (None, kept))


async def test_pollers_begin_anew_after_a_failure(bench: Bench) -> None:
    class Failing(Exception):
        pass

    def settings() -> Settings:
        if fails:
            raise Failing
        return bench.active.settings

    fails = False
    with FakeOpenAI(a_month()) as bills:
        bench.configure(openai(bills))
        bench.start()
        pollers = PollSupervisor(Polling(bench).context, settings, lambda: True)
        stop = asyncio.Event()
        async with asyncio.timeout(DEADLINE):
            running = asyncio.ensure_future(pollers.run(stop))
            await soon(lambda: asked_for_costs(bills) == 1)
            fails = True
            with pytest.raises(ExceptionGroup):
                await running
            fails = False
            running = asyncio.ensure_future(pollers.run(stop))
            await soon(lambda: asked_for_costs(bills) == 2)
            stop.set()
            await running


async def test_it_stops_at_once_in_the_middle_of_an_answer(bench: Bench) -> None:
    with FakeOpenAI(a_month()) as bills:
        bench.configure(openai(bills))
        bills.always = bills.drip
        async with polling(bench):
            await soon(lambda: bills.asked)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < USUAL.deadline


async def test_the_costs_begin_where_the_configuration_says(bench: Bench) -> None:
    with FakeOpenAI(a_month()) as bills:
        bench.configure(openai(bills, "epoch = 2026-11-05\n"))
        async with polling(bench):
            await soon(lambda: bench.rows("SELECT min(day) FROM day_cost") == [(FIRST_DAY + 4,)])


def test_the_first_start_is_remembered(bench: Bench) -> None:
    first = to_micros(datetime(2026, 11, 1, tzinfo=UTC))
    with bench.store.writing() as connection:
        assert first_start(connection, first) == first
        assert first_start(connection, first + DAY) == first


async def test_requests_of_before_the_first_start_are_no_gap(bench: Bench, fake: FakeHelicone) -> None:
    fake.add(bench.clock() - DAY)
    with_api(bench, fake)
    async with polling(bench):
        await soon(lambda: fake.questions(QUERY))
        await soon(lambda: bench.rows("SELECT count(*) FROM request") == [(1,)])
    assert bench.rows("SELECT count(*) FROM gap") == [(0,)]
