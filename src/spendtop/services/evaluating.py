"""From marks on limits to alerts and outgoing messages, decided on committed totals in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_

from spendtop.domain.alerting import Decision, Episode, Reading, decide, thresholds
from spendtop.domain.clock import HOUR
from spendtop.domain.limits import Limit
from spendtop.domain.money import ZERO
from spendtop.domain.windows import Bounds, WindowKind, bounds
from spendtop.services import announcing, episodes
from spendtop.services.announcing import Announcement, Channel
from spendtop.services.limit_book import LimitBook
from spendtop.store.reads import limits as limit_reads
from spendtop.store.reads.rows import from_row as request_row
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitMarkTable, RequestTable

_MARK = table_of(LimitMarkTable)
_MARKS_PER_PASS = 2_000
_SINGLE_SHOWN_FOR = HOUR
"""How long one request above a request limit stays unresolved on screen, in µs."""


class Evaluator:
    """Decides for the limits in force. Called by whoever may: the writer's next step, or the lease holder."""

    def __init__(self, book: LimitBook, channels: Sequence[Channel]) -> None:
        self._book = book
        self._limits = {limit.name: limit for limit in book.limits}
        self._channels = channels

    def evaluate(self, connection: Connection, now: int) -> list[Announcement]:
        """Evaluate every marked limit, clear the marks that were read, and queue messages."""
        marks = connection.execute(select(_MARK).limit(_MARKS_PER_PASS)).all()
        said: list[Announcement] = []
        touched: dict[tuple[str, str], list[int]] = {}
        for mark in marks:
            touched.setdefault((mark.limit_name, mark.entity), []).append(mark.happened_at)
        for (name, entity), happened in touched.items():
            limit = self._limits.get(name)
            if limit is not None:
                said += self._touched(connection, limit, entity, happened, now)
        key = tuple_(_MARK.c.limit_name, _MARK.c.entity, _MARK.c.hour, _MARK.c.happened_at)
        for start in range(0, len(marks), 200):
            connection.execute(delete(_MARK).where(key.in_([tuple(mark) for mark in marks[start : start + 200]])))
        announcing.queue(connection, said, self._channels, now)
        return said

    def revisit(self, connection: Connection, now: int) -> list[Announcement]:
        """Look again at what is unresolved: windows end, and rolling use falls without any new request."""
        said: list[Announcement] = []
        for row in episodes.unresolved(connection):
            limit = self._limits.get(episodes.limit_name(row))
            episode = episodes.from_row(row)
            if limit is None or (episode.window_end is not None and episode.window_end <= now):
                episodes.resolve(connection, row, now)
            elif limit.window.kind is not WindowKind.REQUEST:
                said += self._decide(connection, limit, row.entity, episode.crossed_at, now)
        announcing.queue(connection, said, self._channels, now)
        return said

    def _touched(
        self, connection: Connection, limit: Limit, entity: str, happened: list[int], now: int
    ) -> list[Announcement]:
        if limit.window.kind is WindowKind.REQUEST:
            return self._single(connection, limit, int(entity), now)
        latest: dict[int | None, int] = {}
        for happened_at in sorted(happened):
            latest[self._span(limit, happened_at, now).start_us] = happened_at
        return [said for at in latest.values() for said in self._decide(connection, limit, entity, at, now)]

    def _span(self, limit: Limit, happened_at: int, now: int) -> Bounds:
        inside = now if limit.window.kind is WindowKind.ROLLING else min(happened_at, now)
        return bounds(limit.window, inside, self._book.calendar)

    def _decide(
        self, connection: Connection, limit: Limit, entity: str, happened_at: int, now: int
    ) -> list[Announcement]:
        span = self._span(limit, happened_at, now)
        row = episodes.current(connection, limit, entity, span.start_us, now)
        if row is None and self._cannot_speak(connection, limit, entity, span):
            return []
        use = limit_reads.use(connection, limit, entity, span, self._book.ceilings.get(limit.name))
        reading = Reading(
            used=use.used,
            unpriced=use.unpriced,
            window_start=span.start_us,
            window_end=span.end_us,
            at=now,
            happened_at=min(happened_at, now),
        )
        return self._settle(connection, limit, entity, row, reading)

    def _cannot_speak(self, connection: Connection, limit: Limit, entity: str, span: Bounds) -> bool:
        """Whether whole hours alone show that use is under every threshold."""
        _, most = limit_reads.bounds_of_use(connection, limit, entity, span)
        return limit.reserve is None and most < limit.amount.nano * thresholds(limit)[0]

    def _single(self, connection: Connection, limit: Limit, request_id: int, now: int) -> list[Announcement]:
        """One request above a request limit: an episode of its own."""
        table = table_of(RequestTable)
        found = connection.execute(select(table).where(table.c.id == request_id)).one_or_none()
        entity = str(request_id)
        if found is None or episodes.current(connection, limit, entity, None, now) is not None:
            return []
        request = request_row(found)
        ceiling = self._book.ceilings.get(limit.name)
        used = request.cost or (ceiling(request) if ceiling else ZERO)
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
        message = announcing.message(connection, limit, entity, decision, reading, self._book.calendar)
        return [Announcement(limit, alert_id, decision.episode.spoke, message)]
