"""Portkey's exported logs. Costs are US cents, as far as its documents tell."""

from __future__ import annotations

from spendtop.domain.billers import biller_named
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.sources.records import PORTKEY
from spendtop.sources.files.rows import FileRow, present, properties_of

_USER, _SESSION = "_user", "_session"
"""What Portkey itself knows among the metadata."""
_FAILED_FROM = 400
_CLIENT_LEFT = 499


def log(row: FileRow, now: int) -> Request:
    """The request of a log. Raises WrongField."""
    http = row.number("response_status_code")
    status = _status(row, http)
    metadata = dict(row.mapping("metadata"))
    user, session = metadata.pop(_USER, None), metadata.pop(_SESSION, None)
    trace = row.name("trace_id")
    latency = row.number("response_time")
    request_body, response_body = row.body("request"), row.body("response")
    return Request(
        source=PORTKEY,
        external_id=present(row.name("id"), "id", "the id of a log"),
        received_at=now,
        occurred_at=present(row.instant(now, "created_at"), "created_at", "a date and time, and not in the future"),
        time_source=TimeSource.CLIENT,
        response_id=_response_id(row),
        provider=biller_named(row.name("ai_org", "ai_provider")),
        model=row.name("ai_model"),
        status=status,
        http_status=None if http is None else int(http),
        usage=Usage(prompt=row.tokens("req_units"), completion=row.tokens("res_units")),
        cost=_cost(row),
        user_id=None if user is None else str(user),
        session_id=None if session is None else str(session),
        properties=properties_of(metadata, {} if trace is None else {"portkey.trace_id": trace}) or None,
        latency_ms=None if latency is None else round(latency),
        cached=_is_cached(row),
        request_body=request_body,
        response_body=response_body,
        body_state=BodyState.NOT_SENT if request_body is response_body is None else BodyState.STORED,
    )


def _status(row: FileRow, http: object) -> Status:
    if http is not None:
        code = int(str(http))
        return Status.CANCELLED if code == _CLIENT_LEFT else Status.ERROR if code >= _FAILED_FROM else Status.OK
    return Status.OK if "is_success" not in row or row.is_true("is_success") else Status.ERROR


def _cost(row: FileRow) -> Cost:
    if (row.name("cost_currency", "currency") or "USD").upper() != "USD":
        return Cost()
    cents = row.number("cost")
    return Cost() if cents is None else Cost(reported=Usd.of(cents / 100), reported_by=Reporter.GATEWAY)


def _is_cached(row: FileRow) -> bool:
    return (row.name("cache_status") or "").upper() in ("HIT", "SEMANTIC HIT")


def _response_id(row: FileRow) -> str | None:
    """The provider's id, where the log has the answer; that of a cache hit is another request's."""
    id = row.mapping("response").get("id")
    return provider_response_id(id) if isinstance(id, str) and id and not _is_cached(row) else None
