"""The JSON about sessions, users and models, where they can with the names that scripts of gateways use."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from spendtop.api.session_refresh import Completeness
from spendtop.api.shapes.spending import ApiEquivalent, Sums, Tokens, instant, raw
from spendtop.domain.clock import to_iso
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.store.reads.models import ModelUse
from spendtop.store.reads.sessions.sessions import SessionCosts, SessionRow, SessionState
from spendtop.store.reads.spending.daily import DaySpend


class SessionItem(Sums):
    """One session, as far as the query selects its requests."""

    session_id: str
    first_at: str
    last_at: str
    tokens: Tokens
    models: list[str]
    users: list[str]
    state: SessionState
    """failed: its last request ended with an error; loop: it looks like one."""

    @classmethod
    def of(cls, row: SessionRow, state: SessionState) -> SessionItem:
        return cls(
            session_id=row.session.raw,
            first_at=to_iso(row.first_at),
            last_at=to_iso(row.last_at),
            tokens=Tokens.of(row.spend),
            models=[model.raw for model in row.models],
            users=[user.raw for user in row.users],
            state=state,
            **row.spend.figures(),
        )


class SessionListAnswer(BaseModel):
    """One page of sessions, those with the newest requests first."""

    data: list[SessionItem]
    next_cursor: str | None


class ModelCost(BaseModel):
    """What one model cost; null where requests name none."""

    model: str | None
    costUSD: float | None
    unpriced: int
    tokens: int


class SessionSums(BaseModel):
    """What a session cost. Requests of shadow tokens are not counted."""

    totalCostUSD: float | None
    """Of the requests whose cost is known; null where it is of none."""
    unpriced: int
    """Requests whose cost is not known, or only in part."""
    failed: int
    """Requests that ended with an error and without any usage: they cost nothing."""
    requestCount: int
    tokenCounts: Tokens
    breakdown: list[ModelCost]
    heliconeVerified: bool
    """Whether Helicone itself gave every counted cost, and there is one."""
    heliconeCosts: int
    """Of how many counted requests Helicone itself gave the cost."""
    api_equivalent: ApiEquivalent

    @staticmethod
    def fields_of(costs: SessionCosts) -> dict[str, Any]:
        whole = costs.whole
        return {
            "totalCostUSD": Usd.float_of(whole.known_cost),
            "unpriced": whole.unpriced,
            "failed": whole.failed,
            "requestCount": whole.requests,
            "tokenCounts": Tokens.of(whole),
            "breakdown": [
                ModelCost(
                    model=raw(model),
                    costUSD=Usd.float_of(spend.known_cost),
                    unpriced=spend.unpriced,
                    tokens=spend.tokens,
                )
                for model, spend in costs.by_model
            ],
            "heliconeVerified": costs.all_by_helicone,
            "heliconeCosts": costs.by_helicone,
            "api_equivalent": ApiEquivalent.of(costs.under_plan),
        }


class SessionCostsAnswer(SessionSums):
    """What a session cost, and how complete that is."""

    complete: bool | None
    """Whether Helicone was asked long enough after the last request to have had them all; null where it cannot be
    asked."""
    note: str | None
    """Why it is not known to be complete."""

    @classmethod
    def of(cls, costs: SessionCosts, completeness: Completeness) -> SessionCostsAnswer:
        return cls(**cls.fields_of(costs), complete=completeness.complete, note=completeness.note)


class RequestTokens(BaseModel):
    """Tokens of one request; null where not known."""

    prompt: int | None
    completion: int | None


class DebugRequest(BaseModel):
    """One request of a session."""

    id: str
    timestamp: str
    model: str | None
    cost: float | None
    """US dollars; null where not known."""
    tokens: RequestTokens
    prompt: str | None
    """As readable text; null where no body is stored."""
    response: str | None
    body_state: str
    body_reason: str | None
    """Why prompt or response are not there as a whole."""
    latency: int | None
    """Milliseconds."""
    path: str | None
    error: str | None
    """What the provider said, or the status of a request that failed."""


class SessionDebugAnswer(BaseModel):
    """The requests of a session in time order."""

    jobId: str
    note: str | None
    """Of bodies that were to be fetched: what came of it."""
    requests: list[DebugRequest]


class Period(BaseModel):
    """A span of whole local days, the last of them until now."""

    text: str
    """In words, such as `last 30 days`."""
    days: int
    since: str
    until: str


class DayCostItem(BaseModel):
    """One local day."""

    date: str
    costUSD: float | None
    unpriced: int
    failed: int
    tokens: int
    requests: int

    @classmethod
    def of(cls, day: DaySpend, calendar: Calendar) -> DayCostItem:
        return cls(
            date=f"{calendar.local(day.start):%Y-%m-%d}",
            costUSD=Usd.float_of(day.spend.known_cost),
            unpriced=day.spend.unpriced,
            failed=day.spend.failed,
            tokens=day.spend.tokens,
            requests=day.spend.requests,
        )


class UserCostsAnswer(BaseModel):
    """What a user spent."""

    userId: str
    known: bool
    """Whether the store has a request of this user."""
    period: Period
    totalCostUSD: float | None
    """Of the requests whose cost is known; null where it is of none."""
    totalTokens: Tokens
    requestCount: int
    unpriced: int
    """Requests whose cost is not known, or only in part."""
    failed: int
    """Requests that ended with an error and without any usage: they cost nothing."""
    byDay: list[DayCostItem]
    """Every day of the period, the oldest first."""


class ModelItem(Sums):
    """One model of one provider; null where requests name none."""

    model: str | None
    family: str | None
    """The name without seller and release, which models of one kind share."""
    provider: str | None
    last_seen: str | None

    @classmethod
    def of(cls, use: ModelUse) -> ModelItem:
        return cls(
            model=raw(use.model),
            family=family(use.model.raw) if use.model else None,
            provider=raw(use.provider),
            last_seen=instant(use.last_seen),
            **use.spend.figures(),
        )


class ModelsAnswer(BaseModel):
    """Models, the costliest first."""

    data: list[ModelItem]
