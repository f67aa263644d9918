"""From marks on limits to alerts and outgoing messages, decided on committed totals in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_

from spendtop.domain.alerting import Decision, Episode, Reading, decide, thresholds
from spendtop.domain.clock import HOUR
from spendtop.domain.limits import Limit
from spendtop.domain.money import ZERO
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Bounds, WindowKind, bounds
from spendtop.services import alert_messages, episodes
from spendtop.services.alert_messages import Announcement, Channel
from spendtop.services.limit_book import LimitBook
from spendtop.store.reads import limits as limit_reads
from spendtop.store.reads.rows import from_row as request_row
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitMarkTable, RequestTable

_MARK = table_of(LimitMarkTable)
_MARKS_PER_PASS = 2_000
_REVISITED_PER_PASS = 200
"""Unresolved alerts that one pass looks at again, so that webhooks do not wait for it."""
_log = logging.getLogger(__name__)
_SINGLE_SHOWN_FOR = HOUR
"""How long one request above a request limit stays unresolved on screen, in µs."""


class Evaluator:
    """Decides for the limits in force. Called by whoever may: the writer's next step, or the lease holder."""

    def __init__(self, book: LimitBook, channels: Sequence[Channel]) -> None:
        self._book = book
        self._limits = {limit.name: limit for limit in book.limits}
        self._channels = channels
        self._revisited = 0
        """The last alert that was looked at again; the next pass goes on behind it."""

    def evaluate(self, connection: Connection, now: int) -> list[Announcement]:
        """Evaluate every marked limit, clear the marks that were read, and queue messages."""
        # Held until our commit: who marks again in the meantime waits, and leaves a new mark.
        held = select(_MARK).order_by(*_MARK.primary_key).limit(_MARKS_PER_PASS).with_for_update(skip_locked=True)
        marks = connection.execute(held).all()
        said: list[Announcement] = []
        by_limit: dict[str, list[Any]] = {}
        for mark in marks:
            by_limit.setdefault(mark.limit_name, []).append(mark)
        for name, of_limit in by_limit.items():
            limit = self._limits.get(name)
            if limit is not None:
                said += self._touched_safely(connection, limit, of_limit, now)
        key = tuple_(*_MARK.primary_key)
        for start in range(0, len(marks), 200):
            read = [tuple(mark[:3]) for mark in marks[start : start + 200]]
            connection.execute(delete(_MARK).where(key.in_(read)))
        alert_messages.queue(connection, said, self._channels, now)
        return said

    def revisit(self, connection: Connection, now: int) -> list[Announcement]:
        """Look again at what is unresolved: windows end, and rolling use falls without any new request."""
        said: list[Announcement] = []
        rows = episodes.unresolved(connection, self._revisited, _REVISITED_PER_PASS)
        self._revisited = rows[-1].id if len(rows) == _REVISITED_PER_PASS else 0
        for row in rows:
            limit = self._limits.get(episodes.limit_name(row))
            episode = episodes.from_row(row)
            if limit is None or not episodes.fits(limit, episode):
                episodes.drop(connection, row, now)
            elif episode.window_end is not None and episode.window_end <= now:
                episodes.resolve(connection, row, now)
            elif limit.window.kind is not WindowKind.REQUEST:
                span = self._span_of(limit, episode, now)
                reading = self._reading(connection, limit, row.entity, span, episode.crossed_at, now)
                said += self._settle(connection, limit, row.entity, row, reading)
        alert_messages.queue(connection, said, self._channels, now)
        return said

    def _touched_safely(
        self, connection: Connection, limit: Limit, marks: Sequence[Any], now: int
    ) -> list[Announcement]:
        """One limit that cannot be evaluated must not silence the others."""
        try:
            with connection.begin_nested():
                return self._touched(connection, limit, marks, now)
        except Exception:
            _log.exception("a limit could not be evaluated: %s", clean_line(limit.name))
            return []

    def _touched(self, connection: Connection, limit: Limit, marks: Sequence[Any], now: int) -> list[Announcement]:
        if limit.window.kind is WindowKind.REQUEST:
            # Left while a limit of this name still had a window, a mark names a user or the like instead.
            ids = [int(mark.entity) for mark in marks if mark.entity.isascii() and mark.entity.isdigit()]
            return [said for request_id in ids for said in self._single(connection, limit, request_id, now)]
        latest: dict[Bounds, dict[str, int]] = {}
        span: Bounds | None = None
        for mark in sorted(marks, key=lambda mark: mark.happened_at):
            for inside in (mark.hour, mark.happened_at):  # a window of a zone can begin within the marked hour
                if span is None or inside not in span:
                    span = self._span(limit, inside, now)
                at = mark.happened_at if span.end_us is None else min(mark.happened_at, span.end_us - 1)
                latest.setdefault(span, {})[mark.entity] = at
        return [
            said
            for span, happened in latest.items()
            for entity in self._worth_deciding(connection, limit, span, list(happened))
            for said in self._decide(connection, limit, entity, span, happened[entity], now)
        ]

    def _worth_deciding(self, connection: Connection, limit: Limit, span: Bounds, entities: list[str]) -> list[str]:
        """The entities that have an alert, or whose use may have reached a threshold by whole hours alone."""
        lowest = limit.threshold(thresholds(limit)[0]).nano
        most = limit_reads.most_of_uses(connection, limit, entities, span)
        known = episodes.entities_with_alerts(connection, limit, entities)
        return [entity for entity in entities if entity in known or most.get(entity, 0) >= lowest]

    def _span(self, limit: Limit, happened_at: int, now: int) -> Bounds:
        rolling = limit.window.kind is WindowKind.ROLLING
        return bounds(limit.window, now if rolling else happened_at, self._book.calendar)

    def _span_of(self, limit: Limit, episode: Episode, now: int) -> Bounds:
        """The window of an episode, also when the calendar has changed since it was opened."""
        if episode.window_end is None:
            return self._span(limit, now, now)
        return Bounds(episode.window_start, episode.window_end)

    def _decide(
        self, connection: Connection, limit: Limit, entity: str, span: Bounds, happened_at: int, now: int
    ) -> list[Announcement]:
        row = episodes.current(connection, limit, entity, span.start_us, now)
        reading = self._reading(connection, limit, entity, span, happened_at, now)
        return self._settle(connection, limit, entity, row, reading)

    def _reading(
        self, connection: Connection, limit: Limit, entity: str, span: Bounds, happened_at: int, now: int
    ) -> Reading:
        use = limit_reads.use(connection, limit, entity, span, self._book.ceilings.get(limit.name))
        # What happened before a rolling window began cannot have filled it.
        earliest = span.start_us if limit.window.kind is WindowKind.ROLLING and span.start_us is not None else 0
        return Reading(
            used=use.used,
            unpriced=use.unpriced,
            window_start=span.start_us,
            window_end=span.end_us,
            at=now,
            happened_at=min(max(happened_at, earliest), now),
        )

    def _single(self, connection: Connection, limit: Limit, request_id: int, now: int) -> list[Announcement]:
        """One request above a request limit: an episode of its own."""
        table = table_of(RequestTable)
        found = connection.execute(select(table).where(table.c.id == request_id)).one_or_none()
        entity = str(request_id)
        if found is None or episodes.current(connection, limit, entity, None, now) is not None:
            return []
        request = request_row(found)
        ceiling = self._book.ceilings.get(limit.name)
        used = request.cost.amount or (ceiling(request) if ceiling else ZERO)
        reading = Reading(
            used=used,
            unpriced=0,
            window_start=request.occurred_at,
            window_end=now + _SINGLE_SHOWN_FOR,
            at=now,
            happened_at=min(request.occurred_at, now),
        )
        return self._settle(connection, limit, entity, None, reading)

    def _settle(
        self, connection: Connection, limit: Limit, entity: str, row: Any | None, reading: Reading
    ) -> list[Announcement]:
        """Decide, write the episode when it changed, and say what is to be said."""
        previous: Episode | None = episodes.from_row(row) if row is not None else None
        decision: Decision = decide(limit, previous, reading)
        if decision.episode is None or decision.episode == previous:
            return []
        alert_id = episodes.write(connection, limit, entity, row, decision.episode, reading)
        if alert_id is None or decision.announce is None:
            return []
        message = alert_messages.message(connection, limit, entity, decision, reading, self._book.calendar)
        return [Announcement(limit.notify, alert_id, decision.episode.spoke, message)]
