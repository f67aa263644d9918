"""The demo's account: a month that adds up, with a drift, a restated day and a stranger's key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.collector.demo.sample_ledger import ACCOUNT, POLLER, billing_api, bills, keep_account
from spendtop.collector.demo.sample_month import unpack
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import AccountState, account_now, days, events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.schema import upgrade
from tests.alerts.sinks import free_port
from tests.conftest import SettableClock

OPENAI = Account(
    name=ACCOUNT, provider="openai", poller=POLLER, poll_every=15 * MINUTE, low_balance=Usd.of(10), tells_balance=False
)


@pytest.fixture
def month(tmp_path: Path, clock: SettableClock) -> Iterator[Store]:
    """The sample month, as a store."""
    unpack(tmp_path / "month.db", clock())
    opened = Store(f"sqlite:///{tmp_path / 'month.db'}")
    upgrade(opened)
    yield opened
    opened.close()


def test_a_month_of_bills_makes_a_calibrated_balance(month: Store, clock: SettableClock) -> None:
    now = clock()
    with month.writing() as connection:
        billed = bills(connection, now)
        keep_account(connection, billed, now)
    with month.reading() as connection:
        stands = account_now(connection, OPENAI, now)
        entered = events(connection, ACCOUNT, 10)
        kept = days(connection, OPENAI, min(billed), now // DAY)
    assert stands.state is AccountState.OK
    assert stands.drift == Usd.of("0.04")
    assert stands.balance is not None
    assert Usd.of(12) < stands.balance < Usd.of(60)
    assert [event.kind for event in entered] == [
        EntryKind.CALIBRATION,
        EntryKind.DEPOSIT,
        EntryKind.CALIBRATION,
        EntryKind.OPENING,
    ]
    assert len(kept) >= 28
    assert [day.day - now // DAY for day in kept if day.restated] == [-9]


async def test_our_poller_reads_what_the_billing_answers(month: Store, clock: SettableClock) -> None:
    now, port = clock(), free_port()
    with month.reading() as connection:
        billed = bills(connection, now)
    with billing_api(port, month, clock):
        costs = await OpenAICosts("sk-admin-x", f"http://127.0.0.1:{port}").costs(min(billed), now // DAY)
    assert not costs.flaws
    assert sum(part.amount for part in costs.parts) == sum(part.amount for parts in billed.values() for part in parts)
