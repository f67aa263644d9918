"""The JSON of accounts and their ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from spendtop.api.shapes.spending import instant, raw
from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger.amounts import exact
from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.ledger.differences import Explanation, ProjectBill, Share
from spendtop.domain.ledger.holders import HolderBill
from spendtop.domain.money import Usd
from spendtop.services.ledger.differences import sentence
from spendtop.services.ledger.entries import Calibrated
from spendtop.store.reads.ledger.accounts import AccountNow, LedgerDay, LedgerEvent
from spendtop.store.reads.ledger.day_bills import DayBill


class ShareItem(BaseModel):
    """A part of the difference."""

    kind: str
    """unpriced, day boundary, not seen, price, beside tokens or rest."""
    text: str
    amount_usd: float | None
    amount_nanousd: int
    """Positive: billed and not in our figures."""
    project: str
    api_key: str
    models: list[str]
    line_item: str
    requests: int
    """Requests without a price, of the kind unpriced."""

    @classmethod
    def of(cls, share: Share) -> ShareItem:
        return cls(
            kind=share.kind.value,
            text=sentence(share),
            amount_usd=Usd.float_of(share.amount),
            amount_nanousd=share.amount.nano,
            project=share.project,
            api_key=share.api_key,
            models=list(share.models),
            line_item=share.line_item,
            requests=share.requests,
        )


class ProjectItem(BaseModel):
    """What one project was billed."""

    project: str
    billed_nanousd: int
    unseen_nanousd: int
    """What of it never passed through us."""

    @classmethod
    def of(cls, bill: ProjectBill) -> ProjectItem:
        return cls(project=bill.project, billed_nanousd=bill.billed.nano, unseen_nanousd=bill.unseen.nano)


class ExplanationItem(BaseModel):
    """One UTC day; the amounts of its shares sum up to the difference."""

    date: str
    billed_nanousd: int
    ours_nanousd: int
    difference_nanousd: int
    shares: list[ShareItem]
    projects: list[ProjectItem]

    @classmethod
    def of(cls, day: int, explanation: Explanation) -> ExplanationItem:
        """`day` counts UTC days since 1970."""
        return cls(
            date=f"{to_datetime(day * DAY):%Y-%m-%d}",
            billed_nanousd=explanation.billed.nano,
            ours_nanousd=explanation.ours.nano,
            difference_nanousd=explanation.difference.nano,
            shares=[ShareItem.of(each) for each in explanation.shares],
            projects=[ProjectItem.of(each) for each in explanation.projects],
        )


def _amount(value: object) -> Decimal:
    """A number, or its text, exactly as it was written."""
    try:
        return exact(Decimal(repr(value)) if isinstance(value, float) else value)
    except ValueError:
        raise ValueError("has to be an amount of US dollars, such as 42.93") from None


Dollars = Annotated[
    Decimal, BeforeValidator(_amount, json_schema_input_type=str | float), Field(gt=-1_000_000_000, lt=1_000_000_000)
]
"""US dollars, a number or its text; exact to a billionth."""


class SyncBody(BaseModel):
    """What the provider's billing page says."""

    model_config = ConfigDict(extra="forbid")

    balance: Dollars


class EventBody(BaseModel):
    """What moved the balance besides spend."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["opening", "deposit", "refund", "expiry", "adjustment"]
    amount: Dollars
    """More than zero; an expiry takes it away, and only an adjustment may be negative."""
    effective_at: AwareDatetime | None = None
    """When it took effect at the provider; now without it."""
    note: Annotated[str, Field(max_length=256)] | None = None


class AccountItem(BaseModel):
    """How an account stands."""

    account: str
    provider: str
    balance_usd: float | None
    balance_nanousd: int | None
    state: str
    """ok, uncalibrated or stale."""
    basis: str
    """What lowers the balance: told (by the provider), billed, seen (no bills are read, so what was seen here is taken
    off) or entered (nothing but entries)."""
    estimated: bool
    """Whether the basis is `seen`."""
    caution: str | None
    """What keeps the balance from being the truth, a sentence."""
    as_of: str | None
    """When the provider was asked successfully last."""
    failure: str | None
    """Why the last poll gave nothing."""
    low_balance_usd: float | None
    calibrated_at: str | None
    drift_usd: float | None
    burn_per_day_usd: float | None
    run_out_at: str | None

    @classmethod
    def fields_of(cls, standing: AccountNow) -> dict[str, Any]:
        """What every shape of an account has."""
        return {
            "account": standing.account.name,
            "provider": standing.account.provider,
            "balance_usd": Usd.float_of(standing.balance),
            "balance_nanousd": Usd.nano_of(standing.balance),
            "state": standing.state.value,
            "basis": standing.account.basis.value,
            "estimated": standing.is_estimate,
            "caution": standing.caution,
            "as_of": instant(standing.as_of),
            "failure": raw(standing.failure),
            "low_balance_usd": Usd.float_of(standing.account.low_balance),
            "calibrated_at": instant(standing.calibrated_at),
            "drift_usd": Usd.float_of(standing.drift),
            "burn_per_day_usd": Usd.float_of(standing.burn_per_day),
            "run_out_at": instant(standing.run_out_at),
        }


class AccountsAnswer(BaseModel):
    """All accounts."""

    data: list[AccountItem]


class EventItem(BaseModel):
    """One entry or calibration."""

    id: int
    kind: str
    effective_at: str | None
    recorded_at: str | None
    amount_usd: float | None
    amount_nanousd: int | None
    """Signed; of a calibration its drift, null where nothing was predicted."""
    observed_nanousd: int | None
    predicted_nanousd: int | None
    note: str | None
    recorded_by: str | None

    @classmethod
    def of(cls, event: LedgerEvent) -> EventItem:
        return cls(
            id=event.id,
            kind=event.kind.value,
            effective_at=instant(event.effective_at),
            recorded_at=instant(event.recorded_at),
            amount_usd=Usd.float_of(event.amount),
            amount_nanousd=Usd.nano_of(event.amount),
            observed_nanousd=Usd.nano_of(event.observed),
            predicted_nanousd=Usd.nano_of(event.predicted),
            note=raw(event.note),
            recorded_by=raw(event.recorded_by),
        )


class DayItem(BaseModel):
    """One UTC day."""

    date: str
    billed_nanousd: int | None
    """Null where no poll covers the day."""
    ours_nanousd: int | None
    """What the requests that we saw cost, as far as it is known; null where no cost is."""
    unpriced: int
    restated: int
    """How often the provider changed the day afterwards."""
    doubted: bool
    """The last poll lacked something of the day that had cost money; it stands meanwhile."""
    imported: int
    """Requests that only imported files tell of: where there are some, bill and requests are not to be compared."""

    @classmethod
    def of(cls, day: LedgerDay) -> DayItem:
        return cls(
            date=f"{to_datetime(day.day * DAY):%Y-%m-%d}",
            billed_nanousd=Usd.nano_of(day.billed),
            ours_nanousd=Usd.nano_of(day.known_ours),
            unpriced=day.unpriced,
            restated=day.restated,
            doubted=day.doubted,
            imported=day.imported,
        )


class HolderItem(BaseModel):
    """A key, user or project on one day."""

    id: str
    """The provider's; empty for what nobody is named for."""
    name: str
    """What people call it; empty where that is not known."""
    billed_usd: float | None
    billed_nanousd: int | None
    """Null where no poll covers the day, or its provider does not tell whom of this kind it billed."""
    seen_usd: float | None
    seen_nanousd: int
    """What its requests cost that are to be on the bill, as far as that is known."""
    difference_nanousd: int | None
    """Positive: billed and not seen; null where the two cannot be compared, as where a part was imported."""
    requests: int
    unpriced: int
    billed_tokens: int | None
    """Input, with what caches took and gave, and output; null where the provider does not count them by this kind."""
    seen_tokens: int
    not_billed_yet_nanousd: int
    """What its requests cost that came after `billed_until`."""
    not_billed_yet_requests: int
    never_passed: bool
    """Whether it was billed and nothing of it was seen."""
    shared: bool
    """Whether these are requests that several of them can have sent."""

    @classmethod
    def of(cls, holder: HolderBill, day: DayBill) -> HolderItem:
        billed = holder.billed if day.is_billed else None
        return cls(
            id=holder.id,
            name=holder.name,
            billed_usd=Usd.float_of(billed),
            billed_nanousd=Usd.nano_of(billed),
            seen_usd=Usd.float_of(holder.seen),
            seen_nanousd=holder.seen.nano,
            difference_nanousd=holder.difference.nano if day.is_compared else None,
            requests=holder.requests,
            unpriced=holder.unpriced,
            billed_tokens=holder.billed_tokens if day.counts_tokens else None,
            seen_tokens=holder.seen_tokens,
            not_billed_yet_nanousd=holder.later.nano,
            not_billed_yet_requests=holder.later_requests,
            never_passed=holder.never_passed,
            shared=holder.is_shared,
        )


class DayBillItem(BaseModel):
    """One UTC day by key, user or project; the amounts of its rows sum up to the day."""

    date: str
    by: BillKind
    billed_until: str | None
    """Up to when the provider has billed what was used; null where it does not say."""
    used: dict[str, int]
    """What the provider counted of the whole day, by unit, such as `input tokens` or `web searches`; empty where it
    does not tell."""
    data: list[HolderItem]
    """The largest bill first; what several can have sent comes last."""

    @classmethod
    def of(cls, day: DayBill) -> DayBillItem:
        return cls(
            date=f"{to_datetime(day.day * DAY):%Y-%m-%d}",
            by=day.by,
            billed_until=instant(day.billed_until),
            used=dict(day.used),
            data=[HolderItem.of(each, day) for each in day.holders],
        )


class AccountAnswer(AccountItem):
    """One account with its ledger."""

    events: list[EventItem]
    """The newest first."""
    days: list[DayItem]
    """Days that polls cover, also those billed at nothing, or that we saw; the newest first."""
    explanation: ExplanationItem | None = None
    """Why the bill of the `day` that was asked about differs; null where none was, no poll covers it, or a part
    of it was imported."""
    billed_until: str | None = None
    """Up to when the provider has billed what was used; null where it does not say."""
    who: DayBillItem | None = None
    """The `day` that was asked about `by` key, user or project; null where it was not."""

    @classmethod
    def of(cls, account: AccountNow, events: Sequence[LedgerEvent], days: Sequence[LedgerDay]) -> AccountAnswer:
        return cls(
            **cls.fields_of(account),
            events=[EventItem.of(each) for each in events],
            days=[DayItem.of(each) for each in days],
        )


class SyncAnswer(BaseModel):
    """What a calibration found."""

    account: str
    predicted_nanousd: int | None
    """Null for the first calibration of an account without entries: the ledger knew of no credit."""
    observed_nanousd: int
    drift_nanousd: int | None
    """Positive: credit that nobody recorded. Negative: spend or expiry that the ledger does not know. Null with
    `predicted_nanousd`."""
    state: str
    """stale when the provider could not be asked just before: what it billed lately is then a part of the drift."""

    @classmethod
    def of(cls, account: str, calibrated: Calibrated, state: str) -> SyncAnswer:
        return cls(
            account=account,
            predicted_nanousd=Usd.nano_of(calibrated.predicted),
            observed_nanousd=calibrated.observed.nano,
            drift_nanousd=Usd.nano_of(calibrated.drift),
            state=state,
        )
