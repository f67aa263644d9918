"""What was bought and credited at prepaid accounts, as charges of FOCUS.

A deposit is a purchase that covers usage to come: it is billed then, and its effective cost is that of the usage. A
refund is a credit, an adjustment is what it moved. An opening was bought before, what expires is billed by nobody, and
taxes are told by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Struct
from sqlalchemy import Connection

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services.exchange.focus_bills import BilledCharge, billed_charges
from spendtop.services.exchange.focus_columns import NOTHING, columns_of_day, decimal_dollars
from spendtop.store.reads.ledger.accounts import events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.spending.bucket_spans import Span

_CATEGORIES = {EntryKind.DEPOSIT: "Purchase", EntryKind.REFUND: "Credit", EntryKind.ADJUSTMENT: "Adjustment"}
_BOUGHT = frozenset({EntryKind.DEPOSIT, EntryKind.OPENING})
_MOST = 1_000_000


class LedgerCharge(Struct, frozen=True, kw_only=True):
    """An entry of an account's ledger."""

    account: str
    provider: str
    """As requests name it."""
    kind: EntryKind
    at: int
    """UTC µs."""
    amount: Usd
    """Positive: it came to the balance."""


@dataclass(frozen=True)
class LedgerCharges:
    """What ledgers hold."""

    charges: tuple[LedgerCharge, ...] = ()
    """The oldest first."""
    prepaid: frozenset[str] = frozenset()
    """Providers whose usage is bought beforehand."""
    bills: tuple[BilledCharge, ...] = ()
    """What others billed, the oldest first."""
    payers: Mapping[str, str] = field(default_factory=dict)
    """The account that pays a provider, where there is only one."""

    def bills_apart(self, provider: str, day: int) -> bool:
        """Whether charges of their own say what was billed for a UTC day."""
        return provider in self.prepaid or (provider, day) in self._billed

    @cached_property
    def _billed(self) -> frozenset[tuple[str, int]]:
        return frozenset((each.provider, each.day) for each in self.bills)


NO_LEDGERS = LedgerCharges()


def ledger_charges(connection: Connection, accounts: Sequence[Account], span: Span) -> LedgerCharges:
    """Entries that took effect in the span, and what was billed for its days."""
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
    return LedgerCharges(
        charges=tuple(sorted(charges, key=lambda charge: charge.at)),
        prepaid=frozenset(prepaid),
        bills=billed_charges(connection, accounts, prepaid, span),
        payers={each.biller: each.name for each in accounts if each.pays_alone},
    )


def columns_of_entry(charge: LedgerCharge) -> dict[str, object]:
    """All that is known of a charge, by column of any version."""
    is_purchase = charge.kind is EntryKind.DEPOSIT
    billed = decimal_dollars(charge.amount if is_purchase else -charge.amount)
    return {
        **columns_of_day(charge.at // DAY, charge.provider, charge.account),
        "BilledCost": billed,
        "ChargeCategory": _CATEGORIES[charge.kind],
        "ChargeDescription": f"{charge.kind.value} of account {charge.account}",
        "ChargeFrequency": "One-Time",
        "ContractedCost": billed,
        "EffectiveCost": NOTHING if is_purchase else billed,
        "ListCost": billed,
        "PricingQuantity": billed if is_purchase else None,
        "PricingUnit": "Credits" if is_purchase else None,
        "x_CostBasis": "entered",
        "x_Requests": 0,
        "x_UnpricedRequests": 0,
    }
