"""The rules by which marks on limits become alerts and outgoing messages, decided on committed totals.

Each call is one transaction of the writer's. When there is one is up to `collector.evaluator_loop`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, Text, literal, select

from spendtop.domain.alerting.episode import Episode, Reading, decide, thresholds
from spendtop.domain.clock import HOUR
from spendtop.domain.cost_words import use_words
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.raises import Raises
from spendtop.domain.money import ZERO
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Bounds, WindowKind, bounds, widest
from spendtop.services.alerting import announcements, episodes
from spendtop.services.alerting import messages as alert_messages
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.marks import Marks, put_back
from spendtop.services.alerting.postponed import Postponed, apart, is_of_database
from spendtop.services.limits import raises
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store.reads.limits import uses as limit_reads
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.uses import Use
from spendtop.store.reads.limits.whose import windows_of
from spendtop.store.reads.rows import from_row as request_row
from spendtop.store.reads.rows import selected
from spendtop.store.reads.tokens.names import name_of
from spendtop.store.statements import insert_into, table_of
from spendtop.store.tables import LimitMarkTable, RequestTable

_MARK, _REQUEST = table_of(LimitMarkTable), table_of(RequestTable)
TURN_SECONDS = 0.02
"""How long one call works: recording waits for it."""
_MARKS_AT_ONCE, _MOST_MARKS_AT_ONCE = 25, 100
"""Marks of one limit that are evaluated before it is the next limit's turn, and between two looks at the time: more
while that takes no longer than _SHORT, as where no use is near its limit."""
_SHORT = TURN_SECONDS / 2
_REVISITED_AT_ONCE = 200
_ENDED_AT_ONCE = 500
_SINGLE_SHOWN_FOR = HOUR
"""How long one request above a request limit stays unresolved on screen, in µs."""
_log = logging.getLogger(__name__)


class Evaluator:
    """Decides for the limits in force, a turn of TURN_SECONDS at a time, so that recording never waits for long.

    What a turn leaves, `has_marks` and `has_ended` tell of; the next one goes on there.
    """

    def __init__(
        self, book: LimitBook, channels: Sequence[Channel], timer: Callable[[], float] = time.monotonic
    ) -> None:
        """`timer` gives seconds."""
        self._book = book
        self._limits = {limit.name: limit for limit in book.limits}
        self._channels = channels
        self._timer = timer
        self._raises = Raises()
        self._uses = EntityUses()
        self._postponed = Postponed("Limits", of=" for ")
        self._marks = Marks(self._postponed)
        self._at_once = _MARKS_AT_ONCE
        self._revisited = 0
        """The last alert that was looked at again; the next turn goes on behind it."""

    def evaluate(self, connection: Connection, now: int) -> list[Announcement]:
        """Evaluate marked limits, clear the marks that were evaluated, and queue messages."""
        looked_at = self._timer()
        ends_at = looked_at + TURN_SECONDS
        told: list[Announcement] = []
        self._raises = raises_in_force(connection, now)
        for name, marks in self._marks.take(connection, now, lambda: self._at_once):
            limit = self._limits.get(name)
            told += [] if limit is None else self._decided(connection, limit, marks, now)
            before, looked_at = looked_at, self._timer()
            is_short = looked_at - before < _SHORT
            self._at_once = min(2 * self._at_once, _MOST_MARKS_AT_ONCE) if is_short else _MARKS_AT_ONCE
            if looked_at >= ends_at:
                break
        return told

    def revisit(self, connection: Connection, now: int) -> list[Announcement]:
        """Look again at what is unresolved: windows end, rolling use falls without any new request, silences end."""
        ends_at = self._timer() + TURN_SECONDS
        told: list[Announcement] = []
        episodes.end(connection, episodes.ended(connection, now, _ENDED_AT_ONCE), now)
        self._raises = raises_in_force(connection, now)
        ended = raises.ended(connection, now)
        lower_again = [limit for limit in self._book.limits if limit.name in ended]
        if lower_again:
            mark_crossed(connection, lower_again, self._book, now)
        rows = episodes.unresolved(connection, self._revisited, _REVISITED_AT_ONCE)
        for row in rows:
            self._revisited = row.id
            told += self._decided_again(connection, row, now)
            if self._timer() >= ends_at:
                break
        else:
            if len(rows) < _REVISITED_AT_ONCE:
                self._revisited = 0
        return told + announcements.release(connection, self._channels, now)

    def has_marks(self, connection: Connection, now: int) -> bool:
        """Whether there are marks that are to be evaluated now."""
        return self._marks.are_due(connection, now)

    def postponed_words(self, now: int) -> str | None:
        """Which limits cannot be evaluated, as sentences. May be asked from any thread."""
        words = self._postponed.words(now)
        return None if words is None else f"{words} What rolling windows held meanwhile is not told."

    def _decided(self, connection: Connection, limit: Limit, marks: Sequence[Any], now: int) -> list[Announcement]:
        """What is said about marks. Where all of them cannot be decided at once, those are found that cannot at all."""
        if limit.name in self._postponed.rules(now):
            put_back(connection, marks)
            return []
        try:
            with apart(connection):
                announced = self._in_turn(connection, limit, now).decide_marked(marks)
                announcements.queue(connection, announced, self._channels, now)
        except Exception as failure:  # one limit that cannot be evaluated must not silence the others
            entities = sorted({mark.entity for mark in marks})
            if len(entities) == 1:
                self._postponed.add(limit.name, entities[0], failure, now)
                put_back(connection, marks)
                return []
            if is_of_database(failure):
                raise
            middle = entities[len(entities) // 2]
            halves = [mark for mark in marks if mark.entity < middle], [mark for mark in marks if mark.entity >= middle]
            return [each for half in halves for each in self._decided(connection, limit, half, now)]
        self._postponed.remove(limit.name, {mark.entity for mark in marks})
        return announced

    def _decided_again(self, connection: Connection, row: Any, now: int) -> list[Announcement]:
        limit = self._limits.get(episodes.limit_name(row))
        episode = episodes.from_row(row)
        if limit is None or not episodes.fits(limit, episode):
            episodes.end(connection, [row.id], now)
            return []
        if limit.window.kind is WindowKind.REQUEST or self._postponed.waits(limit.name, row.entity, now):
            return []
        told: list[Announcement] = []
        with self._postponed.trying(connection, limit.name, row.entity, now):
            announced = self._in_turn(connection, limit, now).decide_again(row, episode)
            announcements.queue(connection, announced, self._channels, now)
            told = announced
        return told

    def _in_turn(self, connection: Connection, limit: Limit, now: int) -> _LimitInTurn:
        return _LimitInTurn(connection, limit, self._book, self._raises, self._uses, now)


def has_ended(connection: Connection, now: int) -> bool:
    """Whether there are unresolved alerts whose window is over."""
    return bool(episodes.ended(connection, now, 1))


def mark_crossed(connection: Connection, limits: Sequence[Limit], book: LimitBook, now: int) -> None:
    """Mark those of `limits`, which are new or were changed, that may be past a threshold without any new request.

    A limit of one request only speaks about requests to come.
    """
    for limit in limits:
        if limit.window.kind is WindowKind.REQUEST:
            continue
        window = widest(limit.window, now, book.calendar)
        entities = limit_reads.reaching(connection, limit, window, now, _lowest(limit))
        hour, at = literal(now - now % HOUR, BigInteger()), literal(now, BigInteger())
        marks = entities.add_columns(literal(limit.name, Text()), hour, literal(0, Integer()), at)
        named = ("entity", "limit_name", "hour", "shard", "happened_at")
        marking = insert_into(_MARK, connection.dialect).from_select(named, marks)
        connection.execute(
            marking.on_conflict_do_update(index_elements=list(_MARK.primary_key), set_={"happened_at": now})
        )


def _lowest(limit: Limit) -> int:
    """The use from which on it has something to say, in nano-USD."""
    return limit.threshold(thresholds(limit)[0]).nano


class _Case(NamedTuple):
    """One entity of a limit: its alert row, if there is one, and what its use is."""

    entity: str
    row: Any | None
    reading: Reading


class _LimitInTurn:
    """One limit within one transaction."""

    def __init__(
        self, connection: Connection, limit: Limit, book: LimitBook, raises: Raises, uses: EntityUses, now: int
    ) -> None:
        self._connection = connection
        self._entity_uses = uses
        self._limit = limit
        self._raises = raises
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
        use = self._uses([row.entity], window)[row.entity]
        return self._decide(_Case(row.entity, row, self._reading(use, window, episode.crossed_at)))

    def _requests(self, marks: Sequence[Any]) -> Iterator[_Case]:
        """Each single request above a request limit: an episode of its own, that speaks once."""
        # Left while a limit of this name still had a window, a mark names a user or the like instead.
        entities = {mark.entity for mark in marks if mark.entity.isascii() and mark.entity.isdigit()}
        entities -= episodes.current(self._connection, self._limit, list(entities), None, self._now).keys()
        ids = [int(entity) for entity in entities]
        for row in self._connection.execute(select(*selected()).where(_REQUEST.c.id.in_(ids)).order_by(_REQUEST.c.id)):
            request = request_row(row)
            reading = Reading(
                used=self._limit.measure.amount_of(request.cost) or (self._ceiling(request) if self._ceiling else ZERO),
                unpriced=0,
                window_start=request.occurred_at,
                window_end=self._now + _SINGLE_SHOWN_FOR,
                at=self._now,
                happened_at=min(request.occurred_at, self._now),
            )
            yield _Case(str(row.id), None, reading)

    def _windows(self, marks: Sequence[Any]) -> Iterator[_Case]:
        """Each entity in each window that a mark touches, where it may have something to say."""
        for window, marked_at in self._latest_marks(marks).items():
            rows = episodes.current(self._connection, self._limit, list(marked_at), window.start_us, self._now)
            for entity, use in self._uses(self._worth_deciding(window, list(marked_at), rows), window).items():
                yield _Case(entity, rows.get(entity), self._reading(use, window, marked_at[entity]))

    def _latest_marks(self, marks: Sequence[Any]) -> dict[Bounds, dict[str, int]]:
        """When the last request that marked it happened, by window and entity."""
        rolling = self._limit.window.kind is WindowKind.ROLLING
        latest: dict[Bounds, dict[str, int]] = {}
        window: Bounds | None = None
        for mark in sorted(marks, key=lambda mark: mark.happened_at):
            for inside in (mark.hour, mark.happened_at):  # a window of a zone can begin within the marked hour
                if window is None or inside not in window or self._limit.window.kind is WindowKind.BLOCK:
                    window = self._window_of(mark.entity, self._now if rolling else inside)
                if window is None:
                    continue
                at = mark.happened_at if window.end_us is None else min(mark.happened_at, window.end_us - 1)
                latest.setdefault(window, {})[mark.entity] = at
        return latest

    def _window_of(self, entity: str, at: int) -> Bounds | None:
        return windows_of(self._connection, self._limit, [entity], at, self._calendar).get(entity)

    def _worth_deciding(self, window: Bounds, entities: list[str], alerted: Container[str]) -> list[str]:
        """The entities that are alerted, or whose use may have reached a threshold by whole hours alone."""
        reaching = self._entity_uses.reaching(self._connection, self._limit, entities, window, _lowest(self._limit))
        return [entity for entity in entities if entity in alerted or entity in reaching]

    def _uses(self, entities: Sequence[str], window: Bounds) -> Mapping[str, Use]:
        if self._limit.each is None:  # of everyone's spend the totals go down to the minute
            return {
                entity: limit_reads.use(self._connection, self._limit, entity, window, self._ceiling)
                for entity in entities
            }
        return self._entity_uses.uses(self._connection, self._limit, entities, window, self._ceiling)

    def _reading(self, use: Use, window: Bounds, happened_at: int) -> Reading:
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
        connection, (entity, row, reading) = self._connection, case
        limit = self._raises.raised(self._limit, entity)
        before = None if row is None else episodes.from_row(row)
        decision = decide(limit, before, reading)
        if decision.episode is None or decision.episode == before:
            return []
        alert_id = episodes.write(
            connection, episodes.rule_of(limit.name), limit.amount, entity, row, decision, reading
        )
        _log.debug(
            "limit %s, alert %s: %s at %s, %s",
            *(clean_line(limit.name), alert_id, decision.episode.state),
            use_words(reading.used, 0, limit.amount, limit.measure),
            f"tells {decision.announce}" if decision.announce else decision.reason or "tells nothing",
        )
        if alert_id is None or decision.announce is None:
            return []
        return [
            Announcement(
                limit.notify,
                alert_id,
                decision.episode.spoke,
                alert_messages.message(
                    *(limit, self._raises.of(limit, entity), self._name(entity)),
                    *(decision, reading, self._calendar),
                ),
                episodes.rule_of(limit.name),
                partial(alert_messages.contributors, connection, limit, entity, reading),
            )
        ]

    def _name(self, entity: str) -> str:
        """What people read for an entity."""
        return name_of(self._connection, entity) if self._limit.each is Each.TOKEN else entity
