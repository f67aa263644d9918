"""Alerts about loops, by `domain.alerting.loops`: of each session, and of each user as far as that names none.

Looking only reads, so that recording does not wait for it; what it finds is written afterwards. The loop that does both
is `collector.spend_watch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.alerting.episode import Decision, EpisodeState, Message, MessageKind
from spendtop.domain.alerting.loops import LoopRule, Repetition, decide
from spendtop.services.alerting import alert_rows, announcements, episodes
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.postponed import Postponed
from spendtop.store.reads.alerts import loops
from spendtop.store.reads.alerts.attention import LOOP_RULE
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

_ALERT = table_of(AlertTable)
_MOST_BUSY, _MOST_OPEN = 20, 100
"""Sessions or users whose prompts are read by one look, and alerts that are looked at again."""


class WatchedLoops(Struct, frozen=True, kw_only=True):
    """By which rule loops are told, and who is told."""

    enabled: bool
    rule: LoopRule
    notify: tuple[str, ...]
    zone: str


class FoundLoop(Struct, frozen=True, kw_only=True):
    """What becomes of the alert about one session or user."""

    dimension: str
    entity: str
    row: Any
    """The alert that goes on; None where one begins."""
    decision: Decision
    repetition: Repetition | None


class LoopAlerts:
    def __init__(self, watched: WatchedLoops, channels: Sequence[Channel]) -> None:
        self._watched = watched
        self._channels = channels
        self._seen: dict[tuple[str, str], int] = {}
        """By session or user that is in no loop, the newest call that was looked at."""
        self._postponed = Postponed("Loops", of=" ")

    def look(self, connection: Connection, now: int) -> list[FoundLoop]:
        """The loops that begin at `now` (UTC µs), and those that are over. Reads only."""
        standing = {(row.rule.removeprefix(LOOP_RULE), row.entity): row for row in _open(connection)}
        busy: dict[tuple[str, str], int] = {}
        for dimension in loops.DIMENSIONS if self._watched.enabled else ():
            if not self._postponed.waits(dimension, "", now):
                with self._postponed.trying(connection, dimension, "", now):
                    spenders = loops.busy(connection, dimension, self._watched.rule, now, _MOST_BUSY)
                    busy |= {(dimension, key): newest for key, newest in spenders.items()}
        self._seen = {whose: newest for whose, newest in self._seen.items() if busy.get(whose) == newest}
        changes: list[FoundLoop] = []
        for whose in dict.fromkeys([*busy, *standing]):
            row = standing.get(whose)
            if self._postponed.waits(*whose, now) or (row is None and whose in self._seen):  # nothing came since
                continue
            with self._postponed.trying(connection, *whose, now):
                change = self._change(connection, *whose, row, now)
                if change.repetition is None and whose in busy:
                    self._seen[whose] = busy[whose]
                if change.decision.announce is not None:
                    changes.append(change)
        return changes

    def postponed_words(self, now: int) -> str | None:
        """Whose calls cannot be looked at, as sentences. May be asked from any thread."""
        return self._postponed.words(now)

    def _change(self, connection: Connection, dimension: str, key: str, row: Any, now: int) -> FoundLoop:
        found = self._repetition(connection, dimension, key, now)
        decision = decide(None if row is None else episodes.from_row(row), found, now)
        return FoundLoop(dimension=dimension, entity=key, row=row, decision=decision, repetition=found)

    def _repetition(self, connection: Connection, dimension: str, key: str, now: int) -> Repetition | None:
        return loops.repetition(connection, dimension, key, self._watched.rule, now) if self._watched.enabled else None

    def write(self, connection: Connection, changes: Sequence[FoundLoop], now: int) -> list[Announcement]:
        """Write what a look found, and queue what is to be said about it."""
        told: list[Announcement] = []
        for change in changes:
            with self._postponed.trying(connection, change.dimension, change.entity, now):
                alert_id, episode = _written(connection, change, now), change.decision.episode
                if alert_id is not None and episode is not None:
                    message = self._message(change)
                    told.append(Announcement(self._watched.notify, alert_id, episode.spoke, message))
        announcements.queue(connection, told, self._channels, now)
        return told

    def _message(self, change: FoundLoop) -> Message:
        assert change.decision.announce is not None and change.decision.episode is not None
        found = change.repetition
        about = Message(
            kind=change.decision.announce,
            limit_name=f"{change.dimension} {change.entity}",
            entity=change.entity,
            each=change.dimension,
            window_start=change.decision.episode.window_start,
            zone=self._watched.zone,
            at=change.decision.episode.crossed_at,
        )
        if change.decision.announce is MessageKind.RESOLVED or found is None:
            return replace(about, resolves=MessageKind.LOOP)
        return replace(
            about, used_nano=found.cost.nano, lines=(found.words,), next_words="Speaks again when it is over."
        )


def _open(connection: Connection) -> Sequence[Any]:
    stands = (_ALERT.c.state == EpisodeState.APPROACHING.value, _ALERT.c.rule.startswith(LOOP_RULE, autoescape=True))
    return connection.execute(select(_ALERT).where(*stands).order_by(_ALERT.c.id).limit(_MOST_OPEN)).all()


def _written(connection: Connection, change: FoundLoop, now: int) -> int | None:
    """The alert's id; None when somebody else changed it since the look."""
    episode, found = change.decision.episode, change.repetition
    assert episode is not None
    over = episode.state is EpisodeState.RESOLVED
    if change.row is not None:
        values = {"state": episode.state.value, "spoke": episode.spoke, "snoozed_until": episode.snoozed_until}
        values |= {"resolved_at": now if over else None}
        is_ours = alert_rows.change(connection, change.row, values, now)
        return int(change.row.id) if is_ours else None
    assert found is not None
    begun = {
        "rule": f"{LOOP_RULE}{change.dimension}",
        "entity": change.entity,
        "window_start": episode.window_start,
        "state": episode.state.value,
        "severity": MessageKind.LOOP.severity,
        "announced": episode.announced,
        "spoke": episode.spoke,
        "used_nano": found.cost.nano,
        "limit_nano": 0,
        "crossed_at": episode.crossed_at,
    }
    return alert_rows.begin(connection, begun, now)
