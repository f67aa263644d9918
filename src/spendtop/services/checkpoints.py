"""How far each poller got, and how its last poll went."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, select

from spendtop.store import facts
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import CheckpointTable

_CHECKPOINT = table_of(CheckpointTable)


class Checkpoint(Struct, frozen=True, kw_only=True):
    """One poller as stored. Instants are UTC µs."""

    poller: str
    cursor: str | None = None
    """The poller's own JSON."""
    complete_until: int | None = None
    """Up to when nothing is missing."""
    succeeded_at: int | None = None
    failed_at: int | None = None
    """When it failed last, if that was after its last success."""
    failure: str | None = None
    """A sentence for people."""
    failures: int = 0
    """In a row."""


def load(connection: Connection, poller: str) -> Checkpoint:
    """Where a poller stands; at the very beginning when it never polled."""
    row = connection.execute(select(_CHECKPOINT).where(_CHECKPOINT.c.poller == poller)).one_or_none()
    return Checkpoint(poller=poller) if row is None else _checkpoint(row)


def succeeded(
    connection: Connection,
    poller: str,
    now: int,
    *,
    cursor: str | None = None,
    complete_since: int | None = None,
    complete_until: int | None = None,
) -> None:
    """Note a step that is stored in this very transaction; None leaves what was before."""
    before = load(connection, poller)
    if complete_since is not None:
        facts.put(connection, facts.complete_since(poller), str(complete_since))
    _keep(
        connection,
        Checkpoint(
            poller=poller,
            cursor=before.cursor if cursor is None else cursor,
            complete_until=before.complete_until if complete_until is None else complete_until,
            succeeded_at=now,
        ),
    )


def failed(connection: Connection, poller: str, failure: str, now: int) -> int:
    """Note a poll that gave nothing; where it stands is unchanged. Returns how many failed in a row."""
    before = load(connection, poller)
    failures = before.failures + 1
    _keep(
        connection,
        Checkpoint(
            poller=poller,
            cursor=before.cursor,
            complete_until=before.complete_until,
            succeeded_at=before.succeeded_at,
            failed_at=now,
            failure=failure,
            failures=failures,
        ),
    )
    return failures


def _keep(connection: Connection, checkpoint: Checkpoint) -> None:
    statement = insert_or_replace(CheckpointTable, connection.dialect)
    statement.run_many(connection, [tuple(getattr(checkpoint, name) for name in statement.names)])


def _checkpoint(row: object) -> Checkpoint:
    return Checkpoint(**{name: getattr(row, name) for name in Checkpoint.__struct_fields__})
