"""An account's ledger: what is left, since when that is known, and day by day what was billed and what we saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Connection, func, literal_column, select

from spendtop.domain.clock import DAY
from spendtop.domain.cost_words import known_cost
from spendtop.domain.ledger import Calibration, Entry, EntryKind, balance, runs_out_at
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads import spend_sql
from spendtop.store.reads.rows import Spend, outside
from spendtop.store.reads.spending import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    BalanceReadingTable,
    CheckpointTable,
    DayCostRevisionTable,
    DayCostTable,
    LedgerEventTable,
    TotalTable,
)

STALE_AFTER = 4
"""Polls that may be missed before figures are stale."""
_BURN_OVER = 7
"""Days whose spend is taken to go on."""
_EVENT, _DAY, _REVISION = table_of(LedgerEventTable), table_of(DayCostTable), table_of(DayCostRevisionTable)
_READING, _CHECKPOINT, _TOTAL = table_of(BalanceReadingTable), table_of(CheckpointTable), table_of(TotalTable)


class AccountState(StrEnum):
    """How far a balance can be believed."""

    OK = "ok"
    UNCALIBRATED = "uncalibrated"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    name: str
    provider: str
    poller: str | None
    """Name of its poller's checkpoint; None for an account that is kept by hand."""
    poll_every: int
    """µs."""
    low_balance: Usd | None
    tells_balance: bool
    """Whether its provider tells the balance; else the ledger does."""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One entry or calibration."""

    id: int
    kind: EntryKind
    effective_at: int
    recorded_at: int
    amount: Usd | None
    """Signed; of a calibration its drift, None where that is not known."""
    note: Untrusted | None
    recorded_by: Untrusted | None
    observed: Usd | None
    predicted: Usd | None


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """One UTC day."""

    day: int
    """UTC days since 1970."""
    billed: Usd | None
    """None where no poll covers the day."""
    ours: Usd
    """What the requests that we saw cost, as far as it is known."""
    requests: int
    """That we saw."""
    unpriced: int
    """Those of them whose cost is not known."""
    restated: int
    """How often the provider changed the day afterwards."""
    doubted: bool

    @property
    def known_ours(self) -> Usd | None:
        """None where we saw requests and the cost of none is known."""
        return known_cost(self.ours, self.requests, self.unpriced)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNow:
    account: Account
    balance: Usd | None
    """None where nothing is known yet."""
    state: AccountState
    as_of: int | None
    """When the provider was asked successfully last, UTC µs."""
    failure: Untrusted | None
    """Why the last poll gave nothing."""
    calibrated_at: int | None
    drift: Usd | None
    """What the last calibration found; None where the ledger knew of no credit before it."""
    run_out_at: int | None
    burn_per_day: Usd | None

    def wants_poll(self, now: int) -> bool:
        """Whether its provider was asked successfully longer than one interval ago, or never."""
        if self.account.poller is None:
            return False
        return self.as_of is None or now - self.as_of > self.account.poll_every


def account_now(connection: Connection, account: Account, now: int) -> AccountNow:
    checkpoint = _checkpoint(connection, account)
    succeeded_at = None if checkpoint is None else checkpoint.succeeded_at
    calibration = latest_calibration(connection, account.name)
    left = balance_now(connection, account)
    burn = _burn(connection, account, now)
    return AccountNow(
        account=account,
        balance=left,
        state=_state(account, calibration, succeeded_at, now),
        as_of=succeeded_at,
        failure=None if checkpoint is None else outside(checkpoint.failure),
        calibrated_at=None if calibration is None else calibration.at,
        drift=None if calibration is None else calibration.drift,
        run_out_at=None if left is None or burn is None else runs_out_at(left, burn, DAY, now),
        burn_per_day=burn,
    )


def events(connection: Connection, account: str, most: int) -> tuple[LedgerEvent, ...]:
    """The newest entries and calibrations."""
    query = select(_EVENT).where(_EVENT.c.account == account)
    rows = connection.execute(query.order_by(_EVENT.c.effective_at.desc(), _EVENT.c.id.desc()).limit(most))
    return tuple(
        LedgerEvent(
            id=row.id,
            kind=EntryKind(row.kind),
            effective_at=row.effective_at,
            recorded_at=row.recorded_at,
            amount=_amount(row),
            note=outside(row.note),
            recorded_by=outside(row.recorded_by),
            observed=Usd.of_nano(row.observed_nano),
            predicted=Usd.of_nano(row.predicted_nano),
        )
        for row in rows
    )


def _amount(row: Any) -> Usd | None:
    is_unknown = row.observed_nano is not None and row.predicted_nano is None
    return None if is_unknown else Usd(row.amount_nano)


def days(connection: Connection, account: Account, first: int, last: int) -> tuple[LedgerDay, ...]:
    """UTC days (both inclusive) that polls cover, also those billed at nothing, or that we saw; the newest first."""
    billed = {
        row.day: row
        for row in connection.execute(
            select(_DAY).where(_DAY.c.account == account.name, _DAY.c.day >= first, _DAY.c.day <= last)
        )
    }
    restated: dict[int, int] = {
        row.day: row.times
        for row in connection.execute(
            select(_REVISION.c.day, func.count().label("times"))
            .where(_REVISION.c.account == account.name, _REVISION.c.day >= first, _REVISION.c.day <= last)
            .group_by(_REVISION.c.day)
        )
    }
    ours = _ours(connection, account.provider, first, last)
    return tuple(
        LedgerDay(
            day=day,
            billed=Usd(billed[day].cost_nano) if day in billed else None,
            ours=ours[day].cost if day in ours else ZERO,
            requests=ours[day].requests if day in ours else 0,
            unpriced=ours[day].unpriced if day in ours else 0,
            restated=restated.get(day, 0),
            doubted=bool(billed[day].doubted) if day in billed else False,
        )
        for day in sorted(billed.keys() | ours.keys(), reverse=True)
    )


def _ours(connection: Connection, provider: str, first: int, last: int) -> dict[int, Spend]:
    day = _TOTAL.c.bucket // literal_column(str(DAY), BigInteger)
    query = (
        select(*spend_sql.of_totals(_TOTAL), day.label("day"))
        .where(
            _TOTAL.c.dimension == "provider",
            _TOTAL.c.key == provider,
            _TOTAL.c.bucket >= first * DAY,
            _TOTAL.c.bucket < (last + 1) * DAY,
        )
        .group_by(day)
    )
    return {int(row.day): spend_sql.to_spend(row) for row in connection.execute(query)}


def _state(account: Account, calibration: Calibration | None, succeeded_at: int | None, now: int) -> AccountState:
    if account.poller is not None and (succeeded_at is None or now - succeeded_at > STALE_AFTER * account.poll_every):
        return AccountState.STALE
    if calibration is None and not account.tells_balance:
        return AccountState.UNCALIBRATED
    return AccountState.OK


def _burn(connection: Connection, account: Account, now: int) -> Usd | None:
    """What a day costs: of the last whole UTC days that were billed, else that we saw; None where nothing was."""
    today = now // DAY
    seen = days(connection, account, today - _BURN_OVER, today - 1)
    costs: Sequence[Usd] = [day.billed if day.billed is not None else day.ours for day in seen]
    whole = sum(costs, ZERO)
    return Usd(whole.nano // _BURN_OVER) if whole > ZERO else None


def _checkpoint(connection: Connection, account: Account) -> Any | None:
    if account.poller is None:
        return None
    return connection.execute(select(_CHECKPOINT).where(_CHECKPOINT.c.poller == account.poller)).one_or_none()


@dataclass(frozen=True, slots=True)
class BilledDay:
    """What was billed in all for a UTC day (days since 1970)."""

    day: int
    cost: Usd


def billed_unseen(connection: Connection, now: int) -> BilledDay | None:
    """What was billed for the last whole UTC day that polls cover, else for today so far, where we saw no request since
    that day began: there a zero would be no answer. `now` in UTC µs."""
    query = select(_DAY.c.day, func.sum(_DAY.c.cost_nano)).where(_DAY.c.day <= now // DAY)
    newest = query.group_by(_DAY.c.day).order_by(_DAY.c.day.desc()).limit(2)
    days = [BilledDay(day, Usd(int(nano))) for day, nano in connection.execute(newest)]
    bill = next((each for each in days if each.day < now // DAY), days[0] if days else None)
    if bill is None or bill.cost == ZERO or spend(connection, bill.day * DAY, None).requests:
        return None
    return bill


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


def balance_now(connection: Connection, account: Account) -> Usd | None:
    """What is left: as the provider tells it, else as the ledger has it; None where nothing is known yet."""
    if account.tells_balance:
        return told_balance(connection, account.name)
    return kept_balance(connection, account.name)


def kept_balance(connection: Connection, account: str) -> Usd | None:
    """What is left as the ledger has it; None where it knows of no credit yet.

    What was billed for days before a calibration's is in the balance that was observed, also where a poll covers such
    a day only later.
    """
    calibration, moved = latest_calibration(connection, account), entries(connection, account)
    if calibration is None and not moved:
        return None
    late = ZERO if calibration is None else _billed_late(connection, account, calibration.at)
    return balance(calibration, moved, spent(connection, account) - late)


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
