"""The rules by which marks on limits become alerts and outgoing messages, decided on committed totals.

Each call is one transaction of the writer's. When there is one is up to `collector.evaluator_loop`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, exists, select, tuple_

from spendtop.domain.alerting import Episode, Reading, decide, thresholds
from spendtop.domain.clock import HOUR
from spendtop.domain.limits import Limit, LimitState
from spendtop.domain.money import ZERO
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Bounds, WindowKind, bounds
from spendtop.services import alert_messages, episodes
from spendtop.services.alert_messages import Announcement, Channel
from spendtop.services.limit_book import LimitBook
from spendtop.store.reads import limits as limit_reads
from spendtop.store.reads.rows import from_row as request_row
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import LimitMarkTable, RequestTable

_MARK, _REQUEST = table_of(LimitMarkTable), table_of(RequestTable)
_MARK_KEY = tuple_(*_MARK.primary_key)
_MARKS_PER_PASS = 2_000
_MARKS_PER_DELETE = 200
_REVISITED_PER_PASS = 200
"""Unresolved alerts that one pass looks at again, so that webhooks do not wait for it."""
_ENTITIES_PER_CHANGED_LIMIT = 200
_SINGLE_SHOWN_FOR = HOUR
"""How long one request above a request limit stays unresolved on screen, in µs."""
_log = logging.getLogger(__name__)


class Evaluator:
    """Decides for the limits in force."""

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
        announcements: list[Announcement] = []
        for name, of_limit in groupby(marks, key=lambda mark: mark.limit_name):
            limit = self._limits.get(name)
            if limit is None:
                continue
            try:
                with connection.begin_nested():
                    announcements += _LimitInTurn(connection, limit, self._book, now).decide_marked(list(of_limit))
            except Exception:  # one limit that cannot be evaluated must not silence the others
                _log.exception("a limit could not be evaluated: %s", clean_line(limit.name))
        for start in range(0, len(marks), _MARKS_PER_DELETE):
            read = [tuple(mark[:3]) for mark in marks[start : start + _MARKS_PER_DELETE]]
            connection.execute(delete(_MARK).where(_MARK_KEY.in_(read)))
        alert_messages.queue(connection, announcements, self._channels, now)
        return announcements

    def revisit(self, connection: Connection, now: int) -> list[Announcement]:
        """Look again at what is unresolved: windows end, and rolling use falls without any new request."""
        announcements: list[Announcement] = []
        rows = episodes.unresolved(connection, self._revisited, _REVISITED_PER_PASS)
        self._revisited = rows[-1].id if len(rows) == _REVISITED_PER_PASS else 0
        for row in rows:
            limit = self._limits.get(episodes.limit_name(row))
            episode = episodes.from_row(row)
            is_over = episode.window_end is not None and episode.window_end <= now
            if limit is None or is_over or not episodes.fits(limit, episode):
                episodes.end(connection, row, now)
            elif limit.window.kind is not WindowKind.REQUEST:
                announcements += _LimitInTurn(connection, limit, self._book, now).decide_again(row, episode)
        alert_messages.queue(connection, announcements, self._channels, now)
        return announcements


def has_marks(connection: Connection) -> bool:
    """Whether there are marks that nobody has evaluated yet."""
    return bool(connection.execute(select(exists(select(_MARK.c.limit_name)))).scalar())


def mark_crossed(connection: Connection, limits: Sequence[Limit], book: LimitBook, now: int) -> None:
    """Mark those of `limits`, which are new or were changed, that are past a threshold without any new request.

    A limit of one request only speaks about requests to come.
    """
    windowed = [limit for limit in limits if limit.window.kind is not WindowKind.REQUEST]
    uses = limit_reads.uses(connection, windowed, book.calendar, now, _ENTITIES_PER_CHANGED_LIMIT, book.ceilings)
    statement = insert_or_replace(LimitMarkTable, connection.dialect)
    values = [
        {"limit_name": use.limit.name, "entity": use.entity.raw, "hour": now - now % HOUR, "happened_at": now}
        for use in uses
        if use.state is not LimitState.OK
    ]
    statement.run_many(connection, [tuple(row[name] for name in statement.names) for row in values])


class _Case(NamedTuple):
    """One entity of a limit: its alert row, if there is one, and what its use is."""

    entity: str
    row: Any | None
    reading: Reading


class _LimitInTurn:
    """One limit within one transaction."""

    def __init__(self, connection: Connection, limit: Limit, book: LimitBook, now: int) -> None:
        self._connection = connection
        self._limit = limit
        self._calendar = book.calendar
        self._ceiling = book.ceilings.get(limit.name)
        self._now = now

    def decide_marked(self, marks: Sequence[Any]) -> list[Announcement]:
        """Decide about what recorded requests, or a change of the limit, marked."""
        cases = self._requests(marks) if self._limit.window.kind is WindowKind.REQUEST else self._windows(marks)
        return [announcement for case in cases for announcement in self._decide(case)]

    def decide_again(self, row: Any, episode: Episode) -> list[Announcement]:
        """Decide about an episode; its window is the one that it was opened in, also when the calendar has changed."""
        if episode.window_end is None:
            window = bounds(self._limit.window, self._now, self._calendar)
        else:
            window = Bounds(episode.window_start, episode.window_end)
        return self._decide(_Case(row.entity, row, self._reading(row.entity, window, episode.crossed_at)))

    def _requests(self, marks: Sequence[Any]) -> Iterator[_Case]:
        """Each single request above a request limit: an episode of its own, that speaks once."""
        for entity in (mark.entity for mark in marks):
            # Left while a limit of this name still had a window, a mark names a user or the like instead.
            if not (entity.isascii() and entity.isdigit()):
                continue
            row = self._connection.execute(select(_REQUEST).where(_REQUEST.c.id == int(entity))).one_or_none()
            if row is None or episodes.current(self._connection, self._limit, entity, None, self._now) is not None:
                continue
            request = request_row(row)
            reading = Reading(
                used=request.cost.amount or (self._ceiling(request) if self._ceiling else ZERO),
                unpriced=0,
                window_start=request.occurred_at,
                window_end=self._now + _SINGLE_SHOWN_FOR,
                at=self._now,
                happened_at=min(request.occurred_at, self._now),
            )
            yield _Case(entity, None, reading)

    def _windows(self, marks: Sequence[Any]) -> Iterator[_Case]:
        """Each entity in each window that a mark touches, where it may have something to say."""
        for window, marked_at in self._latest_marks(marks).items():
            for entity in self._worth_deciding(window, list(marked_at)):
                row = episodes.current(self._connection, self._limit, entity, window.start_us, self._now)
                yield _Case(entity, row, self._reading(entity, window, marked_at[entity]))

    def _latest_marks(self, marks: Sequence[Any]) -> dict[Bounds, dict[str, int]]:
        """When the last request that marked it happened, by window and entity."""
        rolling = self._limit.window.kind is WindowKind.ROLLING
        latest: dict[Bounds, dict[str, int]] = {}
        window: Bounds | None = None
        for mark in sorted(marks, key=lambda mark: mark.happened_at):
            for inside in (mark.hour, mark.happened_at):  # a window of a zone can begin within the marked hour
                if window is None or inside not in window:
                    window = bounds(self._limit.window, self._now if rolling else inside, self._calendar)
                at = mark.happened_at if window.end_us is None else min(mark.happened_at, window.end_us - 1)
                latest.setdefault(window, {})[mark.entity] = at
        return latest

    def _worth_deciding(self, window: Bounds, entities: list[str]) -> list[str]:
        """The entities that have an alert, or whose use may have reached a threshold by whole hours alone."""
        lowest = self._limit.threshold(thresholds(self._limit)[0]).nano
        most = limit_reads.most_of_uses(self._connection, self._limit, entities, window)
        alerted = episodes.entities_with_alerts(self._connection, self._limit, entities)
        return [entity for entity in entities if entity in alerted or most.get(entity, 0) >= lowest]

    def _reading(self, entity: str, window: Bounds, happened_at: int) -> Reading:
        use = limit_reads.use(self._connection, self._limit, entity, window, self._ceiling)
        # What happened before a rolling window began cannot have filled it.
        earliest = window.start_us if self._limit.window.kind is WindowKind.ROLLING and window.start_us else 0
        return Reading(
            used=use.used,
            unpriced=use.unpriced,
            window_start=window.start_us,
            window_end=window.end_us,
            at=self._now,
            happened_at=min(max(happened_at, earliest), self._now),
        )

    def _decide(self, case: _Case) -> list[Announcement]:
        """Write the episode when it changed, and say what is to be said: one thing or nothing."""
        connection, limit, (entity, row, reading) = self._connection, self._limit, case
        before = None if row is None else episodes.from_row(row)
        decision = decide(limit, before, reading)
        if decision.episode is None or decision.episode == before:
            return []
        alert_id = episodes.write(connection, limit, entity, row, decision, reading)
        if alert_id is None or decision.announce is None:
            return []
        message = alert_messages.message(connection, limit, entity, decision, reading, self._calendar)
        return [Announcement(limit.notify, alert_id, decision.episode.spoke, message)]
