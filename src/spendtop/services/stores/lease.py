"""Who evaluates, polls and delivers when several collectors share one PostgreSQL: a row with an epoch, by its clock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from sqlalchemy import Connection, text

from spendtop.domain.errors import SpendtopError
from spendtop.store.transactions import WriteQueue

T = TypeVar("T")
_NAME = "collector"
_LIFE_SECONDS = 20
RENEW_SECONDS = 5.0
_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"

_TAKE = text(f"""
    INSERT INTO lease AS held (name, owner, epoch, until)
    VALUES (:name, :owner, 1, {_NOW} + :life)
    ON CONFLICT (name) DO UPDATE SET
        epoch = CASE WHEN held.owner = :owner THEN held.epoch ELSE held.epoch + 1 END,
        owner = :owner,
        until = {_NOW} + :life
    WHERE held.owner = :owner OR held.until < {_NOW}
    RETURNING epoch
""")
_HOLDS = text(
    f"SELECT 1 FROM lease WHERE name = :name AND owner = :owner AND epoch = :epoch AND until > {_NOW} FOR SHARE"
)
_HOLDER = text(f"SELECT owner FROM lease WHERE name = :name AND until > {_NOW}")
_RELEASE = text("UPDATE lease SET owner = '', until = 0 WHERE name = :name AND owner = :owner AND epoch = :epoch")
"""The row stays, so that no epoch comes twice."""


class LostLease(SpendtopError):
    """Another collector evaluates, polls and delivers by now; what was to be stored is left to it."""

    def __init__(self) -> None:
        super().__init__("Another collector of this store evaluates, polls and delivers now.")


class SoleOwner:
    """On SQLite the lock on the file is the lease."""

    epoch = 0
    """As told by `renew` in a transaction that was committed; 0 before the first time, and while it is not ours."""

    def renew(self, connection: Connection) -> int:
        """Always ours."""
        return 1

    def holds(self, connection: Connection, epoch: int) -> bool:
        """Always ours."""
        return True

    def release(self, connection: Connection) -> None:
        """Nothing to give back; the kernel frees the lock."""


class Lease:
    """One collector's claim on a PostgreSQL store. A stalled owner whose lease was taken over writes nothing.

    `owner` is a name that no other process has, nor had.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.epoch = 0

    def renew(self, connection: Connection) -> int:
        """Take or renew the lease; its epoch, or 0 when another collector holds it."""
        life = _LIFE_SECONDS * 1_000_000
        row = connection.execute(_TAKE, {"name": _NAME, "owner": self._owner, "life": life}).one_or_none()
        return 0 if row is None else int(row.epoch)

    def holds(self, connection: Connection, epoch: int) -> bool:
        """Whether the lease of that epoch is ours within this transaction; a taker waits for its end."""
        mine = {"name": _NAME, "owner": self._owner, "epoch": epoch}
        return epoch > 0 and connection.execute(_HOLDS, mine).one_or_none() is not None

    def release(self, connection: Connection) -> None:
        """Give the lease back, so that another collector need not wait for its end."""
        connection.execute(_RELEASE, {"name": _NAME, "owner": self._owner, "epoch": self.epoch})


def lease_holder(connection: Connection) -> str | None:
    """Who holds the lease of a PostgreSQL store now, as its owner named itself; a collector does while any runs."""
    holder: str | None = connection.execute(_HOLDER, {"name": _NAME}).scalar()
    return holder


Ownership = SoleOwner | Lease


class OwnedWrites:
    """Write transactions of the collector that holds the lease: each stores only while that still is of the epoch in
    which it was asked for, which it looks at inside itself."""

    def __init__(self, writes: WriteQueue, ownership: Ownership) -> None:
        self._writes = writes
        self._ownership = ownership

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        """The result of `work` once its transaction is committed; LostLease where it was not begun."""
        epoch = self._ownership.epoch

        def owned(connection: Connection) -> T:
            if not self._ownership.holds(connection, epoch):
                raise LostLease
            return work(connection)

        return self._writes.run(owned)
