"""Alerts about unusual spend: of everyone together and of each user, model and token, by `domain.alerting.anomaly`.

Looking only reads, so that recording does not wait for it; what it finds is written afterwards. The loop that does both
is `collector.spend_watch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.alerting.anomaly import (
    AGAIN,
    ONE_OF_A_KIND,
    AnomalyRule,
    Excess,
    SameHour,
    Spent,
    Usual,
    decide,
    excess,
    same_hours,
    usual,
)
from spendtop.domain.alerting.episode import Decision, EpisodeState, Message, MessageKind
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import alert_rows, announcements, episodes
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.postponed import Postponed
from spendtop.store.reads.alerts import anomalies
from spendtop.store.reads.alerts.attention import ANOMALY_RULE
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, spend
from spendtop.store.reads.tokens.names import name_of
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

_ALERT = table_of(AlertTable)
_MOST_SPENDERS, _MOST_OPEN = 100, 200
_PASTS_AT_ONCE, _BURSTS_AT_ONCE = 20, 5
"""Entities whose past is read by one look; the next one goes on with those that are left."""


class WatchedSpend(Struct, frozen=True, kw_only=True):
    """Whose spend is looked at, by which rule, and who is told."""

    rule: AnomalyRule
    each: tuple[str, ...]
    """Dimensions of the totals."""
    notify: tuple[str, ...]
    calendar: Calendar


class Anomaly(Struct, frozen=True, kw_only=True):
    """What becomes of the alert about one entity."""

    dimension: str
    entity: str
    row: Any
    """The alert that goes on; None where one begins."""
    decision: Decision
    excess: Excess | None
    message: Message | None


class _Past(Struct):
    """What is known of one entity for as long as it is the same hour."""

    usual: Usual | None
    bursts: list[int] | None = None


class AnomalyAlerts:
    def __init__(self, watched: WatchedSpend, channels: Sequence[Channel]) -> None:
        self._watched = watched
        self._channels = channels
        self._hour = 0
        self._same: tuple[SameHour, ...] = ()
        self._pasts: dict[tuple[str, str], _Past] = {}
        self._postponed = Postponed("Unusual spend", of=" ")

    def look(self, connection: Connection, now: int) -> list[Anomaly]:
        """What is unusual at `now` (UTC µs), and what is not any more. Reads only."""
        if now // HOUR != self._hour:
            self._hour, self._same = now // HOUR, same_hours(now, self._watched.calendar)
            self._pasts.clear()
        look = _Look(connection, now, self._watched, self._same, self._pasts, self._postponed)
        standing = {(row.rule.removeprefix(ANOMALY_RULE), row.entity): row for row in _open(connection)}
        changes: list[Anomaly] = []
        for dimension in self._watched.each if look.is_worthwhile() else ():
            for entity, spent in look.spenders(dimension).items():
                changes += look.tried(dimension, entity, standing.pop((dimension, entity), None), spent)
        for (dimension, entity), row in standing.items():
            changes += look.tried(dimension, entity, row, None)
        return changes

    def postponed_words(self, now: int) -> str | None:
        """Whose spend cannot be looked at, as sentences. May be asked from any thread."""
        return self._postponed.words(now)

    def write(self, connection: Connection, changes: Sequence[Anomaly], now: int) -> list[Announcement]:
        """Write what a look found, and queue what is to be said about it: of all that began together, one message."""
        told: list[Announcement] = []
        for change in changes:
            with self._postponed.trying(connection, change.dimension, change.entity, now):
                alert_id, episode = _written(connection, change, now), change.decision.episode
                if alert_id is not None and episode is not None and change.message is not None:
                    about = partial(tuple, change.message.contributors)
                    told.append(
                        Announcement(self._watched.notify, alert_id, episode.spoke, change.message, contributors=about)
                    )
        begun = sorted((each for each in told if not each.is_over), key=lambda each: -each.message.used_nano)
        together = [replace(each, message=replace(each.message, others=len(begun) - 1)) for each in begun[:1]]
        over = [each for each in told if each.is_over]
        announcements.queue(connection, [*together, *over], self._channels, now)
        return told


class _Look:
    """One look, with what it may still read."""

    def __init__(
        self,
        connection: Connection,
        now: int,
        watched: WatchedSpend,
        same: tuple[SameHour, ...],
        pasts: dict[tuple[str, str], _Past],
        postponed: Postponed,
    ) -> None:
        self._connection = connection
        self._now = now
        self._watched = watched
        self._same = same
        self._pasts = pasts
        self._postponed = postponed
        self._pasts_left, self._bursts_left = _PASTS_AT_ONCE, _BURSTS_AT_ONCE
        self._began: dict[str, set[str]] = {}
        """Entities whose alert began within ONE_OF_A_KIND, by dimension."""

    def is_worthwhile(self) -> bool:
        """Whether all together have spent enough for anything to be unusual: where that is little, that is all it
        takes."""
        everyone = anomalies.spending_now(self._connection, ALL, self._now, 1)[""]
        return self._is_enough(everyone)

    def _is_enough(self, spent: Spent) -> bool:
        return max(spent.hour, spent.burst) >= self._watched.rule.least.nano

    def spenders(self, dimension: str) -> dict[str, Spent]:
        """Who spends now; nobody where that cannot be read."""
        found: dict[str, Spent] = {}
        if not self._postponed.waits(dimension, "", self._now):
            with self._postponed.trying(self._connection, dimension, "", self._now):
                found = anomalies.spending_now(self._connection, dimension, self._now, _MOST_SPENDERS)
        return found

    def tried(self, dimension: str, entity: str, row: Any, spent: Spent | None) -> Sequence[Anomaly]:
        """What becomes of an entity, unless that cannot be said; `spent` is None where it spends nothing now."""
        changes: list[Anomaly] = []
        if not self._postponed.waits(dimension, entity, self._now):
            with self._postponed.trying(self._connection, dimension, entity, self._now):
                found = None if spent is None else self._excess(dimension, entity, row, spent)
                changes = [*self._changes(dimension, entity, row, found)]
        return changes

    def _excess(self, dimension: str, entity: str, row: Any, spent: Spent) -> Excess | None:
        """What is unusual of an entity whose alert is `row`, or None where none is open."""
        if not self._is_enough(spent):
            return None
        past = self._pasts.get((dimension, entity))
        if past is None:
            if not self._pasts_left:
                return None
            self._pasts_left -= 1
            past = self._pasts[dimension, entity] = _Past(self._usual(dimension, entity))
        if past.usual is None:
            return None
        rule = self._watched.rule
        if row is None and self._began_lately(dimension) - {entity}:
            rule = rule.after_another()
        return excess(rule, past.usual, spent, partial(self._bursts, dimension, entity, past, past.usual))

    def _began_lately(self, dimension: str) -> set[str]:
        if dimension not in self._began:
            self._began[dimension] = _began_since(self._connection, dimension, self._now - ONE_OF_A_KIND)
        return self._began[dimension]

    def _usual(self, dimension: str, entity: str) -> Usual | None:
        span = Span(self._same[-1].start - HOUR, self._same[0].start + 2 * HOUR)
        return usual(anomalies.spent_by_hour(self._connection, dimension, entity, span), self._same)

    def _bursts(self, dimension: str, entity: str, past: _Past, known: Usual) -> Sequence[int]:
        if past.bursts is None:
            if not self._bursts_left:
                return ()
            self._bursts_left -= 1
            past.bursts = anomalies.largest_bursts(self._connection, dimension, entity, known.starts)
        return past.bursts

    def _changes(self, dimension: str, entity: str, row: Any, found: Excess | None) -> Iterator[Anomaly]:
        """What becomes of an entity's alert, where that changes: `row` is the one that is open."""
        if row is None:
            if found is None:
                return
            row = _latest(self._connection, dimension, entity, self._now)
        before = None if row is None else episodes.from_row(row)
        decision = decide(before, found, self._now)
        if decision.episode is None or decision.episode == before:
            return
        if before is None:
            self._began_lately(dimension).add(entity)
        message = None if decision.announce is None else self._message(dimension, entity, decision, found)
        yield Anomaly(dimension=dimension, entity=entity, row=row, decision=decision, excess=found, message=message)

    def _message(self, dimension: str, entity: str, decision: Decision, found: Excess | None) -> Message:
        assert decision.announce is not None and decision.episode is not None
        since = decision.episode.window_start
        name = name_of(self._connection, entity) if dimension == "token" else entity
        about = Message(
            kind=decision.announce,
            limit_name=f"{dimension} {name}" if entity else "everyone",
            entity=name,
            each=dimension if entity else None,
            window_start=since,
            zone=self._watched.calendar.zone,
            at=decision.episode.crossed_at,
        )
        if found is None:
            cost = spend(self._connection, since, None, dimension, entity).cost
            return replace(about, resolves=MessageKind.UNUSUAL, used_nano=cost.nano)
        minutes = (self._now - found.since) // MINUTE + 1
        return replace(
            about,
            window="within a minute" if minutes == 1 else f"within {minutes} minutes",
            used_nano=found.spent.nano,
            limit_nano=found.usual.nano,
            contributors=anomalies.contributors(self._connection, dimension, entity, found.since),
            lines=(f"The usual is the median of {found.samples} samples of this time of day.",),
            next_words="Over after an hour without it. Speaks again when it has become twice as much an hour later.",
        )


def _open(connection: Connection) -> Sequence[Any]:
    stands = (_ALERT.c.state == EpisodeState.APPROACHING.value, _of_anomalies())
    return connection.execute(select(_ALERT).where(*stands).order_by(_ALERT.c.id).limit(_MOST_OPEN)).all()


def _latest(connection: Connection, dimension: str, entity: str, now: int) -> Any:
    """The alert that something unusual goes on with; None where that begins anew."""
    same = (_ALERT.c.rule == f"{ANOMALY_RULE}{dimension}", _ALERT.c.entity == entity)
    newest = select(_ALERT).where(*same).order_by(_ALERT.c.window_start.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return row if row is not None and now - (row.resolved_at or now) < AGAIN else None


def _began_since(connection: Connection, dimension: str, since: int) -> set[str]:
    """Entities of the alerts of this kind that began after `since`, UTC µs."""
    of_kind = (_ALERT.c.rule == f"{ANOMALY_RULE}{dimension}", _ALERT.c.opened_at > since)
    return set(connection.execute(select(_ALERT.c.entity).where(*of_kind)).scalars())


def _of_anomalies() -> Any:
    return _ALERT.c.rule.startswith(ANOMALY_RULE, autoescape=True)


def _written(connection: Connection, change: Anomaly, now: int) -> int | None:
    """The alert's id; None when somebody else changed it since the look.

    The amounts that it keeps are those of when it spoke last, so that they are what the message says.
    """
    episode, found = change.decision.episode, change.excess
    assert episode is not None
    values: dict[str, Any] = {
        "window_end": episode.window_end,
        "state": episode.state.value,
        "severity": MessageKind.UNUSUAL.severity,
        "announced": episode.announced,
        "spoke": episode.spoke,
        "crossed_at": episode.crossed_at,
        "falls": episode.falls,
        "below_since": episode.below_since,
        "snoozed_until": episode.snoozed_until,
        "resolved_at": episode.window_end,
    }
    if found is not None and change.message is not None:
        values |= {"used_nano": found.spent.nano, "limit_nano": found.usual.nano}
    if change.row is None:
        rule = f"{ANOMALY_RULE}{change.dimension}"
        values |= {"rule": rule, "entity": change.entity, "window_start": episode.window_start}
        return alert_rows.begin(connection, values, now)
    is_ours = alert_rows.change(connection, change.row, values, now)
    return int(change.row.id) if is_ours else None
