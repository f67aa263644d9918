"""The loop that watches accounts: what is entered and polled is noticed soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from msgspec.structs import replace

from spendtop.collector.polling.account_watch import AccountWatch
from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.ledger import entries as ledger
from tests import accounts
from tests.collector.conftest import Bench
from tests.waiting import DEADLINE, soon

WALLET = (
    '[[account]]\nname = "wallet"\nprovider = "other"\nlow_balance = 10\nnotify = ["ops"]\n'
    '[[channel]]\nname = "ops"\nurl = "json://localhost"\n[[channel]]\nname = "mail"\nurl = "json://localhost"\n'
)


KEPT = replace(accounts.WALLET, provider="other")


class Watching:
    """The loop on a bench, and what it said."""

    def __init__(self, bench: Bench) -> None:
        bench.start()
        self.bench = bench
        self.owns = True
        self.said: list[str] = []
        self.watch = AccountWatch(
            bench.store,
            bench.recorder,
            lambda: bench.active.settings,
            bench.clock,
            lambda: self.owns,
            self._announced,
        )

    def _announced(self, announcements: Sequence[Announcement]) -> None:
        self.said += [f"{each.message.kind} {each.message.limit_name}" for each in announcements]

    def calibrate(self, dollars: str) -> None:
        now = self.bench.clock()
        with self.bench.store.writing() as connection:
            ledger.calibrate(connection, KEPT, Usd.of(dollars), now, now)
        self.watch.wake()

    def deposit(self, dollars: str) -> None:
        self.bench.clock.advance(1)
        now = self.bench.clock()
        with self.bench.store.writing() as connection:
            ledger.record(connection, "wallet", EntryKind.ADJUSTMENT, Usd.of(dollars), now, now)
        self.watch.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watch.run(stop))
            yield
            stop.set()


async def test_entries_by_hand_are_noticed_and_the_accounts_channels_told(bench: Bench) -> None:
    bench.configure(WALLET)
    watching = Watching(bench)
    async with watching.running():
        watching.calibrate("9.99")
        await soon(lambda: watching.said == ["low balance wallet"])
        watching.deposit("50")
        await soon(lambda: watching.said == ["low balance wallet", "resolved wallet"])
    assert bench.rows("SELECT channel, kind FROM delivery WHERE kind = 'low balance'") == [("ops", "low balance")]


async def test_nothing_is_said_while_another_collector_evaluates(bench: Bench) -> None:
    bench.configure(WALLET)
    watching = Watching(bench)
    watching.owns = False
    async with watching.running():
        watching.calibrate("1")
        await asyncio.sleep(0)
        assert watching.said == []
        watching.owns = True
        watching.watch.wake()
        await soon(lambda: watching.said == ["low balance wallet"])


async def test_a_saved_threshold_counts_at_once(bench: Bench) -> None:
    bench.configure(WALLET)
    watching = Watching(bench)
    async with watching.running():
        watching.calibrate("20")
        bench.configure(WALLET.replace("low_balance = 10", "low_balance = 30"))
        bench.active.apply(bench.load())
        watching.watch.wake()
        await soon(lambda: watching.said == ["low balance wallet"])


async def test_a_poller_without_an_answer_is_told(bench: Bench) -> None:
    bench.configure('[openai]\nadmin_key = "sk-admin-canary"\n')
    watching = Watching(bench)
    async with watching.running():
        await asyncio.sleep(0)
        bench.clock.advance(DAY)
        watching.watch.wake()
        await soon(lambda: watching.said == ["stale data openai-costs"])


async def test_what_the_last_answers_lack_is_amiss_until_it_is_told_again(bench: Bench) -> None:
    bench.configure('[openai]\nadmin_key = "sk-admin-canary"\n')
    watching = Watching(bench)
    today = bench.clock() // DAY
    whole = (CostPart(day=today - 9, amount=Decimal(5)),)

    def answer(*parts: CostPart) -> None:
        costs = Costs(first_day=today - 9, last_day=today, parts=parts)
        with bench.store.writing() as connection:
            ledger.take_costs(connection, "openai", costs, bench.clock())
        watching.watch.wake()

    answer(*whole)
    with bench.store.writing() as connection:
        ledger.calibrate(connection, accounts.OPENAI, Usd.of(20), bench.clock(), bench.clock())
    async with watching.running():
        answer()
        await soon(lambda: (watching.watch.doubts or "").startswith("openai: Since "))
        answer(*whole)
        await soon(lambda: watching.watch.doubts is None)
    assert watching.said == []
