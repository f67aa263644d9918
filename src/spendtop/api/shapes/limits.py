"""The JSON of raises and back-tests."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from spendtop.api.shapes.ledger import Dollars
from spendtop.api.shapes.spending import instant
from spendtop.domain.alerting.backtest import Backtest, FiredThreshold
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import ProviderLimitUse
from spendtop.domain.limits.raises import Raise
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.services.limits.backtests import LONGEST


class RaiseBody(BaseModel):
    """By how much, for whom and until when."""

    model_config = ConfigDict(extra="forbid")

    usd: Dollars
    """More than zero; comes on top of what the limit has."""
    until: Annotated[str, Field(min_length=1, max_length=64)]
    """An instant such as 2026-12-01T14:00Z, or tonight, tomorrow, week, month, 2h, 18:00, 2026-12-01 by the
    collector's clocks."""
    entity: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Whose limit; all of them without it."""


class RaiseAnswer(BaseModel):
    """A limit that is raised for a while."""

    id: int
    name: str
    entity: str | None
    """null: all that the limit holds for."""
    raised_usd: float
    raised_nanousd: int
    since: str | None
    until: str | None
    """When it ends by itself."""

    @classmethod
    def of(cls, one: Raise) -> RaiseAnswer:
        return cls(
            id=one.id,
            name=one.limit_name,
            entity=one.entity,
            raised_usd=float(one.amount.dollars),
            raised_nanousd=one.amount.nano,
            since=instant(one.since),
            until=instant(one.until),
        )


class UnraiseParameters(BaseModel):
    """Whose raises are taken back."""

    model_config = ConfigDict(extra="forbid")

    entity: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Only those made for it; all of the limit without it."""


class RaisesAnswer(BaseModel):
    """Raises of one limit, the oldest first."""

    data: list[RaiseAnswer]


class ProviderLimitItem(BaseModel):
    """A limit that a provider puts on spend itself."""

    provider: str
    scope: str
    """What it holds for, such as organization, project, workspace, user or key."""
    name: str
    """Of that; empty where there is only one."""
    limit_usd: float | None
    """Null where it is unlimited."""
    used_usd: float | None
    """Null where nobody tells it."""
    remaining_usd: float | None
    interval: str
    """day, week, month, lifetime, or a duration such as 30d."""
    resets_at: str | None
    enforced: bool
    """Whether requests are refused behind it; else somebody is only told."""
    as_of: str | None

    @classmethod
    def of(cls, use: ProviderLimitUse) -> ProviderLimitItem:
        return cls(
            provider=use.provider,
            scope=use.told.scope,
            name=use.told.name or use.told.subject,
            limit_usd=Usd.float_of(use.told.amount),
            used_usd=Usd.float_of(use.used),
            remaining_usd=Usd.float_of(use.remaining),
            interval=use.told.interval,
            resets_at=instant(use.bounds.end_us),
            enforced=use.told.enforced,
            as_of=instant(use.as_of),
        )


class ProviderLimitsAnswer(BaseModel):
    """All limits of providers, the fullest first."""

    data: list[ProviderLimitItem]


class BacktestBody(BaseModel):
    """Which limit is tried on the past."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=512)]
    usd: Dollars | None = None
    """Another amount than it has."""
    days: Annotated[int, Field(ge=1, le=LONGEST)] = 30
    """The last so many local days, today among them."""


class FiredItem(BaseModel):
    """How often one threshold would have fired."""

    fraction: float
    times: int
    """Of all entities together."""
    periods: int
    """In how many of the answer's `periods` it did."""
    dates: list[str]
    """The local dates on which these begin."""

    @classmethod
    def of(cls, fired: FiredThreshold, calendar: Calendar) -> FiredItem:
        return cls(
            fraction=fired.fraction,
            times=fired.times,
            periods=len(fired.periods),
            dates=[f"{calendar.local(at):%Y-%m-%d}" for at in fired.periods],
        )


class BacktestAnswer(BaseModel):
    """What a limit would have said."""

    name: str
    window: str
    measure: LimitedValue
    """What it sums: spend, or the API-equivalent value of usage under a plan."""
    usd: float
    nanousd: int
    since: str | None
    until: str | None
    data_since: str | None
    """From when on there are requests, where that is later than `since`; else null."""
    unit: str
    """What `periods` are: hour, day, week or month."""
    periods: int
    unpriced: int
    """Requests of that time whose cost is not known; they count nothing."""
    thresholds: list[FiredItem]
    text: str
    """The same in a sentence."""

    @classmethod
    def of(cls, tried: Backtest, calendar: Calendar) -> BacktestAnswer:
        return cls(
            name=tried.limit.name,
            window=tried.limit.window.text,
            measure=tried.limit.measure,
            usd=float(tried.limit.amount.dollars),
            nanousd=tried.limit.amount.nano,
            since=instant(tried.since),
            until=instant(tried.until),
            data_since=instant(tried.data_since),
            unit=tried.unit,
            periods=len(tried.periods),
            unpriced=tried.unpriced,
            thresholds=[FiredItem.of(each, calendar) for each in tried.thresholds(calendar)],
            text=tried.sentence(calendar),
        )
