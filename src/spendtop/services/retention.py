"""Forgetting what is older than the settings keep, in small steps, so that nothing waits for it."""

from __future__ import annotations

from datetime import UTC

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from spendtop.domain.clock import to_datetime, to_micros
from spendtop.domain.request import BodyState
from spendtop.store import facts
from spendtop.store.ids import SLOTS
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, QuarantineTable, RequestTable, RevisionTable

_BATCH = 500
_REQUEST, _BODY, _REVISION = table_of(RequestTable), table_of(BodyTable), table_of(RevisionTable)
_QUARANTINE = table_of(QuarantineTable)


class Kept(Struct, frozen=True):
    """How long things are kept, in µs."""

    bodies: int
    requests: int


def forget_some(connection: Connection, kept: Kept, now: int) -> bool:
    """Delete one batch of what is too old; True when there may be more.

    Requests go by whole UTC months of arrival; their keys stay for ever, so that a replay is still a duplicate.
    """
    return _bodies(connection, now - kept.bodies) or _requests(connection, _month(now - kept.requests))


def _month(at: int) -> int:
    """Start of the UTC month of an instant."""
    return to_micros(to_datetime(at).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _bodies(connection: Connection, before: int) -> bool:
    old = select(_BODY.c.request_id).where(_BODY.c.request_id < before * SLOTS).order_by(_BODY.c.request_id)
    ids = list(connection.execute(old.limit(_BATCH)).scalars())
    if ids:
        purged = {"body_state": BodyState.PURGED.value}
        connection.execute(update(_REQUEST).where(_REQUEST.c.id.in_(ids)).values(purged))
        connection.execute(delete(_BODY).where(_BODY.c.request_id.in_(ids)))
    gone = connection.execute(
        update(_QUARANTINE).where(_QUARANTINE.c.received_at < before, _QUARANTINE.c.raw.is_not(None)).values(raw=None)
    )
    return len(ids) == _BATCH or bool(gone.rowcount and gone.rowcount >= _BATCH)


def _requests(connection: Connection, before: int) -> bool:
    old = select(_REQUEST.c.id).where(_REQUEST.c.id < before * SLOTS).order_by(_REQUEST.c.id)
    ids = list(connection.execute(old.limit(_BATCH)).scalars())
    if ids:
        for table, column in (
            (_BODY, _BODY.c.request_id),
            (_REVISION, _REVISION.c.request_id),
            (_REQUEST, _REQUEST.c.id),
        ):
            connection.execute(delete(table).where(column.in_(ids)))
        facts.put(connection, "verified_from", str(before))
    return len(ids) == _BATCH
