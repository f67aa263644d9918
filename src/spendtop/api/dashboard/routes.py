"""The dashboard for a browser: its page, the sign-in, and what no other route tells it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection

from spendtop import __version__
from spendtop.api import sign_in
from spendtop.api.answers import HttpAnswer, Refused, error
from spendtop.api.dashboard import pages
from spendtop.api.dashboard.pages import WebPage
from spendtop.api.dashboard.shapes import ChartAnswer, ChartBar, ConditionItem, StateAnswer
from spendtop.api.query import TimeParameters
from spendtop.api.questions import DEFAULT_HOURS
from spendtop.api.routes import calendar_of, context_of, guards_of, http_of
from spendtop.api.routes.requests import shows_bodies
from spendtop.api.shapes.ledger import AccountItem
from spendtop.api.shapes.spending import ErrorAnswer, Sums
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_iso
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.ledger.accounts import account_now
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.daily import day_spends, days_of, from_the_oldest
from spendtop.store.reads.spending.present import spent_last_hour, spent_today
from spendtop.store.reads.spending.sums import per_bucket

_STEPS = ((2 * HOUR, MINUTE), (26 * HOUR, 15 * MINUTE), (8 * DAY, 3 * HOUR))
"""Spans up to this one are shown in steps of that; longer ones by local day."""
_LONGEST = 400 * DAY
_FORM = "application/x-www-form-urlencoded"
_NO = frozenset({b"", b"0", b"false", b"no", b"off"})
_NOT_A_FORM = error(415, "unsupported_type", f"Send the form as {_FORM}.")
_NO_KEY_IS_SET = error(403, "not_configured", "No api key is set, so nobody signs in. Set api_key under [server].")
_WRONG = "This is not the api key. It is the value of api_key under [server] in spendtop.toml."
_TOO_OFTEN = "Too many sign-ins failed. Wait a minute, then try again."
_LOGIN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["api_key"],
                    "properties": {
                        "api_key": {"type": "string"},
                        "remember": {"type": "string", "description": "on: 30 days instead of 12 hours."},
                    },
                }
            }
        },
    }
}


def page_router() -> APIRouter:
    """What is open to everybody."""
    routes = APIRouter(tags=["pages"])
    told = {"model": ErrorAnswer}
    moved = {"description": "Signed in; the cookie `spendtop_session` opens what the dashboard asks."}
    routes.add_api_route("/dashboard", page, methods=["GET"], response_class=HTMLResponse)
    routes.add_api_route(
        "/dashboard/login",
        login,
        methods=["POST"],
        status_code=303,
        response_class=Response,
        openapi_extra=_LOGIN,
        responses={303: moved, 401: {**told, "description": "This is not the api key."}},
    )
    routes.add_api_route(
        "/dashboard/logout",
        logout,
        methods=["POST"],
        status_code=303,
        response_class=Response,
        responses={303: {"description": "The browser forgets its sign-in."}},
    )
    return routes


def reads_router() -> APIRouter:
    """What only the dashboard asks."""
    routes = APIRouter(tags=["dashboard"])
    routes.add_api_route("/dashboard/state", state, methods=["GET"])
    routes.add_api_route("/dashboard/chart", chart, methods=["GET"])
    return routes


async def page(request: Request) -> HTMLResponse:
    """The dashboard as one page, for a browser; its sign-in, without any figure, to everybody else."""
    refusal = guards_of(request).why_no_page(http_of(request))
    if refusal is None:
        return _html(pages.dashboard())
    if context_of(request).settings().server.api_key:
        return _html(pages.sign_in_form())
    return _html(pages.closed())


async def login(request: Request) -> Response:
    """Sign a browser in with the api key. Ten failures a minute of one peer are answered, then it has to wait."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refused(_NOT_A_FORM)
    if not context_of(request).settings().server.api_key:
        raise Refused(_NO_KEY_IS_SET)
    fields = _fields(await request.body())
    seconds = sign_in.SHORT if fields.get("remember", b"").lower() in _NO else sign_in.LONG
    result = guards_of(request).sign_in(http_of(request), fields.get("api_key", b"").strip(), seconds)
    if isinstance(result, HttpAnswer):
        return _refused(request, result)
    return _to_the_page(result)


def _fields(form: bytes) -> dict[str, bytes]:
    """The values as the bytes that they are, as keys are compared."""
    pairs = parse_qsl(form.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return {name: value.encode("latin-1") for name, value in pairs}


async def logout(request: Request) -> Response:
    """Make the browser forget its sign-in."""
    return _to_the_page(guards_of(request).sign_out(http_of(request)))


def _to_the_page(cookie: tuple[bytes, bytes]) -> Response:
    """Relative, as a proxy may have put a path before ours."""
    name, value = cookie
    return Response(status_code=303, headers={"Location": "../dashboard", name.decode(): value.decode()})


def _refused(request: Request, answer: HttpAnswer) -> Response:
    """The refusal, for a browser as the form to try again with."""
    if "text/html" not in request.headers.get("accept", ""):
        raise Refused(answer)
    form = pages.sign_in_form()
    own = {name.decode(): value.decode() for name, value in answer.headers}
    again = form.again(_TOO_OFTEN if answer.status == 429 else _WRONG)
    return HTMLResponse(again, answer.status, {**form.headers, **own})


def _html(page: WebPage) -> HTMLResponse:
    return HTMLResponse(page.html, headers=page.headers)


def state(request: Request) -> StateAnswer:
    """How it stands: what is amiss, today and the last hour, and the prepaid balances."""
    context, calendar = context_of(request), calendar_of(request)
    now, health = context.clock(), context.health()
    with context.store.reading() as connection:
        today, last_hour = spent_today(connection, calendar, now), spent_last_hour(connection, now)
        balances = _balances(connection, now)
    conditions: Any = health.detail.get("conditions", [])
    return StateAnswer(
        version=__version__,
        at=to_iso(now),
        zone=calendar.zone,
        status=health.status,
        conditions=[ConditionItem(**each) for each in conditions],
        signed_in=guards_of(request).is_signed_in(http_of(request)),
        shows_bodies=shows_bodies(request),
        today=Sums(**today.figures()),
        last_hour=Sums(**last_hour.figures()),
        balances=balances,
    )


def _balances(connection: Connection, now: int) -> list[AccountItem]:
    in_force = applied(connection)
    accounts = () if in_force is None else in_force.accounts
    return [AccountItem(**AccountItem.fields_of(account_now(connection, each, now))) for each in accounts]


def chart(request: Request, parameters: Annotated[TimeParameters, Query()]) -> ChartAnswer:
    """Spend over time, of the last 24 hours unless a span is given; a long one by local day, of the last 400 days."""
    context, calendar = context_of(request), calendar_of(request)
    now = context.clock()
    wanted = parameters.range(now, calendar, DEFAULT_HOURS)
    since, until = from_the_oldest(context.store, Span(wanted.since, wanted.until or now))
    assert since is not None and until is not None
    since = max(since, until - _LONGEST)
    step = next((step for most, step in _STEPS if until - since <= most), None)
    if step is None:
        days = days_of(Span(since, until), calendar)
        spends = day_spends(context.store, days)
        return ChartAnswer(bars=[ChartBar.of(day, each.spend) for day, each in zip(days, spends, strict=True)])
    first, end = since // step * step, -(-until // step) * step
    with context.store.reading() as connection:
        spent = {bucket.start: bucket.spend for bucket in per_bucket(connection, first, end, step)}
    parts = [Span(at, at + step) for at in range(first, end, step)]
    return ChartAnswer(bars=[ChartBar.of(part, spent.get(part[0] or 0, Spend.nothing())) for part in parts])
