"""What the screen of the ledger asks the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.ledger.differences import SeenModel
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.services.ledger.differences import explain, sentence
from spendtop.store.reads.ledger.accounts import AccountNow, LedgerDay, LedgerEvent, account_now, days, events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import DayBill, billed_until, day_bills
from spendtop.store.reads.ledger.differences import Bill, bill, seen
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline

DAYS = 92
_EVENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuestion:
    """All accounts, and the days and entries of one of them."""

    now: int
    calendar: Calendar
    account: str | None
    """By name; the first one where it is None or gone."""

    def ask(self, connection: Connection) -> LedgerFigures:
        headline = read_headline(connection, self.now, self.calendar)
        configured = headline.applied.accounts if headline.applied else ()
        accounts = tuple(account_now(connection, account, self.now) for account in configured)
        chosen = next((each for each in accounts if each.account.name == self.account), next(iter(accounts), None))
        if chosen is None:
            return LedgerFigures(headline=headline, now=self.now, accounts=(), chosen=None, days=(), events=())
        today = self.now // DAY
        return LedgerFigures(
            headline=headline,
            now=self.now,
            accounts=accounts,
            chosen=chosen,
            days=days(connection, chosen.account, today - DAYS + 1, today),
            events=events(connection, chosen.account.name, _EVENTS),
            billed_until=billed_until(connection, chosen.account.name),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFigures:
    """How the accounts stand at `now` (UTC µs); days and entries are the chosen one's, newest first."""

    headline: Headline
    now: int
    accounts: tuple[AccountNow, ...]
    chosen: AccountNow | None
    days: tuple[LedgerDay, ...]
    events: tuple[LedgerEvent, ...]
    billed_until: int | None = None
    """Up to when the chosen one's provider has billed, UTC µs; None where it does not say."""


@dataclass(frozen=True, slots=True)
class DayQuestion:
    """Both sides of one UTC day."""

    account: Account
    day: int

    def ask(self, connection: Connection) -> DayAnswer:
        name, provider = self.account.name, self.account.biller
        explained = explain(connection, name, provider, self.day)
        return DayAnswer(
            bill=bill(connection, name, self.day),
            seen=seen(connection, provider, self.day),
            who=day_bills(connection, self.account, self.day),
            reasons=tuple((share.amount, sentence(share)) for share in explained.shares) if explained else (),
        )


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """What was billed, what we saw, and what accounts for the difference: amounts and sentences."""

    bill: Bill | None
    seen: tuple[SeenModel, ...]
    who: Mapping[BillKind, DayBill]
    reasons: tuple[tuple[Usd, str], ...]
