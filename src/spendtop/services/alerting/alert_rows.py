"""Alert rows as they are written, here alone: how each stood after every change is kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, AlertTransitionTable
from spendtop.store.tables.alerts import AlertStanding

_ALERT, _TRANSITION = table_of(AlertTable), table_of(AlertTransitionTable)
_BEGIN = insert(_ALERT).returning(_ALERT.c.id)
_CHANGE = update(_ALERT).where(_ALERT.c.id == bindparam("of_id"), _ALERT.c.version == bindparam("of_version"))
_STANDING = tuple(AlertStanding.model_fields)
_KEEP = insert(_TRANSITION).from_select(
    ["alert_id", "version", "at", *_STANDING],
    select(_ALERT.c.id, _ALERT.c.version, _ALERT.c.updated_at, *(_ALERT.c[name] for name in _STANDING)).where(
        _ALERT.c.id.in_(bindparam("ids", expanding=True))
    ),
)
_AT_ONCE = 500


def begin(connection: Connection, values: Mapping[str, Any], now: int) -> int:
    """Insert an alert; its id."""
    opened = {**values, "version": 1, "opened_at": now, "updated_at": now}
    alert_id = int(connection.execute(_BEGIN, opened).scalar_one())
    connection.execute(_KEEP, {"ids": [alert_id]})
    return alert_id


def change(connection: Connection, row: Any, values: Mapping[str, Any], at: int) -> bool:
    """Change the alert of a row that was read, unless somebody else has changed it since."""
    this = {"of_id": row.id, "of_version": row.version}
    if not connection.execute(_CHANGE, {**this, **values, "version": row.version + 1, "updated_at": at}).rowcount:
        return False
    connection.execute(_KEEP, {"ids": [row.id]})
    return True


def change_all(connection: Connection, which: ColumnElement[bool], values: Mapping[str, Any], at: int) -> int:
    """Change the alerts that are selected; how many those were."""
    changed = update(_ALERT).where(which).values({**values, "version": _ALERT.c.version + 1, "updated_at": at})
    ids = connection.execute(changed.returning(_ALERT.c.id)).scalars().all()
    for start in range(0, len(ids), _AT_ONCE):
        connection.execute(_KEEP, {"ids": ids[start : start + _AT_ONCE]})
    return len(ids)
