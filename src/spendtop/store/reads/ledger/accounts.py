"""An account's ledger: what is left, since when that is known, and day by day what was billed and what we saw."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, func, literal_column, select

from spendtop.domain.clock import DAY
from spendtop.domain.cost_words import known_cost
from spendtop.domain.ledger.balance import EntryKind, runs_out_at
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.ledger.balances import Account, Balance, BalanceBasis, balance_now, latest_calibration
from spendtop.store.reads.ledger.imported import imported_requests
from spendtop.store.reads.rows import Spend, outside
from spendtop.store.reads.spending import spend_sql
from spendtop.store.statements import table_of
from spendtop.store.tables import (
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
_CHECKPOINT, _TOTAL = table_of(CheckpointTable), table_of(TotalTable)


class AccountState(StrEnum):
    """How far a balance can be believed."""

    OK = "ok"
    UNCALIBRATED = "uncalibrated"
    STALE = "stale"


class LedgerEvent(Struct, frozen=True):
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


class LedgerDay(Struct, frozen=True):
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
    imported: int = 0
    """Requests among them that only imported files tell of: the day may be half there."""

    @property
    def difference(self) -> Usd | None:
        """What is billed beyond what we saw; None where the two cannot be compared."""
        return None if self.billed is None or self.imported else self.billed - self.ours

    @property
    def known_ours(self) -> Usd | None:
        """None where we saw requests and the cost of none is known."""
        return known_cost(self.ours, self.requests, self.unpriced)


class AccountNow(Struct, frozen=True, kw_only=True):
    account: Account
    balance: Usd | None
    """None where nothing is known yet."""
    caution: str | None
    """What keeps the balance from being the truth, a sentence."""
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

    @property
    def is_estimate(self) -> bool:
        """Whether what was seen here stands for what nobody bills."""
        return self.account.basis is BalanceBasis.SEEN and self.balance is not None

    @property
    def awaits_answer(self) -> bool:
        """Whether its provider never answered."""
        return self.account.poller is not None and self.as_of is None

    def wants_poll(self, now: int) -> bool:
        """Whether its provider was asked successfully longer than one interval ago, or never."""
        if self.account.poller is None:
            return False
        return self.as_of is None or now - self.as_of > self.account.poll_every


def account_now(connection: Connection, account: Account, now: int) -> AccountNow:
    checkpoint = _checkpoint(connection, account)
    succeeded_at = None if checkpoint is None else checkpoint.succeeded_at
    calibration = latest_calibration(connection, account.name)
    left = balance_now(connection, account, now)
    burn = _burn(connection, account, now) if left.falls else None
    return AccountNow(
        account=account,
        balance=left.amount,
        caution=left.caution,
        state=_state(account, left, succeeded_at, now),
        as_of=succeeded_at,
        failure=None if checkpoint is None else outside(checkpoint.failure),
        calibrated_at=None if calibration is None else calibration.at,
        drift=None if calibration is None else calibration.drift,
        run_out_at=None if left.amount is None or burn is None else runs_out_at(left.amount, burn, DAY, now),
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
    ours = _ours(connection, account, first, last)
    imported = imported_requests(connection, account.biller, first, last)
    return tuple(
        LedgerDay(
            day=day,
            billed=Usd(billed[day].cost_nano) if day in billed else None,
            ours=ours[day].cost if day in ours else ZERO,
            requests=ours[day].requests if day in ours else 0,
            unpriced=ours[day].unpriced if day in ours else 0,
            restated=restated.get(day, 0),
            doubted=bool(billed[day].doubted) if day in billed else False,
            imported=imported.get(day, 0),
        )
        for day in sorted(billed.keys() | ours.keys(), reverse=True)
    )


def _ours(connection: Connection, account: Account, first: int, last: int) -> dict[int, Spend]:
    day = _TOTAL.c.bucket // literal_column(str(DAY), BigInteger)
    query = (
        select(*spend_sql.of_totals(_TOTAL), day.label("day"))
        .where(
            _TOTAL.c.dimension == account.dimension,
            _TOTAL.c.key == account.biller,
            _TOTAL.c.bucket >= first * DAY,
            _TOTAL.c.bucket < (last + 1) * DAY,
        )
        .group_by(day)
    )
    return {int(row.day): spend_sql.to_spend(row) for row in connection.execute(query)}


def _state(account: Account, left: Balance, succeeded_at: int | None, now: int) -> AccountState:
    if account.poller is not None and (succeeded_at is None or now - succeeded_at > STALE_AFTER * account.poll_every):
        return AccountState.STALE
    if not left.is_calibrated and not account.tells_balance:
        return AccountState.UNCALIBRATED
    return AccountState.OK if left.falls else AccountState.STALE


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
