"""What is left on a prepaid account, and on what that figure rests."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, func, select

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.counted import counted
from spendtop.domain.ledger.balance import DOUBT_LASTS, Calibration, Entry, EntryKind, balance, estimate
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.sources.records import LITELLM
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.sums import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import BalanceReadingTable, DayCostTable, LedgerEventTable, TotalTable

_EVENT, _DAY = table_of(LedgerEventTable), table_of(DayCostTable)
_READING, _TOTAL = table_of(BalanceReadingTable), table_of(TotalTable)
OTHER = "other"
"""The provider of an account whose balance only people know."""


class BalanceBasis(StrEnum):
    """What moves a balance besides entries."""

    TOLD = "told"
    """Its provider tells it."""
    BILLED = "billed"
    """What its provider bills is taken off."""
    SEEN = "seen"
    """Nobody tells the bills: what the requests cost that were seen here is taken off. An estimate."""
    ENTERED = "entered"
    """Nothing: no bills, and no requests that are known to be this account's."""


class Account(Struct, frozen=True, kw_only=True):
    name: str
    provider: str
    poller: str | None
    """Name of its poller's checkpoint; None for an account that is kept by hand."""
    poll_every: int
    """µs."""
    low_balance: Usd | None
    tells_balance: bool
    """Whether its provider tells the balance; else the ledger does."""
    shared_with: tuple[str, ...] = ()
    """Other accounts at the same provider, whose requests look the same."""

    @property
    def basis(self) -> BalanceBasis:
        if self.tells_balance:
            return BalanceBasis.TOLD
        if self.poller is not None:
            return BalanceBasis.BILLED
        return BalanceBasis.ENTERED if self.shared_with or self.provider == OTHER else BalanceBasis.SEEN

    @property
    def biller(self) -> str:
        """What requests that this account pays for name as their provider, or as their source."""
        return biller_named(self.provider) or self.provider

    @property
    def pays_alone(self) -> bool:
        """Whether this account pays for all requests that name its provider."""
        return not self.shared_with and self.provider not in (OTHER, LITELLM.name)

    @property
    def dimension(self) -> str:
        """Of the totals of these requests, whose key is `biller`."""
        return "source" if self.provider == LITELLM.name else "provider"


class Balance(Struct, frozen=True, kw_only=True):
    """What is left."""

    amount: Usd | None
    """None where nothing is known yet."""
    is_calibrated: bool
    """Whether it rests on what the provider itself said, told or read off its page."""
    caution: str | None = None
    """What keeps it from being the truth, a sentence."""
    falls: bool = True
    """Whether spend lowers it without a hand."""
    is_doubted: bool = False
    """Whether the last answers lack what was billed before, so that it is told to nobody."""


def balance_now(connection: Connection, account: Account, now: int) -> Balance:
    """What is left at `now` (UTC µs): as the provider tells it, else as the ledger has it."""
    if account.basis is BalanceBasis.TOLD:
        told = told_balance(connection, account.name)
        return Balance(amount=told, is_calibrated=told is not None)
    calibration, moved = latest_calibration(connection, account.name), entries(connection, account.name)
    if calibration is None and not moved:
        return Balance(amount=None, is_calibrated=False)
    match account.basis:
        case BalanceBasis.SEEN:
            return _by_requests(connection, account, calibration, moved)
        case BalanceBasis.BILLED:
            return _by_bills(connection, account, calibration, moved, now)
        case _:
            return Balance(
                amount=estimate(calibration, moved, ZERO),
                is_calibrated=calibration is not None,
                caution=_why_it_stands(account),
                falls=False,
            )


def _by_bills(
    connection: Connection, account: Account, calibration: Calibration | None, moved: list[Entry], now: int
) -> Balance:
    """What was billed for days before a calibration's is in the balance that was observed, also where a poll covers
    such a day only later."""
    late = ZERO if calibration is None else _billed_late(connection, account.name, calibration.at)
    left = balance(calibration, moved, spent(connection, account.name) - late)
    doubt = _doubt(connection, account)
    return Balance(
        amount=left,
        is_calibrated=calibration is not None,
        caution=None if doubt is None else doubt.sentence(now),
        is_doubted=doubt is not None and doubt.is_young(now),
    )


class _Doubt(NamedTuple):
    """Days that had cost money and are absent from the answers."""

    days: int
    cost: Usd
    began: int
    newest: int
    """When the last of them was first missing, UTC µs."""

    def is_young(self, now: int) -> bool:
        return now - self.newest < DOUBT_LASTS

    def sentence(self, now: int) -> str:
        days = "a day" if self.days == 1 else f"{self.days:,} days"
        stands = f"{days} that had cost {self.cost}: what was billed before stands"
        if not self.is_young(now):
            return f"The provider's answers do not have {stands}."
        return (
            f"Since {to_datetime(self.began):%Y-%m-%d %H:%M} UTC the provider's answers lack a part or all of {stands},"
            " and nobody is alerted about this balance until it is told again, for at most a day."
        )


def _doubt(connection: Connection, account: Account) -> _Doubt | None:
    query = select(
        func.count(),
        func.coalesce(func.sum(_DAY.c.cost_nano), 0),
        func.min(_DAY.c.last_seen),
        func.max(_DAY.c.last_seen),
    ).where(_DAY.c.account == account.name, _DAY.c.doubted)
    days, nano, began, newest = connection.execute(query).one()
    return _Doubt(int(days), Usd(int(nano)), int(began), int(newest)) if days else None


def _by_requests(
    connection: Connection, account: Account, calibration: Calibration | None, moved: list[Entry]
) -> Balance:
    """What was seen since the calibration, or without one since the first credit."""
    since = calibration.at if calibration is not None else min(entry.effective_at for entry in moved)
    used = spend(connection, since, None, "provider", account.biller)
    falls = bool(used.requests) or _was_ever_seen(connection, account.biller)
    return Balance(
        amount=estimate(calibration, moved, used.cost),
        is_calibrated=calibration is not None,
        caution=_what_is_taken_off(account, used) if falls else _nothing_seen(account),
        falls=falls,
    )


def _what_is_taken_off(account: Account, used: Spend) -> str:
    requests = counted(used.requests, "request")
    unknown = f", {used.unpriced:,} of them without a known cost" if used.unpriced else ""
    return f"An estimate: no bills are read, so what was seen here is taken off ({requests}{unknown})."


def _nothing_seen(account: Account) -> str:
    return (
        f"It does not fall: no bills are read, and no request to {account.provider} was ever seen here."
        " Calibrate it by hand, or send its requests here."
    )


def _why_it_stands(account: Account) -> str:
    if account.provider == OTHER:
        return 'It does not fall: of the provider "other" there are no bills and no requests. Calibrate it by hand.'
    others = " and ".join(map(clean_line, account.shared_with))
    return (
        f"It does not fall: requests paid from it cannot be told from those of {others}."
        " Set a key that reads its bills or its balance, or calibrate it by hand."
    )


def _was_ever_seen(connection: Connection, biller: str) -> bool:
    query = select(_TOTAL.c.key).where(_TOTAL.c.dimension == "provider", _TOTAL.c.key == biller)
    return connection.execute(query.limit(1)).first() is not None


def spent(connection: Connection, account: str) -> Usd:
    """Sum of all billed days."""
    nano = connection.execute(select(func.coalesce(func.sum(_DAY.c.cost_nano), 0)).where(_DAY.c.account == account))
    return Usd(int(nano.scalar_one()))


def spent_before(connection: Connection, account: str, day: int) -> Usd:
    """Sum of the billed days before a UTC day."""
    query = select(func.coalesce(func.sum(_DAY.c.cost_nano), 0)).where(_DAY.c.account == account, _DAY.c.day < day)
    return Usd(int(connection.execute(query).scalar_one()))


def spent_on(connection: Connection, account: str, day: int) -> Usd:
    query = select(_DAY.c.cost_nano).where(_DAY.c.account == account, _DAY.c.day == day)
    return Usd(int(connection.execute(query).scalar() or 0))


def told_balance(connection: Connection, account: str) -> Usd | None:
    """What the provider said last, or None."""
    query = select(_READING.c.balance_nano).where(_READING.c.account == account).order_by(_READING.c.at.desc()).limit(1)
    return Usd.of_nano(connection.execute(query).scalar())


def _billed_late(connection: Connection, account: str, calibrated_at: int) -> Usd:
    """What was billed for days before a calibration's that no poll covered when it, or its settling, summed them."""
    summed_at = (
        select(func.max(func.coalesce(_EVENT.c.settled_at, _EVENT.c.recorded_at)))
        .where(
            _EVENT.c.account == account,
            _EVENT.c.kind == EntryKind.CALIBRATION.value,
            _EVENT.c.effective_at == calibrated_at,
        )
        .scalar_subquery()
    )
    query = select(func.coalesce(func.sum(_DAY.c.cost_nano), 0)).where(
        _DAY.c.account == account, _DAY.c.day < calibrated_at // DAY, _DAY.c.first_seen > summed_at
    )
    return Usd(int(connection.execute(query).scalar_one()))


def gained_since(connection: Connection, account: str, since: int) -> bool:
    """Whether credit was entered, or found by a calibration, after an instant (UTC µs)."""
    query = select(_EVENT.c.id).where(
        _EVENT.c.account == account, _EVENT.c.recorded_at > since, _EVENT.c.amount_nano > 0
    )
    return connection.execute(query.limit(1)).first() is not None


def latest_calibration(connection: Connection, account: str) -> Calibration | None:
    """The calibration in force."""
    row = connection.execute(
        select(_EVENT)
        .where(_EVENT.c.account == account, _EVENT.c.kind == EntryKind.CALIBRATION.value)
        .order_by(_EVENT.c.effective_at.desc(), _EVENT.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Calibration(
        at=row.effective_at,
        observed=Usd(row.observed_nano),
        predicted=Usd.of_nano(row.predicted_nano),
        spent=Usd(row.spent_nano),
        settled=Usd.of_nano(row.settled_nano),
    )


def entries(connection: Connection, account: str) -> list[Entry]:
    """What came and went by hand, calibrations aside, the oldest first."""
    rows = connection.execute(
        select(_EVENT)
        .where(_EVENT.c.account == account, _EVENT.c.kind != EntryKind.CALIBRATION.value)
        .order_by(_EVENT.c.effective_at, _EVENT.c.id)
    )
    return [Entry(kind=EntryKind(row.kind), effective_at=row.effective_at, amount=Usd(row.amount_nano)) for row in rows]
