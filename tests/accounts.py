"""Accounts as a collector publishes them: one whose bills are read, one whose provider tells the balance, one without
either."""

from spendtop.domain.clock import MINUTE
from spendtop.domain.money import Usd
from spendtop.store.reads.ledger.balances import Account

OPENAI = Account(
    name="openai",
    provider="openai",
    poller="openai-costs",
    poll_every=15 * MINUTE,
    low_balance=Usd.of(10),
    tells_balance=False,
)
ROUTER = Account(
    name="router",
    provider="openrouter",
    poller="openrouter/router",
    poll_every=5 * MINUTE,
    low_balance=Usd.of(10),
    tells_balance=True,
)
WALLET = Account(
    name="wallet",
    provider="openai",
    poller=None,
    poll_every=5 * MINUTE,
    low_balance=Usd.of(10),
    tells_balance=False,
)
