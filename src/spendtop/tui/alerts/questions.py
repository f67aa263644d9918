"""What the screen of alerts asks the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.alerting.silences import Silence
from spendtop.domain.limits.limit import Limit
from spendtop.domain.windows import Calendar
from spendtop.services.alerting.requests import drivers, limit_of, request_filter
from spendtop.store.reads.alerts.announcements import AlertAnnouncement, announcements_of
from spendtop.store.reads.alerts.anomalies import Contributors
from spendtop.store.reads.alerts.attention import (
    AlertRow,
    DeliveryRow,
    alert,
    alerts,
    deliveries_of,
    newest_tests,
)
from spendtop.store.reads.alerts.deeds import AlertDeed, deeds_of
from spendtop.store.reads.alerts.silences import silences
from spendtop.store.reads.alerts.uses import evidence_of, uses_now
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.limits.uses import Use
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsQuestion:
    """The newest alerts, with the present use of some of them and everything about one."""

    now: int
    calendar: Calendar
    is_open: bool
    """Whether only those that are not resolved are meant."""
    size: int
    visible: tuple[int, ...]
    """Ids of the rows on screen."""
    selected: int | None

    def ask(self, connection: Connection) -> AlertFigures:
        headline = read_headline(connection, self.now, self.calendar)
        listed = alerts(connection, self.is_open, self.size)
        visible = [row for row in listed if row.id in self.visible] if self.visible else listed[:50]
        detail = None if self.selected is None else read_detail(connection, self.selected, self.now)
        return AlertFigures(
            question=self,
            headline=headline,
            rows=listed,
            uses=uses_now(connection, visible, self.now, {}),
            detail=detail,
            tests=newest_tests(connection, 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFigures:
    question: AlertsQuestion
    headline: Headline
    rows: tuple[AlertRow, ...]
    uses: Mapping[int, Use]
    """By alert, of those in view."""
    detail: AlertDetail | None
    tests: tuple[DeliveryRow, ...]
    """How the last test of each channel went."""


@dataclass(frozen=True, slots=True)
class AlertDetailQuestion:
    """Everything about one alert."""

    alert_id: int
    now: int

    def ask(self, connection: Connection) -> AlertDetail | None:
        return read_detail(connection, self.alert_id, self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDetail:
    """One alert with what went out about it, and what it is of."""

    row: AlertRow
    limit: Limit | None
    """None where it is about none that is in force."""
    used_now: Use | None
    announcements: tuple[AlertAnnouncement, ...]
    deliveries: tuple[DeliveryRow, ...]
    deeds: tuple[AlertDeed, ...]
    evidence: str | None
    """Of a loop: how many calls, how fast and how alike; of a source: why nothing comes, with the way back."""
    drivers: Contributors
    filter: str
    """Lists the requests behind it; empty where there are none."""


@dataclass(frozen=True, slots=True)
class SilencesQuestion:
    """The silences that are in force."""

    now: int

    def ask(self, connection: Connection) -> list[Silence]:
        return silences(connection, self.now)


def read_detail(connection: Connection, alert_id: int, now: int) -> AlertDetail | None:
    """None where the alert is gone."""
    row, config = alert(connection, alert_id), applied(connection)
    if row is None:
        return None
    limit = limit_of(row, config.limits if config else ())
    calendar = config.calendar if config else Calendar()
    return AlertDetail(
        row=row,
        limit=limit,
        used_now=uses_now(connection, [row], now, {}).get(row.id),
        announcements=announcements_of(connection, [row]).get(row.id, ()),
        deliveries=deliveries_of(connection, [row.id]).get(row.id, ()),
        deeds=deeds_of(connection, [row.id]).get(row.id, ()),
        evidence=evidence_of(connection, row, now),
        drivers=drivers(connection, row, limit, now),
        filter=request_filter(connection, row, limit, calendar, now),
    )
