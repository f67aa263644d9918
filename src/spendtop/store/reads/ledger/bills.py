"""What stands in place of spend for those who get bills and send no requests here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, func, literal_column, select

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.bills import NO_BILL, BilledDay, balance_words
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.store.reads.ledger.accounts import AccountNow, account_now
from spendtop.store.reads.ledger.balances import Account, BalanceBasis, entries
from spendtop.store.reads.spending.sums import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import BalanceReadingTable, DayCostTable

_DAY, _READING = table_of(DayCostTable), table_of(BalanceReadingTable)


class Bills(Struct, frozen=True):
    """How it stands by what providers tell."""

    days: tuple[BilledDay, ...]
    """Today so far and the day before, the newest first, as far as polls cover them."""
    accounts: tuple[AccountNow, ...]

    @property
    def day(self) -> BilledDay | None:
        """What stands for the spend of today: the bill of today so far, and where nothing is on it yet, which may only
        be late, the one before. None where no bill was read."""
        return next((day for day in self.days if day.cost != ZERO), self.days[-1] if self.days else None)

    def words(self, now: int, calendar: Calendar) -> list[str]:
        """The bill, and each balance, a line each."""
        billed = NO_BILL if self.day is None else f"{self.day.words(now)} ({self.day.age(now)})"
        return [billed, *(_balance_words(each, calendar) for each in self.accounts)]

    @property
    def first_to_run_out(self) -> AccountNow | None:
        """The account with a known balance that lasts the shortest."""
        known = [each for each in self.accounts if each.balance is not None]
        return min(known, key=lambda each: (each.run_out_at is None, each.run_out_at or 0), default=None)


def bills_unseen(connection: Connection, accounts: Sequence[Account], now: int) -> Bills | None:
    """The bills of those whose requests we do not see: where a provider is asked, or was, and no request is younger
    than the begin of yesterday (UTC). There a zero would be no answer to what is spent. `now` in UTC µs."""
    today = now // DAY
    if spend(connection, (today - 1) * DAY, None).requests:
        return None
    query = select(_DAY.c.day, func.sum(_DAY.c.cost_nano), func.min(_DAY.c.last_seen)).where(_DAY.c.day <= today)
    newest = connection.execute(query.group_by(_DAY.c.day).order_by(_DAY.c.day.desc()).limit(2))
    days = tuple(BilledDay(day, Usd(int(nano)), int(as_of)) for day, nano, as_of in newest)
    if not days and all(account.poller is None for account in accounts):
        return None
    return Bills(days, tuple(account_now(connection, account, now) for account in accounts))


def _balance_words(each: AccountNow, calendar: Calendar) -> str:
    runs_out = None if each.run_out_at is None else calendar.local(each.run_out_at).date()
    return balance_words(clean_line(each.account.name), each.balance, each.burn_per_day, runs_out)


class BillHistory(Struct, frozen=True):
    """UTC days from `first` (days since 1970) on, one after the other; None is not known."""

    first: int
    billed: tuple[Usd | None, ...]
    left: tuple[Usd | None, ...]
    """At the end of each day, on all accounts whose balance is known."""


def bill_history(connection: Connection, accounts: Sequence[AccountNow], first: int, last: int) -> BillHistory:
    """What was billed for each of the days `first` to `last` (both inclusive), and what was left then as of now: of a
    balance that its provider tells as it told it, of others by the bills and entries since."""
    span = range(first, last + 1)
    query = select(_DAY.c.day, func.sum(_DAY.c.cost_nano)).where(_DAY.c.day >= first, _DAY.c.day <= last)
    costs = {int(day): Usd(int(nano)) for day, nano in connection.execute(query.group_by(_DAY.c.day))}
    lefts = [_left(connection, each, span) for each in accounts if each.balance is not None]
    left = tuple(_sum([each.get(day) for each in lefts]) for day in span)
    return BillHistory(first, tuple(map(costs.get, span)), left)


def _left(connection: Connection, each: AccountNow, span: range) -> dict[int, Usd]:
    assert each.balance is not None
    match each.account.basis:
        case BalanceBasis.TOLD:
            return _told(connection, each.account.name, span)
        case BalanceBasis.BILLED:
            return _by_bills(connection, each.account.name, each.balance, span)
        case _:
            return {}


def _told(connection: Connection, account: str, span: range) -> dict[int, Usd]:
    """The last balance that was told on each day, or on one before it."""
    day_of = _READING.c.at // literal_column(str(DAY), BigInteger)
    mine = _READING.c.account == account
    lasts = select(func.max(_READING.c.at)).where(mine, _READING.c.at < span.stop * DAY).group_by(day_of)
    query = select(day_of, _READING.c.balance_nano).where(mine, _READING.c.at.in_(lasts))
    told = {int(day): Usd(int(nano)) for day, nano in connection.execute(query.order_by(_READING.c.at))}
    left: dict[int, Usd] = {}
    latest = next((told[day] for day in reversed(told) if day < span.start), None)
    for day in span:
        latest = told.get(day, latest)
        if latest is not None:
            left[day] = latest
    return left


def _by_bills(connection: Connection, account: str, balance: Usd, span: range) -> dict[int, Usd]:
    """Back from the present, as far as bills reach without a gap."""
    query = select(_DAY.c.day, _DAY.c.cost_nano).where(_DAY.c.account == account, _DAY.c.day >= span.start)
    billed = {int(day): Usd(int(nano)) for day, nano in connection.execute(query)}
    moved: defaultdict[int, Usd] = defaultdict(lambda: ZERO)
    for entry in entries(connection, account):
        moved[entry.effective_at // DAY] += entry.amount
    left: dict[int, Usd] = {}
    for day in reversed(span):
        left[day] = balance
        if day not in billed and day != span.stop - 1:
            break
        balance += billed.get(day, ZERO) - moved[day]
    return left


def _sum(amounts: Sequence[Usd | None]) -> Usd | None:
    """None where one of them is not known, or there is none."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if known and len(known) == len(amounts) else None
