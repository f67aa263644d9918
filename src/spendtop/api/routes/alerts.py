"""Alerts with their deliveries, and what people do about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from spendtop.api.query import AlertParameters, InvalidField
from spendtop.api.routes import UNKNOWN_ID, context_of, written
from spendtop.api.shapes.alerts import AlertItem, AlertsAnswer, SilenceItem, SilencesAnswer, UndoneAnswer, alert_items
from spendtop.domain.clock import MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.parser import LONGEST_FILTER
from spendtop.services.alerting import actions as alert_actions
from spendtop.store.reads.alerts.attention import alert, alerts
from spendtop.store.reads.alerts.silences import silences

AlertId = Annotated[int, Path(ge=1, le=2**31 - 1)]
_BY = "api"


class AckBody(BaseModel):
    """Who does it."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, Field(min_length=1, max_length=64)] = _BY


class SnoozeBody(BaseModel):
    """For how long."""

    model_config = ConfigDict(extra="forbid")

    minutes: Annotated[int, Field(ge=1, le=alert_actions.LONGEST_SNOOZE // MINUTE)]
    by: Annotated[str, Field(min_length=1, max_length=64)] = _BY


class SilenceBody(BaseModel):
    """Which alerts are to be silent, for how long."""

    model_config = ConfigDict(extra="forbid")

    filter: Annotated[str, Field(min_length=1, max_length=LONGEST_FILTER)]
    """Names user, model, token, session, limit, kind or severity, such as `user:ci limit:daily`."""
    minutes: Annotated[int, Field(ge=1, le=alert_actions.LONGEST_SILENCE // MINUTE)]
    by: Annotated[str, Field(min_length=1, max_length=64)] = _BY


def router() -> APIRouter:
    routes = APIRouter(tags=["alerts"])
    routes.add_api_route("/alerts", list_alerts, methods=["GET"])
    routes.add_api_route("/alerts/undo", undo, methods=["POST"], responses=UNKNOWN_ID)
    routes.add_api_route("/alerts/{id}/ack", ack, methods=["POST"], responses=UNKNOWN_ID)
    routes.add_api_route("/alerts/{id}/snooze", snooze, methods=["POST"], responses=UNKNOWN_ID)
    routes.add_api_route("/alerts/{id}/unack", unack, methods=["POST"], responses=UNKNOWN_ID)
    routes.add_api_route("/silences", list_silences, methods=["GET"])
    routes.add_api_route("/silences", silence, methods=["POST"])
    routes.add_api_route("/silences/{id}", unsilence, methods=["DELETE"], responses=UNKNOWN_ID)
    return routes


def list_alerts(request: Request, parameters: Annotated[AlertParameters, Query()]) -> AlertsAnswer:
    """Alerts with the messages that went out about them, the newest first."""
    context = context_of(request)
    with context.store.reading() as connection:
        listed = alerts(connection, parameters.open, parameters.limit)
        return AlertsAnswer(data=alert_items(connection, listed, context.clock(), context.ceilings()))


def ack(request: Request, id: AlertId, body: AckBody | None = None) -> AlertItem:
    """Say that somebody takes care of it: it speaks again only when it gets worse or begins anew."""
    by, now = (body or AckBody()).by, context_of(request).clock()
    return _changed(request, id, lambda connection: alert_actions.ack(connection, id, by, now))


def snooze(request: Request, id: AlertId, body: SnoozeBody) -> AlertItem:
    """Keep it silent for some minutes; what stands then is announced once."""
    now = context_of(request).clock()
    until = now + body.minutes * MINUTE
    return _changed(request, id, lambda connection: alert_actions.snooze(connection, id, until, body.by, now))


def unack(request: Request, id: AlertId) -> AlertItem:
    """Take an ack and a snooze back."""
    now = context_of(request).clock()
    return _changed(request, id, lambda connection: alert_actions.unack(connection, id, _BY, now))


def undo(request: Request, body: AckBody | None = None) -> UndoneAnswer:
    """Take back the last ack, snooze or silence of somebody's (`by`) that still stands as it was made."""
    by, now = (body or AckBody()).by, context_of(request).clock()
    try:
        return UndoneAnswer(undone=written(request, lambda connection: alert_actions.undo(connection, by, now)))
    except alert_actions.NothingToUndo as nothing:
        raise HTTPException(404, str(nothing)) from None


def list_silences(request: Request) -> SilencesAnswer:
    """The silences that are in force."""
    context = context_of(request)
    with context.store.reading() as connection:
        in_force = silences(connection, context.clock())
    return SilencesAnswer(data=[SilenceItem.of(each) for each in in_force])


def silence(request: Request, body: SilenceBody) -> SilenceItem:
    """Keep alerts that a filter selects from speaking; they go on being recorded, and what they had to say and still
    stands is said once at the end."""
    now = context_of(request).clock()
    until = now + body.minutes * MINUTE
    try:
        made = written(request, lambda connection: alert_actions.silence(connection, body.filter, until, body.by, now))
    except UsageError as failure:
        raise InvalidField("filter", str(failure)) from None
    return SilenceItem.of(made)


def unsilence(request: Request, id: AlertId) -> SilencesAnswer:
    """End a silence now. Answers those that are still in force."""
    now = context_of(request).clock()

    def work(connection: Connection) -> SilencesAnswer:
        alert_actions.unsilence(connection, id, _BY, now)
        return SilencesAnswer(data=[SilenceItem.of(each) for each in silences(connection, now)])

    try:
        return written(request, work)
    except alert_actions.NoSuchSilence:
        raise HTTPException(404, "There is no silence with this id in force.") from None


def _changed(request: Request, alert_id: int, change: Callable[[Connection], None]) -> AlertItem:
    context = context_of(request)

    def work(connection: Connection) -> AlertItem:
        change(connection)
        changed = alert(connection, alert_id)
        assert changed is not None
        [item] = alert_items(connection, [changed], context.clock(), context.ceilings())
        return item

    try:
        return written(request, work)
    except alert_actions.NoSuchAlert:
        raise HTTPException(404, "There is no alert with this id.") from None
    except UsageError as failure:
        raise InvalidField("id", str(failure)) from None
