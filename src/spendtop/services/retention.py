"""Forgetting what is older than the settings keep, in small steps, so that nothing waits for it."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select, tuple_, update

from spendtop.domain.clock import DAY, month_of
from spendtop.domain.requests.request import BodyState
from spendtop.services.alerting.episodes import is_resolved
from spendtop.services.alerting.outbox import DeliveryState
from spendtop.services.repricing.repricing import forget_changes_before
from spendtop.services.tasks import ENDED, TaskKind
from spendtop.store import facts, partitions
from spendtop.store.ids import SLOTS
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertTable,
    AlertTransitionTable,
    BodyTable,
    DeliveryAlertTable,
    DeliveryAttemptTable,
    DeliveryTable,
    QuarantineTable,
    RequestTable,
    RevisionTable,
    TaskTable,
)

_BATCH = 500
_SETTLED_KEPT = 30 * DAY
"""How long a message that was sent and a task that was done are kept, in µs; dead messages wait for a person."""
_REQUEST, _BODY, _REVISION = table_of(RequestTable), table_of(BodyTable), table_of(RevisionTable)
_QUARANTINE, _TASK = table_of(QuarantineTable), table_of(TaskTable)
_DELIVERY, _ATTEMPT, _ALERT = table_of(DeliveryTable), table_of(DeliveryAttemptTable), table_of(AlertTable)
_TOLD, _TRANSITION = table_of(DeliveryAlertTable), table_of(AlertTransitionTable)


class RetentionPeriods(Struct, frozen=True):
    """How long things are kept, in µs."""

    bodies: int
    requests: int


def forget_some(connection: Connection, kept: RetentionPeriods, now: int, most: int = _BATCH) -> bool:
    """Delete one batch of what is too old, of so many requests or bodies at most; True when there may be more.

    Requests go by whole UTC months of arrival; their keys stay for ever, so that a replay is still a duplicate. Those
    that have partitions of their own are left to `forget_month`.
    """
    return (
        _requests(connection, month_of(now - kept.requests), most)  # first, so that bodies go with them
        or _bodies(connection, now - kept.bodies, most)
        or _quarantined(connection, now - kept.requests)
        or _deliveries(connection, now - _SETTLED_KEPT)
        or _tasks(connection, now - _SETTLED_KEPT)
        or _transitions(connection, now - kept.requests)
    )


def forget_month(connection: Connection, kept: RetentionPeriods, now: int) -> bool:
    """On PostgreSQL, drop the oldest month that is too old: of requests with their bodies, or of bodies once all of
    them are deleted. True when there may be more. One that somebody uses is left for another time.

    Has to be done beside the writer, as the server takes the files away before it answers the commit.
    """
    return _month(connection, month_of(now - kept.requests)) or partitions.drop_empty(
        connection, "body", (now - kept.bodies) * SLOTS
    )


def _bodies(connection: Connection, before: int, most: int) -> bool:
    old = select(_BODY.c.request_id).where(_BODY.c.request_id < before * SLOTS).order_by(_BODY.c.request_id)
    ids = list(connection.execute(old.limit(most)).scalars())
    if ids:
        purged = {"body_state": BodyState.PURGED.value}
        connection.execute(update(_REQUEST).where(_REQUEST.c.id.in_(ids)).values(purged))
        connection.execute(delete(_BODY).where(_BODY.c.request_id.in_(ids)))
    raw = select(_QUARANTINE.c.id).where(_QUARANTINE.c.received_at < before, _QUARANTINE.c.raw.is_not(None))
    emptied = update(_QUARANTINE).where(_QUARANTINE.c.id.in_(raw.order_by(_QUARANTINE.c.id).limit(most)))
    gone = connection.execute(emptied.values(raw=None)).rowcount
    return most in (len(ids), gone)


def _requests(connection: Connection, before: int, most: int) -> bool:
    if partitions.past_end(connection, "request", before * SLOTS) is not None:
        return False
    old = select(_REQUEST.c.id).where(_REQUEST.c.id < before * SLOTS).order_by(_REQUEST.c.id)
    ids = list(connection.execute(old.limit(most)).scalars())
    if ids:
        for table, column in (
            (_BODY, _BODY.c.request_id),
            (_REVISION, _REVISION.c.request_id),
            (_REQUEST, _REQUEST.c.id),
        ):
            connection.execute(delete(table).where(column <= ids[-1]))
        forget_changes_before(connection, ids[-1] + 1)
        facts.put(connection, facts.VERIFIED_FROM, str(before))
    return len(ids) == most


def _month(connection: Connection, before: int) -> bool:
    """What was kept about the requests elsewhere goes first, in batches, and with them what came meanwhile."""
    end = partitions.past_end(connection, "request", before * SLOTS)
    if end is None:
        return False
    is_of_month = _REVISION.c.request_id < end
    some = select(_REVISION.c.id).where(is_of_month).limit(_BATCH)
    if connection.execute(delete(_REVISION).where(_REVISION.c.id.in_(some))).rowcount:
        return True
    if forget_changes_before(connection, end):
        return True
    if not partitions.drop(connection, ["request", "body"], end):
        return False
    connection.execute(delete(_REVISION).where(is_of_month))
    forget_changes_before(connection, end)
    facts.put(connection, facts.VERIFIED_FROM, str(before))
    return True


def _quarantined(connection: Connection, before: int) -> bool:
    return _first(connection, _QUARANTINE, _QUARANTINE.c.received_at < before)


def _deliveries(connection: Connection, before: int) -> bool:
    """Messages of an alert that goes on are kept: whether it was told decides whether its end is told."""
    settled = (DeliveryState.SENT, DeliveryState.SUPERSEDED)
    goes_on = exists().where(_TOLD.c.delivery_id == _DELIVERY.c.id, _ALERT.c.id == _TOLD.c.alert_id, ~is_resolved())
    old = and_(_DELIVERY.c.state.in_(settled), _DELIVERY.c.created_at < before, ~goes_on)
    ids = list(connection.execute(select(_DELIVERY.c.id).where(old).order_by(_DELIVERY.c.id).limit(_BATCH)).scalars())
    for table, column in (
        (_ATTEMPT, _ATTEMPT.c.delivery_id),
        (_TOLD, _TOLD.c.delivery_id),
        (_DELIVERY, _DELIVERY.c.id),
    ):
        connection.execute(delete(table).where(column.in_(ids)))
    return len(ids) == _BATCH


def _tasks(connection: Connection, before: int) -> bool:
    finished = _TASK.c.state.in_(ENDED)
    return _first(
        connection, _TASK, and_(finished, or_(_TASK.c.updated_at < before, _TASK.c.kind == TaskKind.POST_BODY.value))
    )


def _transitions(connection: Connection, before: int) -> bool:
    """How alerts stood when there are no requests of any more, but for how they stood last."""
    later = _TRANSITION.alias()
    is_overtaken = exists().where(
        later.c.alert_id == _TRANSITION.c.alert_id, later.c.version > _TRANSITION.c.version, later.c.at < before
    )
    key = tuple_(*_TRANSITION.primary_key)
    old = select(*_TRANSITION.primary_key).where(_TRANSITION.c.at < before, is_overtaken).limit(_BATCH)
    return connection.execute(delete(_TRANSITION).where(key.in_(old))).rowcount == _BATCH


def _first(connection: Connection, table: Table, old: ColumnElement[bool]) -> bool:
    """Delete one batch of the old rows; True when there may be more."""
    chosen = select(table.c.id).where(old).order_by(table.c.id).limit(_BATCH)
    return connection.execute(delete(table).where(table.c.id.in_(chosen))).rowcount == _BATCH
