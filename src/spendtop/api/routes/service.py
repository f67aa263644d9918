"""The service itself: its figures, its description, starting anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import Connection

from spendtop import __version__
from spendtop.api.context import Context
from spendtop.api.exposition import Figures, exposed
from spendtop.api.routes import calendar_of, context_of, written
from spendtop.api.routes.limits import uses_in_force
from spendtop.api.shapes.spending import instant
from spendtop.domain.clock import to_iso
from spendtop.domain.windows import Calendar
from spendtop.services.stores import reset as store_reset
from spendtop.store.reads.alerts.attention import attention
from spendtop.store.reads.sources.remarks import SourceRemark, source_remarks
from spendtop.store.reads.spending.grown_costs import LOWERED, grown_costs
from spendtop.store.reads.spending.present import today, under_plan_today
from spendtop.store.reads.spending.sums import by_key
from spendtop.store.reads.store_figures import Measures, measures

_DIMENSIONS = ("model", "provider", "source")
_MOST_KEYS = 100
_MOST_COUNTERS = 200
_MOST_REMARKS = 100
_TEXT_TYPES = ("text/plain", "application/openmetrics-text")


class IngestMetrics(BaseModel):
    """How the ways in for pushes are set."""

    rpm: int
    """Posts per minute and key."""
    burst: int
    """Posts that may come at once."""
    auth_enabled: bool
    """Whether an ingest key is set; without one nothing can be pushed."""


class StoreMetrics(BaseModel):
    """What the store holds."""

    usage_rows: int
    active_tokens: int
    last_usage_at: str | None


class RemarkItem(BaseModel):
    """What is amiss with what a source sent in the last 7 days."""

    source: str
    last_at: str
    text: str

    @classmethod
    def of(cls, remark: SourceRemark) -> RemarkItem:
        return cls(source=remark.source, last_at=to_iso(remark.at), text=remark.words)


class MetricsAnswer(BaseModel):
    """Figures about the service itself."""

    version: str
    env: str | None
    """What ENVIRONMENT or ENV says."""
    ingest: IngestMetrics
    counters: dict[str, int]
    """Since the start."""
    db: StoreMetrics
    remarks: list[RemarkItem]
    """What was not read, not taken or refused, and costs that are doubtful, the newest first."""


def router() -> APIRouter:
    routes = APIRouter()
    routes.add_api_route("/reset", reset, methods=["DELETE"], tags=["state"])
    text = {"schema": {"type": "string"}}
    routes.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        tags=["state"],
        response_model=MetricsAnswer,
        responses={200: {"content": dict.fromkeys(_TEXT_TYPES, text)}},
    )
    routes.add_api_route("/openapi.json", description, methods=["GET"], tags=["pages"])
    return routes


def metrics(request: Request, accept: Annotated[str, Header(include_in_schema=False)] = "") -> MetricsAnswer | Response:
    """Figures as JSON; as Prometheus reads them where Accept names text/plain or OpenMetrics."""
    context = context_of(request)
    if any(name in accept for name in _TEXT_TYPES):
        with context.store.reading() as connection:
            figures = _figures(connection, context, calendar_of(request))
        text, content_type = exposed(figures, accept)
        return Response(text, headers={"Content-Type": content_type})
    with context.store.reading() as connection:
        return _answer(context, measures(connection), source_remarks(connection, context.clock()))


def _answer(context: Context, kept: Measures, remarks: Sequence[SourceRemark]) -> MetricsAnswer:
    server = context.settings().server
    return MetricsAnswer(
        version=__version__,
        env=context.environment,
        ingest=IngestMetrics(
            rpm=server.ingest_rate_limit.rpm,
            burst=server.ingest_rate_limit.burst,
            auth_enabled=bool(server.ingest_keys),
        ),
        counters=dict(context.counters.snapshot()),
        db=StoreMetrics(
            usage_rows=kept.requests,
            active_tokens=kept.active_tokens,
            last_usage_at=instant(kept.last_request_at),
        ),
        remarks=[RemarkItem.of(each) for each in remarks[:_MOST_REMARKS]],
    )


def _figures(connection: Connection, context: Context, calendar: Calendar) -> Figures:
    day = today(calendar, context.clock())
    waiting = context.health().detail.get("writes_waiting")
    return Figures(
        version=__version__,
        counters=context.counters.snapshot(),
        measures=measures(connection),
        attention=attention(connection, context.clock()),
        today={dimension: by_key(connection, dimension, *day, _MOST_KEYS) for dimension in _DIMENSIONS},
        grown={dimension: grown_costs(connection, dimension, _MOST_COUNTERS) for dimension in LOWERED},
        under_plan=under_plan_today(connection, calendar, context.clock()),
        limits=uses_in_force(connection, context),
        writes_waiting=waiting if isinstance(waiting, int) else None,
    )


class ResetAnswer(BaseModel):
    """What a reset did."""

    deleted: int
    """Requests."""
    backup: str
    """The file, on the machine of the collector."""


def reset(request: Request) -> ResetAnswer:
    """Write a backup, then delete all usage. Duplicate keys, tokens and settings stay."""
    context = context_of(request)
    now = context.clock()
    done = written(request, lambda connection: store_reset.reset(context.store, connection, context.backups, now))
    context.recorder.dictionary = None  # it held pieces of what is gone
    return ResetAnswer(deleted=done.deleted, backup=str(done.backup))


def description(request: Request) -> dict[str, Any]:
    """This description."""
    described: dict[str, Any] = request.app.openapi()
    return described
