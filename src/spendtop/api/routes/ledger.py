"""Prepaid balances: how they stand, and what people enter by hand."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Connection

from spendtop.api.query import InvalidField
from spendtop.api.routes import context_of, written
from spendtop.api.shapes.ledger import (
    AccountAnswer,
    AccountItem,
    AccountsAnswer,
    DayBillItem,
    EventBody,
    ExplanationItem,
    SyncAnswer,
    SyncBody,
)
from spendtop.api.shapes.spending import ErrorAnswer, instant
from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.errors import UsageError
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.money import Usd
from spendtop.services import tasks
from spendtop.services.ledger import entries as ledger
from spendtop.services.ledger.differences import explain
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.ledger.accounts import AccountState, account_now, days, events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import billed_until, day_bill

_BY = "api"
_POLLED_WITHIN = 20.0
"""Seconds that a fresh poll is waited for."""
_LOOK = 0.1
_NO_ACCOUNT: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is no account of this name."}
}

_NOT_JSON: dict[int | str, dict[str, Any]] = {400: {"model": ErrorAnswer, "description": "The body is not JSON."}}


def _day(written: object) -> date:
    """Only a whole date: pydantic alone would take a number of seconds, too."""
    try:
        return datetime.strptime(str(written), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError("has to be a date such as 2026-11-20") from None


class LedgerParameters(BaseModel):
    """How much of a ledger is wanted."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=400)] = 60
    """The last so many UTC days."""
    events: Annotated[int, Field(ge=1, le=1000)] = 100
    """At most so many entries, the newest first."""
    day: Annotated[date, BeforeValidator(_day, json_schema_input_type=date)] | None = None
    """A UTC day on which the bill's difference from what we saw is to be explained."""
    by: BillKind | None = None
    """Also tells the `day` by key, user or project."""


def router() -> APIRouter:
    routes = APIRouter(tags=["ledger"])
    one = "/ledger/{account}"
    routes.add_api_route("/ledger", list_accounts, methods=["GET"])
    routes.add_api_route(one, show, methods=["GET"], responses=_NO_ACCOUNT)
    routes.add_api_route(f"{one}/sync", sync, methods=["POST"], responses=_NOT_JSON | _NO_ACCOUNT)
    routes.add_api_route(f"{one}/events", enter, methods=["POST"], responses=_NOT_JSON | _NO_ACCOUNT)
    return routes


def list_accounts(request: Request) -> AccountsAnswer:
    """All accounts as they stand."""
    context = context_of(request)
    now = context.clock()
    with context.store.reading() as connection:
        accounts = [account_now(connection, each, now) for each in _accounts(connection)]
    return AccountsAnswer(data=[AccountItem(**AccountItem.fields_of(each)) for each in accounts])


def show(request: Request, account: str, parameters: Annotated[LedgerParameters, Query()]) -> AccountAnswer:
    """One account with what was entered, and day by day what was billed and what we saw."""
    if parameters.by is not None and parameters.day is None:
        raise InvalidField("day", "is needed where `by` is given, such as 2026-11-20")
    context = context_of(request)
    with context.store.reading() as connection:
        kept = _account(connection, account)
        answer = _ledger(connection, kept, context.clock(), parameters)
        answer.billed_until = instant(billed_until(connection, kept.name))
        if parameters.day is not None:
            day = _number(parameters.day)
            explanation = explain(connection, kept.name, kept.biller, day)
            answer.explanation = None if explanation is None else ExplanationItem.of(day, explanation)
            if parameters.by is not None:
                answer.who = DayBillItem.of(day_bill(connection, kept, day, parameters.by))
        return answer


def sync(request: Request, account: str, body: SyncBody) -> SyncAnswer:
    """Enter what the provider's billing page says now; costs that are older than one interval are read first."""
    context = context_of(request)
    with context.store.reading() as connection:
        kept = _kept(connection, account)
        wants_poll = account_now(connection, kept, context.clock()).wants_poll(context.clock())
    if wants_poll:
        _poll(request, kept)
    now = context.clock()

    def work(connection: Connection) -> SyncAnswer:
        is_old = account_now(connection, kept, now).wants_poll(now)
        calibrated = ledger.calibrate(connection, kept, Usd.of(body.balance), now, now, _BY)
        state = AccountState.STALE if is_old else account_now(connection, kept, now).state
        return SyncAnswer.of(kept.name, calibrated, state.value)

    try:
        return written(request, work)
    except UsageError as failure:
        raise InvalidField("balance", str(failure)) from None


def enter(request: Request, account: str, body: EventBody) -> AccountAnswer:
    """Enter a deposit, refund, expiry or adjustment. Nothing is ever edited: enter the opposite to take one back."""
    now = context_of(request).clock()
    at = now if body.effective_at is None else to_micros(body.effective_at)

    def work(connection: Connection) -> AccountAnswer:
        kept = _kept(connection, account)
        kind, amount = EntryKind(body.kind), Usd.of(body.amount)
        ledger.record(connection, kept.name, kind, amount, at, now, note=body.note, by=_BY)
        return _ledger(connection, kept, now, LedgerParameters())

    try:
        return written(request, work)
    except ledger.ImpossibleTime as failure:
        raise InvalidField("effective_at", str(failure)) from None
    except UsageError as failure:
        raise InvalidField("amount", str(failure)) from None


def _ledger(connection: Connection, account: Account, now: int, wanted: LedgerParameters) -> AccountAnswer:
    today = now // DAY
    return AccountAnswer.of(
        account_now(connection, account, now),
        events(connection, account.name, wanted.events),
        days(connection, account, today - wanted.days + 1, today),
    )


def _number(wanted: date) -> int:
    """UTC days since 1970."""
    return to_micros(datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC)) // DAY


def _accounts(connection: Connection) -> tuple[Account, ...]:
    in_force = applied(connection)
    return () if in_force is None else in_force.accounts


def _account(connection: Connection, name: str) -> Account:
    for account in _accounts(connection):
        if account.name == name:
            return account
    raise HTTPException(404, _NO_ACCOUNT[404]["description"])


def _kept(connection: Connection, name: str) -> Account:
    """An account whose balance is kept here."""
    account = _account(connection, name)
    if account.tells_balance:
        raise InvalidField("account", "has a balance that its provider tells; there is nothing to enter")
    return account


def _poll(request: Request, account: Account) -> None:
    """Ask for a fresh poll, and wait for it a while; what came of it is in the store."""
    context = context_of(request)
    arguments: dict[str, object] = {"poller": account.poller}
    task = written(request, lambda connection: tasks.ask(connection, TaskKind.POLL_NOW, arguments, context.clock()))
    deadline = time.monotonic() + _POLLED_WITHIN
    while time.monotonic() < deadline:
        with context.store.reading() as connection:
            latest = tasks.look(connection, task)
        if latest is None or latest.state in (TaskState.DONE, TaskState.FAILED):
            return
        time.sleep(_LOOK)
