"""Events that were kept but not understood: trying them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select, update

from spendtop.store import bodies
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable

_QUARANTINE = table_of(QuarantineTable)


def open_events(connection: Connection, ids: list[int] | None) -> Iterator[Any]:
    """Rows that are not understood yet, one after the other, as each can hold 32 MiB; all, or those of `ids`."""
    query = select(_QUARANTINE.c.id).where(_QUARANTINE.c.kind == "unrecognized", _QUARANTINE.c.state == "open")
    if ids is not None:
        query = query.where(_QUARANTINE.c.id.in_(ids))
    for row_id in list(connection.execute(query.order_by(_QUARANTINE.c.id)).scalars()):
        yield connection.execute(select(_QUARANTINE).where(_QUARANTINE.c.id == row_id)).one()


def raw_of(row: Any) -> bytes | None:
    """The event's body as it came (redacted), or None where privacy settings kept none."""
    return bodies.decode(row.raw)[0] if row.raw is not None else None


def close(connection: Connection, row_id: int) -> None:
    """The event was understood after all."""
    connection.execute(update(_QUARANTINE).where(_QUARANTINE.c.id == row_id).values(state="done"))
