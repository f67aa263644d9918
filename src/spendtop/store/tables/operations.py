"""What keeps a collector in order: tokens, events set aside, tasks, leases, pollers, facts."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, Text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class TokenTable(Stored, table=True):
    """A tracking token: the public label of an app or environment, no secret."""

    __tablename__: ClassVar[Any] = "token"
    __table_args__: ClassVar[Any] = (
        Index("token_token", "token", unique=True),
        Index("token_name", "name", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    token: str = Field(sa_type=Text)
    """What clients send."""
    name: str = Field(sa_type=Text)
    active: bool = True
    shadow: bool = False
    """Its requests are stored and shown, not counted."""
    created_at: int = Field(sa_type=BigInteger)


class QuarantineTable(Stored, table=True):
    """A signed event that is not counted: not understood (re-processable), or a gateway's test event."""

    __tablename__: ClassVar[Any] = "quarantine"
    __table_args__: ClassVar[Any] = (Index("quarantine_digest", "digest", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary)
    """Of source and external id, or of the raw body where it has no id."""
    source: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    """unrecognized or test."""
    state: str = Field(sa_type=Text)
    """open or done."""
    reason: str = Field(sa_type=Text)
    received_at: int = Field(sa_type=BigInteger)
    size: int
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Compressed body; NULL where privacy settings keep no bodies."""


class TaskTable(Stored, table=True):
    """Something a face asks of the collector, with its progress and result."""

    __tablename__: ClassVar[Any] = "task"
    __table_args__: ClassVar[Any] = (Index("task_state", "state"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(sa_type=Text)
    arguments: str = Field(sa_type=Text)
    """JSON object."""
    state: str = Field(sa_type=Text)
    """queued, running, done or failed."""
    progress: str | None = Field(default=None, sa_type=Text)
    result: str | None = Field(default=None, sa_type=Text)
    """A sentence for the person who asked."""
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class LeaseTable(Stored, table=True):
    """Who polls, evaluates and delivers when several collectors share one PostgreSQL (database clock)."""

    __tablename__: ClassVar[Any] = "lease"

    name: str = Field(primary_key=True, sa_type=Text)
    owner: str = Field(sa_type=Text)
    epoch: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)


class CheckpointTable(Stored, table=True):
    """How far a poller got, and how its last poll went."""

    __tablename__: ClassVar[Any] = "checkpoint"

    poller: str = Field(primary_key=True, sa_type=Text)
    cursor: str | None = Field(default=None, sa_type=Text)
    """The poller's own JSON."""
    complete_until: int | None = Field(default=None, sa_type=BigInteger)
    """Up to when nothing is missing, UTC µs."""
    succeeded_at: int | None = Field(default=None, sa_type=BigInteger)
    failed_at: int | None = Field(default=None, sa_type=BigInteger)
    """When it failed last, if that was after its last success."""
    failure: str | None = Field(default=None, sa_type=Text)
    """A sentence for people."""
    failures: int = 0
    """In a row."""


class GapTable(Stored, table=True):
    """Requests that were missed when they were pushed, and found by a poll."""

    __tablename__: ClassVar[Any] = "gap"
    __table_args__: ClassVar[Any] = (Index("gap_until", "until"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(sa_type=Text)
    since: int = Field(sa_type=BigInteger)
    """When the first of them happened, UTC µs."""
    until: int = Field(sa_type=BigInteger)
    """When the last of them happened."""
    requests: int
    cost_nano: int = Field(sa_type=BigInteger)
    found_at: int = Field(sa_type=BigInteger)


class MetaTable(Stored, table=True):
    """Single facts about the store, among them the configuration as the collector applied it."""

    __tablename__: ClassVar[Any] = "meta"

    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class AppliedTable(Stored, table=True):
    """Limits, calendar and accounts as they were in force from an instant on, append-only."""

    __tablename__: ClassVar[Any] = "applied"

    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    value: str = Field(sa_type=Text)
    """JSON object."""


class RemarkTable(Stored, table=True):
    """What a source sent that was not read or not taken, by name; so many names of each source."""

    __tablename__: ClassVar[Any] = "remark"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    source: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(primary_key=True, sa_type=Text)
    """not taken, refused, unread or unknown field."""
    name: str = Field(primary_key=True, sa_type=Text)
    reason: str = Field(sa_type=Text)
    count: int = Field(sa_type=BigInteger)
    first_at: int = Field(sa_type=BigInteger)
    last_at: int = Field(sa_type=BigInteger)
