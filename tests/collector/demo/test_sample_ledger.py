"""The demo's account: a month that adds up, with a drift, a restated day and a stranger's key."""

from __future__ import annotations

from spendtop.collector.demo.sample_ledger import ACCOUNT, POLLER, billing_api, bills, keep_account
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.ledger import EntryKind
from spendtop.domain.money import Usd
from spendtop.sources.pollers.openai_costs import OpenAICosts
from spendtop.store.reads.balances import Account
from spendtop.store.reads.ledger import AccountState, account_now, days, events
from tests.alerts.sinks import free_port
from tests.collector.conftest import Bench

OPENAI = Account(
    name=ACCOUNT, provider="openai", poller=POLLER, poll_every=15 * MINUTE, low_balance=Usd.of(10), tells_balance=False
)


def test_a_month_of_bills_makes_a_calibrated_balance(bench: Bench) -> None:
    now = bench.clock()
    billed = bills(now)
    with bench.store.writing() as connection:
        keep_account(connection, billed, now)
    with bench.store.reading() as connection:
        stands = account_now(connection, OPENAI, now)
        entered = events(connection, ACCOUNT, 10)
        month = days(connection, OPENAI, min(billed), now // DAY)
    assert stands.state is AccountState.OK
    assert stands.drift == Usd.of("0.04")
    assert stands.balance is not None
    assert Usd.of(10) < stands.balance < Usd.of(40)
    assert [event.kind for event in entered] == [
        EntryKind.CALIBRATION,
        EntryKind.DEPOSIT,
        EntryKind.CALIBRATION,
        EntryKind.OPENING,
    ]
    assert len(month) >= 28
    assert [day.day - now // DAY for day in month if day.restated] == [-9]


async def test_our_poller_reads_what_the_billing_answers(bench: Bench) -> None:
    now, port = bench.clock(), free_port()
    billed = bills(now)
    with billing_api(port, billed):
        costs = await OpenAICosts("sk-admin-x", f"http://127.0.0.1:{port}").costs(min(billed), now // DAY)
    assert not costs.flaws
    assert sum(part.amount for part in costs.parts) == sum(part.amount for parts in billed.values() for part in parts)
