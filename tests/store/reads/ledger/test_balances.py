"""What lowers a balance that nobody bills, on both databases."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import AccountNow, AccountState, account_now
from spendtop.store.reads.ledger.balances import Account, BalanceBasis
from tests.accounts import OPENAI, ROUTER, WALLET
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

DOLLAR = 1_000_000_000
MOONSHOT = replace(WALLET, provider="moonshot")
SHARED = replace(WALLET, shared_with=("spare",))
OTHER = replace(WALLET, provider="other")


class Purse:
    """The account without bills, and the requests that are paid from it."""

    def __init__(self, store: Store, clock: SettableClock, recorded: Recorded) -> None:
        self.store, self.clock, self.recorded = store, clock, recorded

    def calibrate(self, dollars: str, account: Account = WALLET) -> ledger.Calibrated:
        with self.store.writing() as connection:
            return ledger.calibrate(connection, account, Usd.of(dollars), self.clock(), self.clock())

    def deposit(self, dollars: str, ago: int = 0) -> None:
        now = self.clock()
        with self.store.writing() as connection:
            ledger.record(connection, WALLET.name, EntryKind.DEPOSIT, Usd.of(dollars), now - ago, now)

    def spend(self, nano: int | None, ago: int = 0, provider: str = "openai") -> None:
        self.recorded.add([self.recorded.request(self.clock() - ago, nano, provider=provider)])

    def now(self, account: Account = WALLET) -> AccountNow:
        with self.store.reading() as connection:
            return account_now(connection, account, self.clock())


@pytest.fixture
def purse(store: Store, clock: SettableClock, recorded: Recorded) -> Purse:
    return Purse(store, clock, recorded)


@pytest.mark.parametrize(
    ("account", "basis"),
    [
        (ROUTER, BalanceBasis.TOLD),
        (OPENAI, BalanceBasis.BILLED),
        (WALLET, BalanceBasis.SEEN),
        (SHARED, BalanceBasis.ENTERED),
        (OTHER, BalanceBasis.ENTERED),
    ],
)
def test_a_balance_rests_on_the_best_that_there_is(account: Account, basis: BalanceBasis) -> None:
    assert account.basis is basis


def test_without_bills_it_falls_by_what_is_seen_since_the_calibration_to_the_microsecond(purse: Purse) -> None:
    purse.spend(7 * DOLLAR, ago=1)
    purse.calibrate("50")
    purse.clock.advance(3 * HOUR)
    purse.spend(2 * DOLLAR)
    purse.spend(DOLLAR, ago=3 * HOUR)
    purse.spend(4 * DOLLAR, provider="anthropic")
    now = purse.now()
    assert (now.balance, now.state, now.is_estimate) == (Usd.of(47), AccountState.OK, True)
    assert now.caution == "An estimate: no bills are read, so what was seen here is taken off (2 requests)."


def test_requests_without_a_known_cost_are_said(purse: Purse) -> None:
    purse.calibrate("50")
    purse.spend(None)
    now = purse.now()
    assert now.balance == Usd.of(50)
    assert now.caution is not None and "(1 request, 1 of them without a known cost)" in now.caution


def test_before_a_calibration_it_falls_from_the_first_credit_on(purse: Purse) -> None:
    purse.spend(7 * DOLLAR, ago=HOUR)
    purse.deposit("20", ago=MINUTE)
    purse.spend(DOLLAR)
    assert (purse.now().balance, purse.now().state) == (Usd.of(19), AccountState.UNCALIBRATED)


def test_the_next_calibration_measures_the_estimate(purse: Purse) -> None:
    purse.calibrate("50")
    purse.spend(3 * DOLLAR)
    purse.clock.advance(MINUTE)
    assert purse.calibrate("46.50").drift == Usd.of("-0.50")
    assert purse.now().balance == Usd.of("46.50")


def test_requests_are_found_by_the_name_of_who_bills_them(purse: Purse) -> None:
    purse.calibrate("50", MOONSHOT)
    purse.spend(DOLLAR, provider="moonshotai")
    assert purse.now(MOONSHOT).balance == Usd.of(49)


@pytest.mark.parametrize("account", [SHARED, OTHER])
def test_what_cannot_fall_says_so_and_is_never_ok(purse: Purse, account: Account) -> None:
    purse.calibrate("50", account)
    purse.spend(DOLLAR)
    now = purse.now(account)
    assert (now.balance, now.state, now.run_out_at) == (Usd.of(50), AccountState.STALE, None)
    assert now.caution is not None and now.caution.startswith("It does not fall: ")


def test_an_account_whose_provider_was_never_seen_says_that_it_does_not_fall(purse: Purse) -> None:
    purse.calibrate("50")
    purse.spend(DOLLAR, provider="anthropic")
    now = purse.now()
    assert now.state is AccountState.STALE
    assert now.caution is not None and "no request to openai was ever seen here" in now.caution
