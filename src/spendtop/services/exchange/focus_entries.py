"""What was bought and credited at prepaid accounts, as charges of FOCUS.

A deposit is a purchase that covers usage to come: it is billed then, and its effective cost is that of the usage. A
refund is a credit, an adjustment is what it moved. An opening was bought before, what expires is billed by nobody, and
taxes are told by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services.exchange.focus_columns import columns_of_day, decimal_dollars
from spendtop.store.reads.ledger.accounts import events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.spending.bucket_spans import Span

_CATEGORIES = {EntryKind.DEPOSIT: "Purchase", EntryKind.REFUND: "Credit", EntryKind.ADJUSTMENT: "Adjustment"}
_BOUGHT = frozenset({EntryKind.DEPOSIT, EntryKind.OPENING})
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCharge:
    """An entry of an account's ledger."""

    account: str
    provider: str
    """As requests name it."""
    kind: EntryKind
    at: int
    """UTC µs."""
    amount: Usd
    """Positive: it came to the balance."""


@dataclass(frozen=True, slots=True)
class LedgerCharges:
    """What ledgers hold."""

    charges: tuple[LedgerCharge, ...] = ()
    """The oldest first."""
    prepaid: frozenset[str] = frozenset()
    """Providers whose usage is bought beforehand."""


NO_LEDGERS = LedgerCharges()


def ledger_charges(connection: Connection, accounts: Iterable[Account], span: Span) -> LedgerCharges:
    """Entries that took effect in the span."""
    charges: list[LedgerCharge] = []
    prepaid: set[str] = set()
    for account in accounts:
        for event in events(connection, account.name, _MOST):
            if event.kind in _BOUGHT:
                prepaid.add(account.biller)
            is_within = (span.since or 0) <= event.effective_at and (
                span.until is None or event.effective_at < span.until
            )
            if event.kind in _CATEGORIES and event.amount is not None and is_within:
                charges.append(
                    LedgerCharge(
                        account=account.name,
                        provider=account.biller,
                        kind=event.kind,
                        at=event.effective_at,
                        amount=event.amount,
                    )
                )
    return LedgerCharges(tuple(sorted(charges, key=lambda charge: charge.at)), frozenset(prepaid))


def columns_of_entry(charge: LedgerCharge) -> dict[str, object]:
    """All that is known of a charge, by column of any version."""
    is_purchase = charge.kind is EntryKind.DEPOSIT
    billed = decimal_dollars(charge.amount if is_purchase else -charge.amount)
    return {
        **columns_of_day(charge.at // DAY, charge.provider),
        "BilledCost": billed,
        "ChargeCategory": _CATEGORIES[charge.kind],
        "ChargeDescription": f"{charge.kind.value} of account {charge.account}",
        "ChargeFrequency": "One-Time",
        "ContractedCost": billed,
        "EffectiveCost": "0" if is_purchase else billed,
        "ListCost": billed,
        "PricingQuantity": billed if is_purchase else None,
        "PricingUnit": "Credits" if is_purchase else None,
        "SubAccountId": charge.account,
        "SubAccountName": charge.account,
        "SubAccountType": "Account",
        "x_CostBasis": "entered",
        "x_Requests": 0,
        "x_UnpricedRequests": 0,
    }
