"""Between a domain record and a row of the table `request`."""

from __future__ import annotations

from typing import Any

import msgspec

from spendtop.domain.merging import Record
from spendtop.domain.money import Usd
from spendtop.domain.request import Basis, BodyState, Cost, Request, Status, TimeSource, Usage
from spendtop.domain.sources import Source, source_named


def to_values(record: Record) -> dict[str, Any]:
    """Column name to value."""
    request = record.request
    usage, cost = request.usage, request.cost
    return {
        "id": record.id,
        "source": request.source.name,
        "sources": ",".join(record.sources),
        "external_ids": msgspec.json.encode(record.external_ids).decode(),
        "response_id": request.response_id,
        "occurred_at": request.occurred_at,
        "time_source": request.time_source._value_,
        "time_suspect": request.time_suspect,
        "received_at": request.received_at,
        "provider": request.provider,
        "model": request.model,
        "status": request.status._value_,
        "http_status": request.http_status,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "cached_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "reasoning_tokens": usage.reasoning,
        "cost_nano": _nano(cost.amount),
        "basis": cost.basis._value_,
        "reported_cost_nano": _nano(cost.reported),
        "computed_cost_nano": _nano(cost.computed),
        "price_version": cost.price_version,
        "user_id": request.user_id,
        "session_id": request.session_id,
        "session_path": request.session_path,
        "token": request.token,
        "properties": msgspec.json.encode(request.properties).decode() if request.properties else None,
        "latency_ms": request.latency_ms,
        "ttft_ms": request.ttft_ms,
        "cached": request.cached,
        "verified": request.verified,
        "counted": request.counted,
        "body_state": request.body_state._value_,
        "given_by": _names(record.given_by) if record.given_by else None,
    }


def from_row(row: Any) -> Record:
    """The record behind a row with all columns."""
    external_ids = msgspec.json.decode(row.external_ids, type=dict[str, str])
    request = Request(
        source=source_named(row.source),
        external_id=external_ids[row.source],
        received_at=row.received_at,
        occurred_at=row.occurred_at,
        time_source=TimeSource(row.time_source),
        time_suspect=bool(row.time_suspect),
        response_id=row.response_id,
        provider=row.provider,
        model=row.model,
        status=Status(row.status),
        http_status=row.http_status,
        usage=Usage(
            prompt=row.prompt_tokens,
            completion=row.completion_tokens,
            cache_read=row.cached_tokens,
            cache_write=row.cache_write_tokens,
            reasoning=row.reasoning_tokens,
        ),
        cost=Cost(
            amount=_usd(row.cost_nano),
            basis=Basis(row.basis),
            reported=_usd(row.reported_cost_nano),
            computed=_usd(row.computed_cost_nano),
            price_version=row.price_version,
        ),
        user_id=row.user_id,
        session_id=row.session_id,
        session_path=row.session_path,
        token=row.token,
        properties=msgspec.json.decode(row.properties, type=dict[str, str]) if row.properties else None,
        latency_ms=row.latency_ms,
        ttft_ms=row.ttft_ms,
        cached=bool(row.cached),
        verified=bool(row.verified),
        counted=bool(row.counted),
        body_state=BodyState(row.body_state),
    )
    names = msgspec.json.decode(row.given_by, type=dict[str, str]) if row.given_by else {}
    given_by = {field: source_named(name) for field, name in names.items()}
    return Record(id=row.id, request=request, external_ids=external_ids, given_by=given_by)


def _names(given_by: dict[str, Source]) -> str:
    return msgspec.json.encode({field: source.name for field, source in given_by.items()}).decode()


def _nano(amount: Usd | None) -> int | None:
    return None if amount is None else amount.nano


def _usd(nano: int | None) -> Usd | None:
    return None if nano is None else Usd(nano)
