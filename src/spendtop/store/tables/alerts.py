"""Alerts and the messages about them."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class AlertStanding(Stored):
    """How an alert stands: all of it that changes."""

    window_end: int | None = Field(default=None, sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    announced: float = 0.0
    """The highest threshold that stands announced, as a fraction of the limit; of an anomaly how many times the usual
    it was when it spoke last."""
    spoke: int = 0
    """How many transitions were announced."""
    used_nano: int = Field(sa_type=BigInteger)
    limit_nano: int = Field(sa_type=BigInteger)
    unpriced: int = 0
    crossed_at: int = Field(sa_type=BigInteger)
    late: bool = False
    falls: int = 0
    """How often it fell back from a threshold."""
    below_since: int | None = Field(default=None, sa_type=BigInteger)
    """Since when use has stayed under the hysteresis; the episode resolves when it stays long enough."""
    resolved_at: int | None = Field(default=None, sa_type=BigInteger)
    acked_at: int | None = Field(default=None, sa_type=BigInteger)
    acked_by: str | None = Field(default=None, sa_type=Text)
    snoozed_until: int | None = Field(default=None, sa_type=BigInteger)
    snoozed_by: str | None = Field(default=None, sa_type=Text)


class AlertTable(AlertStanding, table=True):
    """One episode of one rule for one entity and one window, as it stands."""

    __tablename__: ClassVar[Any] = "alert"
    __table_args__: ClassVar[Any] = (
        Index("alert_episode", "rule", "entity", "window_start", unique=True),
        Index("alert_state", "state", "id"),
        Index("alert_ending", "window_end", sqlite_where=text("resolved_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True)
    rule: str = Field(sa_type=Text)
    """`limit/NAME`, `balance/ACCOUNT`, `stale/POLLER`, or `anomaly/` and whose spend is unusual."""
    entity: str = Field(sa_type=Text)
    window_start: int = Field(sa_type=BigInteger)
    """Start of the calendar window; for a rolling window and an anomaly the instant at which the episode began."""
    version: int = 0
    opened_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class AlertTransitionTable(AlertStanding, table=True):
    """How an alert stood from an instant on, append-only: what its row held in each of its versions."""

    __tablename__: ClassVar[Any] = "alert_transition"
    __table_args__: ClassVar[Any] = (Index("alert_transition_at", "at"), {"sqlite_with_rowid": False})

    alert_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: int = Field(sa_type=BigInteger)
    """When the row came to this, UTC µs."""


class AlertActionTable(Stored, table=True):
    """What somebody did about an alert or by a silence, append-only, with what was before."""

    __tablename__: ClassVar[Any] = "alert_action"
    __table_args__: ClassVar[Any] = (Index("alert_action_alert", "alert_id"),)

    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    who: str = Field(sa_type=Text)
    what: str = Field(sa_type=Text)
    """ack, snooze, unack, silence, unsilence or undo."""
    alert_id: int | None = None
    silence_id: int | None = None
    until: int | None = Field(default=None, sa_type=BigInteger)
    """When the snooze or silence ends."""
    before: str | None = Field(default=None, sa_type=Text)
    """JSON object: the columns of the alert that were changed, as they were."""


class SilenceTable(Stored, table=True):
    """A filter that keeps alerts from speaking until it ends."""

    __tablename__: ClassVar[Any] = "silence"
    __table_args__: ClassVar[Any] = (Index("silence_until", "until"),)

    id: int | None = Field(default=None, primary_key=True)
    filter: str = Field(sa_type=Text)
    who: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    """One that is taken back ended then."""


class HeldAnnouncementTable(Stored, table=True):
    """The last that an alert had to say while a silence kept it back."""

    __tablename__: ClassVar[Any] = "held_announcement"
    __table_args__: ClassVar[Any] = (Index("held_announcement_until", "until"),)

    alert_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    rule: str | None = Field(default=None, sa_type=Text)
    """As in `delivery`."""
    sequence: int
    notify: str | None = Field(default=None, sa_type=Text)
    """JSON list of the channels that are told; NULL is all."""
    message: str = Field(sa_type=Text)
    """JSON of `domain.alerting.episode.Message`."""
    until: int = Field(sa_type=BigInteger)
    """When it is looked whether it may be said."""


class DeliveryTable(Stored, table=True):
    """One message to one channel, in the outbox until sent or dead."""

    __tablename__: ClassVar[Any] = "delivery"
    __table_args__: ClassVar[Any] = (
        Index("delivery_ref", "ref", unique=True),
        Index("delivery_due", "state", "next_at"),
        Index("delivery_told", "channel", "rule", "kind", "gathers_until", "created_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ref: str = Field(sa_type=Text)
    """Unique per alert, transition and channel; shown in the message as `[ref]`."""
    alert_id: int | None = None
    """The alert that it names; there may be others in `delivery_alert`."""
    rule: str | None = Field(default=None, sa_type=Text)
    """The rule of its alerts, where it is about a limit."""
    kind: str = Field(sa_type=Text)
    """approaching, exceeded, resolved, low balance, stale data or test."""
    channel: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)
    """JSON of `domain.alerting.episode.Message`; rendered when it is sent."""
    state: str = Field(sa_type=Text)
    """pending, sending, sent, dead or superseded."""
    attempts: int = 0
    gathers_until: int | None = Field(default=None, sa_type=BigInteger)
    """When the minute is over whose further alerts it tells of; null for a message about one alert alone."""
    next_at: int = Field(sa_type=BigInteger)
    lease_until: int | None = Field(default=None, sa_type=BigInteger)
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)


class DeliveryAlertTable(Stored, table=True):
    """An alert that a message tells of, alone or with others."""

    __tablename__: ClassVar[Any] = "delivery_alert"
    __table_args__: ClassVar[Any] = (Index("delivery_alert_alert", "alert_id"), {"sqlite_with_rowid": False})

    delivery_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    alert_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    joined_at: int = Field(sa_type=BigInteger)


class DeliveryAttemptTable(Stored, table=True):
    """One try to deliver, append-only."""

    __tablename__: ClassVar[Any] = "delivery_attempt"
    __table_args__: ClassVar[Any] = (Index("delivery_attempt_delivery", "delivery_id"),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int
    at: int = Field(sa_type=BigInteger)
    outcome: str = Field(sa_type=Text)
    """sent, transient, permanent or misconfigured."""
    detail: str | None = Field(default=None, sa_type=Text)
    elapsed_ms: int
