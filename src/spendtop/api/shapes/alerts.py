"""The JSON of alerts and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from sqlalchemy import Connection

from spendtop.api.shapes.spending import instant, raw
from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.alerting.silences import Silence
from spendtop.domain.clock import to_iso
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import ZERO, Usd
from spendtop.store.reads.alerts.announcements import AlertAnnouncement, announcements_of
from spendtop.store.reads.alerts.anomalies import Contributors
from spendtop.store.reads.alerts.attention import AlertKind, AlertRow, DeliveryRow, deliveries_of
from spendtop.store.reads.alerts.deeds import AlertDeed, deeds_of
from spendtop.store.reads.alerts.uses import evidence_of, most_of, uses_now
from spendtop.store.reads.limits.uses import Ceiling


class DeliveryItem(BaseModel):
    """One message to one channel."""

    id: int
    ref: str
    """Stands in the message, so that a reader can drop a duplicate."""
    kind: str
    channel: str
    state: str
    attempts: int
    last_error: str | None
    created_at: str | None
    sent_at: str | None

    @classmethod
    def of(cls, row: DeliveryRow) -> DeliveryItem:
        return cls(
            id=row.id,
            ref=row.ref,
            kind=row.kind,
            channel=row.channel,
            state=row.state,
            attempts=row.attempts,
            last_error=raw(row.last_error),
            created_at=instant(row.created_at),
            sent_at=instant(row.sent_at),
        )


class DeedItem(BaseModel):
    """What somebody did about an alert."""

    at: str | None
    by: str
    what: str
    """ack, snooze, unack or undo."""
    until: str | None
    """When a snooze ends."""

    @classmethod
    def of(cls, deed: AlertDeed) -> DeedItem:
        return cls(at=instant(deed.at), by=deed.by.raw, what=deed.what, until=instant(deed.until))


class AnnouncementItem(BaseModel):
    """What an alert had to say, whether a channel heard of it or a silence kept it back."""

    at: str | None
    kind: MessageKind
    used_usd: float | None
    """Null where it names no amount."""
    used_nanousd: int | None
    limit_usd: float | None
    """Of unusual spend: what is usual. Null where there is none."""
    limit_nanousd: int | None
    unpriced: int
    """Requests whose cost was not known then."""

    @classmethod
    def of(cls, announcement: AlertAnnouncement) -> AnnouncementItem:
        limit = announcement.limit if announcement.limit > ZERO else None
        return cls(
            at=instant(announcement.at),
            kind=announcement.kind,
            used_usd=Usd.float_of(announcement.used),
            used_nanousd=Usd.nano_of(announcement.used),
            limit_usd=Usd.float_of(limit),
            limit_nanousd=Usd.nano_of(limit),
            unpriced=announcement.unpriced,
        )


class UndoneAnswer(BaseModel):
    """What was taken back."""

    undone: str
    """In words."""


class SilenceItem(BaseModel):
    """What keeps alerts that a filter selects from speaking."""

    id: int
    filter: str
    by: str
    created_at: str
    until: str

    @classmethod
    def of(cls, silence: Silence) -> SilenceItem:
        return cls(
            id=silence.id,
            filter=silence.text,
            by=silence.by,
            created_at=to_iso(silence.created_at),
            until=to_iso(silence.until),
        )


class SilencesAnswer(BaseModel):
    """The silences in force, the one that ends last first."""

    data: list[SilenceItem]


class ContributorItem(BaseModel):
    """Who or what spends most of something."""

    dimension: str
    key: str
    cost_usd: float | None
    cost_nanousd: int


class AlertItem(BaseModel):
    """One episode of one rule for one entity and one window."""

    id: int
    kind: AlertKind
    """What it is about; "anomaly" is unusual spend."""
    limit: str
    entity: str
    """Whose limit or spend it is; empty for everyone."""
    entity_name: str
    """What people read for the entity: of a tracking token its name."""
    state: str
    severity: str
    window_start: str | None
    window_end: str | None
    measure: LimitedValue
    """What its limit sums: spend, or the API-equivalent value of usage under a plan."""
    used_usd: float | None
    """When it spoke last."""
    used_nanousd: int
    used_now_usd: float | None
    """As it is now; null where its window is over."""
    used_now_nanousd: int | None
    limit_usd: float | None
    """Of an anomaly: what is usual."""
    limit_nanousd: int
    unpriced: int
    """Requests whose cost is not known; they are in no amount."""
    crossed_at: str | None
    late: bool
    opened_at: str | None
    updated_at: str | None
    resolved_at: str | None
    acked_at: str | None
    acked_by: str | None
    snoozed_until: str | None
    snoozed_by: str | None
    silenced_until: str | None
    """While a silence keeps it from speaking."""
    silence_id: int | None
    evidence: str | None
    """Of a loop: how many calls, how fast and how alike; of a source: why nothing comes, with the way back."""
    contributors: list[ContributorItem]
    """Of an anomaly that stands: who or what spends most, within the last hour at most."""
    announcements: list[AnnouncementItem]
    """What it had to say and at which amount, the oldest first."""
    deliveries: list[DeliveryItem]
    history: list[DeedItem]
    """What people did about it, the oldest first."""

    @classmethod
    def of(
        cls,
        row: AlertRow,
        used_now: Usd | None,
        most_of: Contributors,
        evidence: str | None,
        announcements: Sequence[AlertAnnouncement],
        deliveries: Sequence[DeliveryRow],
        deeds: Sequence[AlertDeed],
        now: int,
    ) -> AlertItem:
        silence = row.silence if row.silence is not None and row.silence.until > now else None
        return cls(
            id=row.id,
            kind=row.kind,
            limit=row.limit_name,
            entity=row.entity.raw,
            entity_name=row.name.raw,
            state=row.state,
            severity=row.severity,
            window_start=instant(row.window_start),
            window_end=instant(row.window_end),
            measure=row.measure,
            used_usd=Usd.float_of(row.used),
            used_nanousd=row.used.nano,
            used_now_usd=Usd.float_of(used_now),
            used_now_nanousd=Usd.nano_of(used_now),
            limit_usd=Usd.float_of(row.limit),
            limit_nanousd=row.limit.nano,
            unpriced=row.unpriced,
            crossed_at=instant(row.crossed_at),
            late=row.late,
            opened_at=instant(row.opened_at),
            updated_at=instant(row.updated_at),
            resolved_at=instant(row.resolved_at),
            acked_at=instant(row.acked_at),
            acked_by=raw(row.acked_by),
            snoozed_until=instant(row.snoozed_until),
            snoozed_by=raw(row.snoozed_by),
            silenced_until=None if silence is None else instant(silence.until),
            silence_id=None if silence is None else silence.id,
            evidence=evidence,
            contributors=[
                ContributorItem(dimension=dimension, key=key, cost_usd=Usd.float_of(Usd(nano)), cost_nanousd=nano)
                for dimension, key, nano in most_of
            ],
            announcements=[AnnouncementItem.of(each) for each in announcements],
            deliveries=[DeliveryItem.of(each) for each in deliveries],
            history=[DeedItem.of(each) for each in deeds],
        )


class AlertsAnswer(BaseModel):
    """Alerts, the newest first."""

    data: list[AlertItem]


def alert_items(
    connection: Connection, rows: Sequence[AlertRow], now: int, ceilings: Mapping[str, Ceiling]
) -> list[AlertItem]:
    """These alerts as they stand at `now` (UTC µs), with their deliveries."""
    used = uses_now(connection, rows, now, ceilings)
    ids = [row.id for row in rows]
    announcements = announcements_of(connection, rows)
    deliveries, deeds = deliveries_of(connection, ids), deeds_of(connection, ids)
    return [
        AlertItem.of(
            row,
            used[row.id].used if row.id in used else None,
            most_of(connection, row, now),
            evidence_of(connection, row, now),
            announcements.get(row.id, ()),
            deliveries.get(row.id, ()),
            deeds.get(row.id, ()),
            now,
        )
        for row in rows
    ]
