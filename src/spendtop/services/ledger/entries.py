"""Keeping the ledger of an account: billed days, entries made by hand, and calibrations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from spendtop.domain.clock import DAY
from spendtop.domain.errors import UsageError
from spendtop.domain.ledger.amounts import BilledName, CostPart, Costs, total
from spendtop.domain.ledger.balance import DayCost, EntryKind, PolledDay, take_poll
from spendtop.domain.ledger.used import Used, UsedPart
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import storable_name
from spendtop.store import facts
from spendtop.store.reads.ledger.balances import Account, balance_now, spent
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import (
    BalanceReadingTable,
    BilledNameTable,
    DayCostPartTable,
    DayCostRevisionTable,
    DayCostTable,
    DayCostUserTable,
    DayUsedTable,
    LedgerEventTable,
)

_EVENT, _DAY, _PART = table_of(LedgerEventTable), table_of(DayCostTable), table_of(DayCostPartTable)
_REVISION, _USER, _USED = table_of(DayCostRevisionTable), table_of(DayCostUserTable), table_of(DayUsedTable)
_Part = tuple[str, str, str]
"""Project, API key and line item."""
_TAKES_AWAY = frozenset({EntryKind.EXPIRY})
_LARGEST = Usd.of(1_000_000_000)


class ImpossibleTime(UsageError):
    """An instant in the future, or before 1970."""


class Calibrated(Struct, frozen=True):
    """What a calibration found."""

    predicted: Usd | None
    """What the ledger said just before; None where it knew of no credit yet."""
    observed: Usd

    @property
    def drift(self) -> Usd | None:
        """Positive: credit that nobody recorded."""
        return None if self.predicted is None else self.observed - self.predicted


def take_costs(connection: Connection, account: str, costs: Costs, now: int) -> None:
    """Store a whole poll of billed costs: days are replaced, and what a provider restated is kept as a revision."""
    _take_split(connection, account, costs)
    kept = _days(connection, account, costs)
    before_poll = {
        day: DayCost(Usd(row.cost_nano), row.last_seen if row.doubted else None) for day, row in kept.items()
    }
    after_poll = take_poll(before_poll, _polled(connection, account, costs), now)
    today = now // DAY
    for day, after in after_poll.items():
        before = kept.get(day)
        if before is not None and before.cost_nano != after.cost.nano and day < today:
            connection.execute(
                _REVISION.insert().values(
                    account=account, day=day, old_nano=before.cost_nano, new_nano=after.cost.nano, seen_at=now
                )
            )
        _keep_day(connection, account, day, after, before, now)
    believed = {day for day, after in after_poll.items() if after.doubted_since is None}
    _keep_parts(connection, account, costs, believed)
    _keep_users(connection, account, costs, believed)
    if costs.used is not None:
        _keep_used(connection, account, costs.used)
    _keep_names(connection, account, costs.names)
    facts.put(connection, facts.billed_until(account), "" if costs.billed_until is None else str(costs.billed_until))


def calibrate(
    connection: Connection, account: Account, observed: Usd, at: int, now: int, by: str | None = None
) -> Calibrated:
    """Append what the provider's page said at an instant (UTC µs). Deposits are never edited.

    Raises UsageError for an amount or instant that cannot be.
    """
    _require_possible(at, now)
    calibrated = Calibrated(balance_now(connection, account, now).amount, observed)
    _append(
        connection,
        account.name,
        EntryKind.CALIBRATION,
        calibrated.drift or ZERO,
        at,
        now,
        by=by,
        observed_nano=observed.nano,
        predicted_nano=Usd.nano_of(calibrated.predicted),
        spent_nano=spent(connection, account.name).nano,
    )
    return calibrated


def record(
    connection: Connection,
    account: str,
    kind: EntryKind,
    amount: Usd,
    at: int,
    now: int,
    *,
    note: str | None = None,
    by: str | None = None,
) -> None:
    """Append an entry that took effect at an instant (UTC µs). An expiry is given as a positive amount and takes away;
    only an adjustment may have either sign.

    Raises UsageError for an amount or instant that cannot be.
    """
    _require_possible(at, now)
    if kind is EntryKind.CALIBRATION:
        raise UsageError("A calibration is made with `spendtop ledger sync`.")
    if amount == ZERO or (amount < ZERO and kind is not EntryKind.ADJUSTMENT):
        least = "other" if kind is EntryKind.ADJUSTMENT else "more"
        raise UsageError(f"The amount of {_with_article(kind)} has to be {least} than zero.")
    _append(connection, account, kind, -amount if kind in _TAKES_AWAY else amount, at, now, note=note, by=by)


def settle(connection: Connection, account: str, at: int, settled: Usd, now: int) -> None:
    """Put what turned out to be billed up to a calibration's instant in the place of what was known then."""
    connection.execute(
        update(_EVENT)
        .where(_EVENT.c.account == account, _EVENT.c.kind == EntryKind.CALIBRATION.value, _EVENT.c.effective_at == at)
        .values(settled_nano=settled.nano, settled_at=now)
    )


def take_balance(connection: Connection, account: str, observed: Usd, now: int) -> None:
    """Store a balance that the provider's API told."""
    statement = insert_or_replace(BalanceReadingTable, connection.dialect)
    row = {"account": account, "at": now, "balance_nano": observed.nano}
    statement.run_many(connection, [tuple(row[name] for name in statement.names)])


def _append(
    connection: Connection,
    account: str,
    kind: EntryKind,
    amount: Usd,
    at: int,
    now: int,
    *,
    note: str | None = None,
    by: str | None = None,
    **calibration: int | None,
) -> None:
    if not -_LARGEST < amount < _LARGEST:
        raise UsageError("The amount is larger than any account's.")
    connection.execute(
        _EVENT.insert().values(
            account=account,
            kind=kind.value,
            effective_at=at,
            recorded_at=now,
            amount_nano=amount.nano,
            note=storable_name(note) if note else None,
            recorded_by=storable_name(by) if by else None,
            **calibration,
        )
    )


def _require_possible(at: int, now: int) -> None:
    if at > now:
        raise ImpossibleTime("The time lies in the future. Record it when it has happened.")
    if at < 0:
        raise ImpossibleTime("The time lies before 1970. Give the day on which it took effect.")


def _with_article(kind: EntryKind) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeo" else f"a {kind.value}"


def _take_split(connection: Connection, account: str, costs: Costs) -> None:
    """Parts by another split are forgotten: none of them is missing in the new one, and none counts beside it."""
    name = facts.split(account)
    if (facts.get(connection, name) or "") != costs.split:
        told = sorted({part.day for part in costs.parts})
        connection.execute(delete(_PART).where(_PART.c.account == account, _PART.c.day.in_(told)))
        facts.put(connection, name, costs.split)


def _days(connection: Connection, account: str, costs: Costs) -> Mapping[int, Any]:
    polled = _DAY.c.day.between(costs.first_day, costs.last_day)
    return {row.day: row for row in connection.execute(select(_DAY).where(_DAY.c.account == account, polled))}


def _polled(connection: Connection, account: str, costs: Costs) -> dict[int, PolledDay]:
    """What a poll says of each of its days, beside the parts that are known."""
    amounts: defaultdict[int, list[Decimal]] = defaultdict(list)
    told: defaultdict[int, set[_Part]] = defaultdict(set)
    for part in costs.parts:
        amounts[part.day].append(part.amount)
        told[part.day].add(_part(part))
    known: defaultdict[int, set[_Part]] = defaultdict(set)
    polled = _PART.c.day.between(costs.first_day, costs.last_day)
    for row in connection.execute(select(_PART).where(_PART.c.account == account, polled)):
        known[row.day].add((row.project, row.api_key, row.line_item))
    return {
        day: PolledDay(total(amounts[day]), named=day in told, complete=day in told and known[day] <= told[day])
        for day in range(costs.first_day, costs.last_day + 1)
    }


def _part(part: CostPart) -> _Part:
    """As it is stored."""
    return storable_name(part.project), storable_name(part.api_key), storable_name(part.line_item)


def _keep_day(connection: Connection, account: str, day: int, after: DayCost, before: Any | None, now: int) -> None:
    statement = insert_or_replace(DayCostTable, connection.dialect)
    row = {
        "account": account,
        "day": day,
        "cost_nano": after.cost.nano,
        "doubted": after.doubted_since is not None,
        "first_seen": now if before is None else before.first_seen,
        "last_seen": now if after.doubted_since is None else after.doubted_since,
    }
    statement.run_many(connection, [tuple(row[name] for name in statement.names)])


def _keep_parts(connection: Connection, account: str, costs: Costs, days: Set[int]) -> None:
    """Replace the parts of these days; those of a doubted day stay with it."""
    amounts: defaultdict[tuple[int, _Part], list[Decimal]] = defaultdict(list)
    for part in costs.parts:
        if part.day in days:
            amounts[part.day, _part(part)].append(part.amount)
    connection.execute(delete(_PART).where(_PART.c.account == account, _PART.c.day.in_(sorted(days))))
    if amounts:
        connection.execute(
            _PART.insert(),
            [
                {
                    "account": account,
                    "day": day,
                    "project": project,
                    "api_key": api_key,
                    "line_item": line_item,
                    "cost_nano": total(each).nano,
                }
                for (day, (project, api_key, line_item)), each in sorted(amounts.items())
            ],
        )


def _keep_users(connection: Connection, account: str, costs: Costs, days: Set[int]) -> None:
    """Replace what users were billed on these days, where the poll tells it."""
    if costs.users is None:
        return
    amounts: defaultdict[tuple[int, str], list[Decimal]] = defaultdict(list)
    for part in costs.users:
        if part.day in days:
            amounts[part.day, storable_name(part.user)].append(part.amount)
    connection.execute(delete(_USER).where(_USER.c.account == account, _USER.c.day.in_(sorted(days))))
    if amounts:
        connection.execute(
            _USER.insert(),
            [
                {"account": account, "day": day, "user_id": user, "cost_nano": total(each).nano}
                for (day, user), each in sorted(amounts.items())
            ],
        )


def _keep_used(connection: Connection, account: str, used: Used) -> None:
    """Replace what was counted of these days."""
    sums: defaultdict[UsedPart, int] = defaultdict(int)
    for part in used.parts:
        names = (storable_name(each) for each in (part.project, part.api_key, part.user, part.model))
        sums[UsedPart(part.day, part.unit, 0, *names)] += part.quantity
    of_days = _USED.c.day.between(used.first_day, used.last_day)
    connection.execute(delete(_USED).where(_USED.c.account == account, of_days))
    if sums:
        connection.execute(
            _USED.insert(),
            [
                {
                    "account": account,
                    "day": part.day,
                    "project": part.project,
                    "api_key": part.api_key,
                    "user_id": part.user,
                    "model": part.model,
                    "unit": part.unit,
                    "quantity": quantity,
                }
                for part, quantity in sorted(sums.items())
            ],
        )


def _keep_names(connection: Connection, account: str, names: Iterable[BilledName]) -> None:
    statement = insert_or_replace(BilledNameTable, connection.dialect)
    rows = [
        {
            "account": account,
            "kind": each.kind,
            "holder": storable_name(each.holder),
            "name": storable_name(each.name),
            "project": storable_name(each.project),
        }
        for each in names
    ]
    statement.run_many(connection, [tuple(row[name] for name in statement.names) for row in rows])
