"""What stands for spend where bills come and no requests, on both databases."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import ZERO, Usd
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import account_now
from spendtop.store.reads.ledger.bills import BillHistory, Bills, bill_history, bills_unseen
from tests.accounts import OPENAI, ROUTER, WALLET
from tests.conftest import SettableClock
from tests.store.conftest import Recorded


class Provider:
    """Bills one account by UTC days counted back from today."""

    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.today = clock() // DAY

    def bills(self, *amounts: str) -> None:
        """Of today, yesterday and so on, as one poll tells them."""
        parts = tuple(CostPart(day=self.today - ago, amount=Decimal(amount)) for ago, amount in enumerate(amounts))
        costs = Costs(first_day=self.today - len(amounts) + 1, last_day=self.today, parts=parts)
        with self.store.writing() as connection:
            ledger.take_costs(connection, "openai", costs, self.clock())

    def unseen(self) -> Bills | None:
        with self.store.reading() as connection:
            return bills_unseen(connection, (OPENAI,), self.clock())

    def history(self, days: int) -> BillHistory:
        with self.store.reading() as connection:
            accounts = [account_now(connection, each, self.clock()) for each in (OPENAI, ROUTER)]
            return bill_history(connection, accounts, self.today - days + 1, self.today)


@pytest.fixture
def provider(store: Store, clock: SettableClock) -> Provider:
    return Provider(store, clock)


def stands(provider: Provider) -> tuple[int, Usd] | None:
    """The day, counted back from today, whose bill stands for today's spend."""
    bills = provider.unseen()
    return None if bills is None or bills.day is None else (provider.today - bills.day.day, bills.day.cost)


@pytest.mark.replaces("credit/bills")
def test_the_bill_of_today_stands_for_its_spend_and_says_how_old_it_is(
    provider: Provider, clock: SettableClock
) -> None:
    provider.bills("0.40", "3.20")
    clock.advance(HOUR)
    assert stands(provider) == (0, Usd.of("0.40"))
    bills = provider.unseen()
    assert (
        bills
        and bills.day
        and (bills.day.words(clock()), bills.day.age(clock()))
        == (
            "billed today $0.40",
            "1h ago",
        )
    )


def test_a_bill_that_may_only_be_late_is_no_zero(provider: Provider) -> None:
    assert stands(provider) is None
    provider.bills("0", "3.20")
    assert stands(provider) == (1, Usd.of("3.20"))


def test_a_whole_day_without_cost_is_one(provider: Provider) -> None:
    provider.bills("0", "0")
    assert stands(provider) == (1, ZERO)


def test_nothing_stands_for_spend_where_requests_are_seen_or_nobody_is_asked(
    provider: Provider, recorded: Recorded, clock: SettableClock, store: Store
) -> None:
    with store.reading() as connection:
        assert bills_unseen(connection, (WALLET,), clock()) is None
    provider.bills("0.40", "3.20")
    recorded.add([recorded.request(clock() - 2 * DAY, 5)])
    assert stands(provider) == (0, Usd.of("0.40"))
    recorded.add([recorded.request(clock() - DAY, 5)])
    assert provider.unseen() is None


def test_the_balance_of_each_day_follows_from_bills_and_entries_since(
    provider: Provider, store: Store, clock: SettableClock
) -> None:
    provider.bills("0.50", "2", "4")
    with store.writing() as connection:
        ledger.calibrate(connection, OPENAI, Usd.of(20), clock(), clock())
        ledger.record(connection, "openai", EntryKind.DEPOSIT, Usd.of(10), clock() - DAY + 1, clock())
    history = provider.history(4)
    assert history.billed == (None, Usd.of(4), Usd.of(2), Usd.of("0.50"))
    assert history.left == (Usd.of("16.50"), Usd.of("12.50"), Usd.of("20.50"), Usd.of(20))


def test_a_balance_that_is_told_stays_until_the_next_one(
    provider: Provider, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection:
        for ago, dollars in ((9, "50"), (2, "31"), (2, "30"), (0, "20")):
            clock.advance(1)
            ledger.take_balance(connection, "router", Usd.of(dollars), clock() - ago * DAY)
    assert provider.history(4).left == (Usd.of(50), Usd.of(30), Usd.of(30), Usd.of(20))
