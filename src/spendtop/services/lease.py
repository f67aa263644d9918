"""Who evaluates, polls and delivers when several collectors share one PostgreSQL: a row with an epoch, by its clock."""

from __future__ import annotations

from sqlalchemy import Connection, text

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
_RELEASE = text("DELETE FROM lease WHERE name = :name AND owner = :owner AND epoch = :epoch")


class SoleOwner:
    """On SQLite the lock on the file is the lease."""

    def renew(self, connection: Connection) -> bool:
        """Always ours."""
        return True

    def holds(self, connection: Connection) -> bool:
        """Always ours."""
        return True

    def release(self, connection: Connection) -> None:
        """Nothing to give back; the kernel frees the lock."""


class Lease:
    """One collector's claim on a PostgreSQL store. A stalled owner whose lease was taken over writes nothing."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._epoch = 0

    def renew(self, connection: Connection) -> bool:
        """Take or renew the lease; False when another collector holds it."""
        row = connection.execute(
            _TAKE, {"name": _NAME, "owner": self._owner, "life": _LIFE_SECONDS * 1_000_000}
        ).one_or_none()
        self._epoch = row.epoch if row is not None else 0
        return row is not None

    def holds(self, connection: Connection) -> bool:
        """Whether the lease is ours within this transaction; a taker waits for its end."""
        mine = {"name": _NAME, "owner": self._owner, "epoch": self._epoch}
        return self._epoch > 0 and connection.execute(_HOLDS, mine).one_or_none() is not None

    def release(self, connection: Connection) -> None:
        """Give the lease back, so that another collector need not wait for its end."""
        connection.execute(_RELEASE, {"name": _NAME, "owner": self._owner, "epoch": self._epoch})


def lease_holder(connection: Connection) -> str | None:
    """Who holds the lease of a PostgreSQL store now, as its owner named itself; a collector does while any runs."""
    holder: str | None = connection.execute(_HOLDER, {"name": _NAME}).scalar()
    return holder


Ownership = SoleOwner | Lease
