"""Calibrations that settle once their day is billed in full."""

from __future__ import annotations

import pytest

from spendtop.collector.polling.poll_steps import CalibrationSettlement
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.money import Usd
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.store.reads.ledger.balances import balance_now, latest_calibration
from tests.accounts import OPENAI
from tests.collector.conftest import Bench
from tests.collector.polling.test_poll_steps import Month
from tests.collector.polling_bench import Polling
from tests.sources.pollers.fake_openai import ADMIN_KEY, FIRST_DAY, Cost, FakeOpenAI, Used
from tests.sources.pollers.fake_provider import no_scopes

PRICES = '[prices."gpt-x"]\ninput = 1\noutput = 1\n'
FOURTH = FIRST_DAY + 3


def bills() -> list[Cost]:
    """30 dollars in three days."""
    return [Cost(day=FIRST_DAY + day, amount="10") for day in range(3)]


def use(hour: int, tokens: int) -> Used:
    return Used(at=FOURTH * 86_400 + hour * 3600, model="gpt-x", prompt=tokens, completion=0)


async def settled(bench: Bench, fake: FakeOpenAI, after: int) -> Usd | None:
    """The settled spend of a calibration at 14:00 on the fourth day, `after` µs later."""
    bench.configure(PRICES)
    bench.start()
    office = Polling(bench)
    month = Month(office, fake)
    fake.costs = [*bills(), Cost(day=FOURTH, amount="1.00")]
    await month.poll(3, 14)
    month.sync("41.00")
    fake.costs = [*bills(), Cost(day=FOURTH, amount="2.52")]
    bench.clock.advance(after)
    await office.poll(month.job)
    await CalibrationSettlement(
        OpenAICosts(ADMIN_KEY, fake.url, bounds=FetchBounds(attempts=1)), office.context
    ).settle("openai")
    with bench.store.reading() as connection:
        found = latest_calibration(connection, "openai")
    assert found is not None
    return found.settled


async def test_two_days_later_the_share_of_the_days_usage_settles_it(bench: Bench) -> None:
    used = [use(9, 1_440_000), use(15, 960_000)]
    with FakeOpenAI(used=used) as fake:
        assert await settled(bench, fake, 2 * DAY) == Usd.of("31.512")
    with bench.store.reading() as connection:
        assert balance_now(connection, OPENAI, bench.clock()).amount == Usd.of("39.992")


async def test_earlier_nothing_settles(bench: Bench) -> None:
    with FakeOpenAI(used=[use(9, 1)]) as fake:
        assert await settled(bench, fake, 2 * DAY - HOUR) is None


async def test_a_day_without_usage_does_not_settle(bench: Bench) -> None:
    with FakeOpenAI() as fake:
        assert await settled(bench, fake, 2 * DAY) is None


async def test_usage_that_cannot_be_read_is_told_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with FakeOpenAI(used=[use(9, 1)]) as fake:
        bench.configure(PRICES)
        bench.start()
        office = Polling(bench)
        month = Month(office, fake)
        await month.poll(3, 14)
        month.sync("41.00")
        bench.clock.advance(2 * DAY)
        fake.always = no_scopes
        await CalibrationSettlement(
            OpenAICosts(ADMIN_KEY, fake.url, bounds=FetchBounds(attempts=1)), office.context
        ).settle("openai")
    assert "a calibration could not be settled" in caplog.text
