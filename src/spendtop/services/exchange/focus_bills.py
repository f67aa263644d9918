"""What providers billed, as charges of FOCUS.

A day's bill is a charge for each project, key and line item that the provider names. Its effective cost is that of the
requests, so that both sides of a day stand in the file, each in its own column. What a provider restates after the
month of a day is a correction, billed in the month in which it was told; of such a day nobody knows the parts as they
were, so that it is one charge. Prepaid accounts are left out, whose usage was bought before, and proxies, who bill
nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import Connection, Select, Table, select

from spendtop.domain.clock import DAY, month_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.sources.records import LITELLM
from spendtop.services.exchange.focus_columns import NOTHING, columns_of_day, decimal_dollars
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import names_of
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import DayCostPartTable, DayCostRevisionTable, DayCostTable

_DAY, _PART, _REVISION = table_of(DayCostTable), table_of(DayCostPartTable), table_of(DayCostRevisionTable)


class BilledCharge(Struct, frozen=True, kw_only=True):
    """One amount of one UTC day (counted since 1970); what the provider does not name is empty."""

    account: str
    provider: str
    """As requests name it."""
    day: int
    amount: Usd
    project: str = ""
    project_name: str = ""
    api_key: str = ""
    key_name: str = ""
    line_item: str = ""
    corrected_at: int | None = None
    """When a later month restated it, UTC µs."""


class _BilledDay(Struct):
    cost: Usd
    parts: list[tuple[str, str, str, Usd]] = field(default_factory=list)
    """Project, key and line item."""
    corrections: dict[int, Usd] = field(default_factory=dict)
    """By the month that told them, UTC µs of its begin."""


def billed_charges(
    connection: Connection, accounts: Iterable[Account], prepaid: Set[str], span: Span
) -> tuple[BilledCharge, ...]:
    """Of the days that begin in the span, the oldest first."""
    charges = [
        charge
        for account in accounts
        if account.biller not in prepaid and account.provider != LITELLM.name
        for charge in _of_account(connection, account, span)
    ]
    return tuple(sorted(charges, key=lambda charge: (charge.day, charge.account)))


def _of_account(connection: Connection, account: Account, span: Span) -> Iterator[BilledCharge]:
    names = names_of(connection, account.name)
    for day, billed in _days(connection, account.name, span).items():
        whole = BilledCharge(account=account.name, provider=account.biller, day=day, amount=billed.cost)
        named = [] if billed.corrections else billed.parts
        for project, key, item, amount in named:
            yield replace(
                whole,
                amount=amount,
                project=project,
                project_name=names["project"][project].name if project in names["project"] else "",
                api_key=key,
                key_name=names["key"][key].name if key in names["key"] else "",
                line_item=item,
            )
        rest = billed.cost - sum((each[3] for each in named), ZERO) - sum(billed.corrections.values(), ZERO)
        if rest != ZERO:
            yield replace(whole, amount=rest)
        for month, amount in billed.corrections.items():
            yield replace(whole, amount=amount, corrected_at=month)


def _days(connection: Connection, account: str, span: Span) -> dict[int, _BilledDay]:
    """By day, what was billed, its parts and what later months changed of it."""
    first = -(-(span.since or 0) // DAY)
    last = None if span.until is None else (span.until - 1) // DAY

    def within(table: Table) -> Select[Any]:
        query = select(table).where(table.c.account == account, table.c.day >= first).order_by(*table.primary_key)
        return query if last is None else query.where(table.c.day <= last)

    days = {row.day: _BilledDay(Usd(row.cost_nano)) for row in connection.execute(within(_DAY))}
    for row in connection.execute(within(_PART)):
        if row.day in days:
            days[row.day].parts.append((row.project, row.api_key, row.line_item, Usd(row.cost_nano)))
    for row in connection.execute(within(_REVISION)):
        month = month_of(row.seen_at)
        if row.day in days and month > month_of(row.day * DAY):
            told = days[row.day].corrections
            told[month] = told.get(month, ZERO) + Usd(row.new_nano - row.old_nano)
    return days


def columns_of_bill(charge: BilledCharge, version: str) -> dict[str, object]:
    """All that is known of a charge, by column of any version."""
    billed = decimal_dollars(charge.amount)
    is_correction = charge.corrected_at is not None
    measured = {"Quantity": "1.0", "Unit": "Days"} if version == "1.2" and not is_correction else {}
    return {
        **columns_of_day(charge.day, charge.provider, charge.account, billed_at=charge.corrected_at),
        "BilledCost": billed,
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if is_correction else "",
        "ChargeDescription": charge.line_item
        or (f"restated by {charge.provider}" if is_correction else f"billed by {charge.provider}"),
        "ChargeFrequency": "Usage-Based",
        **{f"{kind}{name}": value for kind in ("Consumed", "Pricing") for name, value in measured.items()},
        "ContractedCost": billed,
        "EffectiveCost": NOTHING,
        "ListCost": billed,
        "ResourceId": charge.api_key,
        "ResourceName": charge.key_name,
        "ResourceType": "API Key" if charge.api_key else "",
        "SubAccountId": charge.project,
        "SubAccountName": charge.project_name,
        "SubAccountType": "Project" if charge.project else "",
        "x_CostBasis": "billed",
        "x_Requests": 0,
        "x_UnpricedRequests": 0,
    }
