"""One stored request as faces see it, and the sums that every total consists of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from spendtop.domain.money import Usd
from spendtop.domain.request import Basis, BodyState, Status
from spendtop.domain.untrusted import Untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One LLM API call. None is unknown; instants are UTC microseconds."""

    id: int
    source: str
    """The most trusted source that reported it."""
    sources: tuple[str, ...]
    external_ids: dict[str, str]
    """Source name to the id it gave."""
    response_id: str | None
    occurred_at: int
    time_source: str
    time_suspect: bool
    received_at: int
    provider: Untrusted | None
    model: Untrusted | None
    status: Status
    http_status: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost: Usd | None
    basis: Basis
    reported_cost: Usd | None
    computed_cost: Usd | None
    price_version: str | None
    user_id: Untrusted | None
    session_id: Untrusted | None
    session_path: Untrusted | None
    token: Untrusted | None
    properties: dict[str, str]
    latency_ms: int | None
    ttft_ms: int | None
    cached: bool
    verified: bool
    counted: bool
    body_state: BodyState

    @property
    def total_tokens(self) -> int | None:
        """All tokens, or None when neither side is known."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)


def from_row(row: Any) -> RequestRow:
    """A row with all columns of the table `request`."""
    return RequestRow(
        id=row.id,
        source=row.source,
        sources=tuple(row.sources.split(",")),
        external_ids=json.loads(row.external_ids),
        response_id=row.response_id,
        occurred_at=row.occurred_at,
        time_source=row.time_source,
        time_suspect=bool(row.time_suspect),
        received_at=row.received_at,
        provider=outside(row.provider),
        model=outside(row.model),
        status=Status(row.status),
        http_status=row.http_status,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cached_tokens=row.cached_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        cost=_usd(row.cost_nano),
        basis=Basis(row.basis),
        reported_cost=_usd(row.reported_cost_nano),
        computed_cost=_usd(row.computed_cost_nano),
        price_version=row.price_version,
        user_id=outside(row.user_id),
        session_id=outside(row.session_id),
        session_path=outside(row.session_path),
        token=outside(row.token),
        properties=json.loads(row.properties) if row.properties else {},
        latency_ms=row.latency_ms,
        ttft_ms=row.ttft_ms,
        cached=bool(row.cached),
        verified=bool(row.verified),
        counted=bool(row.counted),
        body_state=BodyState(row.body_state),
    )


def outside(text: str | None) -> Untrusted | None:
    """Text that came from outside, or None."""
    return None if text is None else Untrusted(text)


def _usd(nano: int | None) -> Usd | None:
    return None if nano is None else Usd(nano)


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over requests. `cost` adds the known costs; `unpriced` counts the requests whose cost is not known."""

    requests: int
    cost: Usd
    unpriced: int
    errors: int
    prompt_tokens: int
    completion_tokens: int

    @classmethod
    def nothing(cls) -> Spend:
        """The sum over no requests."""
        return cls(0, Usd(0), 0, 0, 0, 0)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def average(self) -> Usd | None:
        """Cost per priced request, rounded half-even to nano-USD; None when no request is priced."""
        priced = self.requests - self.unpriced
        return Usd(round(Fraction(self.cost.nano, priced))) if priced else None

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.requests + other.requests,
            self.cost + other.cost,
            self.unpriced + other.unpriced,
            self.errors + other.errors,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def __sub__(self, other: Spend) -> Spend:
        return Spend(
            self.requests - other.requests,
            self.cost - other.cost,
            self.unpriced - other.unpriced,
            self.errors - other.errors,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
        )
