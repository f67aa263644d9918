"""Helicone's query API: what its webhooks missed, and what they do not say.

Bodies that Helicone keeps elsewhere (`signed_body_url`) are not fetched: that address is a credential to another host.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from msgspec import Raw

from spendtop.domain.clock import DAY, MINUTE, to_datetime
from spendtop.domain.requests.request import Request
from spendtop.sources.helicone_rows import NotARow, Row, RowReader, instant_of, request_of
from spendtop.sources.pollers import KeyRefused, PolledPage, PollFailed
from spendtop.sources.pollers.helicone.access import WHO, HeliconeQueries
from spendtop.sources.pollers.helicone.cursor import (
    Following,
    Place,
    Ranging,
    ReadSpan,
    ReadWindow,
    after_comparing,
    after_page,
    after_reading,
    compare_later,
    first_run,
    next_run,
    placed,
    read_again,
    to_compare,
    written,
)
from spendtop.sources.pollers.http_client import USUAL, AnswerTooLarge, FetchBounds, Rejected

_FIRST_PAGE, _LARGEST_PAGE = 250, 1000
_WIDEST, _NARROWEST = DAY, 10 * MINUTE
_MOST_IN_A_SECOND = 100_000
_MOST_IN_A_SESSION = 100_000
_MOST_REMEMBERED = 50_000
_ROUNDING = 1_000
"""Nano-USD by which sums of floats may differ, besides one for each request."""
_log = logging.getLogger(__name__)

Known: TypeAlias = Callable[[int, int], tuple[int, int]]
"""How many requests from `since` until before `until` (UTC µs) Helicone's API confirmed, and the sum of the costs that
it reported for them in nano-USD, without hits in its cache. Called in a thread of its own."""


class HeliconeApi:
    """Reads Helicone page by page, as a `RequestPoller`.

    The first run reads back `backfill` µs; later ones read what is new and a little before that. Every 6 hours the
    totals of the last 48 hours, and once a day of the last 8 days, are compared with what is known; what differs is
    read again. A cursor of `range_cursor` reads just that span, and ends.
    """

    def __init__(self, key: str, base_url: str, *, backfill: int, known: Known, bounds: FetchBounds = USUAL) -> None:
        self._queries = HeliconeQueries(key, base_url, bounds)
        self._backfill = backfill
        self._known = known
        self._rows = RowReader()
        self._size = _PageSize(bounds.most_bytes)
        self._given = _Given()
        self._in_turn = asyncio.Lock()

    async def step(self, cursor: str | None, now: int) -> PolledPage:
        """The page behind a cursor; the first one for None. Raises PollFailed."""
        async with self._in_turn:
            return await self._step(cursor, now)

    async def _step(self, cursor: str | None, now: int) -> PolledPage:
        self._given.go_on_from(cursor)
        place = placed(cursor)
        if isinstance(place, Ranging):
            requests, reading = await self._read(place.reading, now)
            return self._page(requests, Ranging(reading=reading), more=not reading.ended)
        requests = ()
        if place is None:
            place = first_run(now, self._backfill)
        elif place.idle:
            place = next_run(place, now)
        if place.reading is not None:
            requests, reading = await self._read(place.reading, now)
            place = after_reading(place, reading, now)
        elif place.comparing is not None:
            place = await self._compare(place, place.comparing, now)
        return self._page(requests, place, more=not place.idle)

    async def request(self, request_id: str, now: int) -> Request | None:
        """One request with its bodies, or None where Helicone has none by this id (UTC µs `now`). Raises PollFailed.

        Helicone answers for the last 90 days, and may repeat for a day what it answered once.
        """
        raw = await self._queries.row(request_id)
        try:
            return None if raw is None else request_of(self._rows.row(raw, now), now)
        except NotARow:
            raise PollFailed(f"{WHO}'s request is not as documented; a newer spendtop may be needed") from None

    async def session(self, session: str, now: int) -> AsyncIterator[tuple[Request, ...]]:
        """A session's requests page by page, oldest first (UTC µs `now`), however they were read before.

        Raises PollFailed.
        """
        offset, limit = 0, _FIRST_PAGE
        while offset < _MOST_IN_A_SESSION:
            try:
                raws = await self._queries.session_rows(session, offset, limit)
            except AnswerTooLarge:
                if limit == 1:
                    raise
                limit //= 2
                continue
            if not raws:  # a short page is not the end: versions of one request are left out of it
                return
            offset += limit
            rows = await asyncio.to_thread(self._readable, raws, now)
            yield await asyncio.to_thread(_requests, rows, now)
        raise PollFailed(f"the session has over {_MOST_IN_A_SESSION:,} requests; polls and back-fills read the others")

    def _page(self, requests: tuple[Request, ...], place: Place, *, more: bool) -> PolledPage:
        cursor = written(place)
        self._given.handed_back(cursor)
        following = place if isinstance(place, Following) else None
        return PolledPage(
            requests=requests,
            cursor=cursor,
            complete_since=None if following is None else following.since,
            complete_until=None if following is None else following.complete_until,
            more=more,
            reads_on=place.reading is not None and not place.reading.ended,
        )

    async def _read(self, reading: ReadSpan, now: int) -> tuple[tuple[Request, ...], ReadSpan]:
        """The requests of the next page that were not given yet, and where the page behind it begins."""
        if reading.ended:
            return (), reading
        if reading.offset > _MOST_IN_A_SECOND:
            moment = to_datetime(reading.at)
            raise PollFailed(f"{WHO} gives requests without end for {moment:%Y-%m-%d %H:%M:%S} UTC; tell its support")
        raws, window = await self._ask(reading)
        fresh, requests, behind = await asyncio.to_thread(self._understood, raws, reading, window, now)
        self._given.add(fresh)  # not in the thread, which goes on when nobody waits for the page any more
        return requests, behind

    def _understood(
        self, raws: Sequence[Raw], reading: ReadSpan, window: ReadWindow, now: int
    ) -> tuple[list[Row], tuple[Request, ...], ReadSpan]:
        rows = self._readable(raws, now)
        inside = [at for at in map(instant_of, rows) if reading.at <= at < window.until]
        newest = max(inside, default=reading.at) if raws else None
        fresh = self._given.unknown(rows)
        return fresh, _requests(fresh, now), after_page(reading, newest, window)

    async def _ask(self, reading: ReadSpan) -> tuple[list[Raw], ReadWindow]:
        while True:
            window = ReadWindow(min(reading.until, reading.at + self._size.reach), self._size.limit)
            try:
                raws = await self._queries.rows(reading.at, window.until, reading.offset, window.limit)
            except AnswerTooLarge:
                if window.limit == 1:
                    raise
                self._size.was_too_large()
            except (KeyRefused, Rejected):
                raise
            except PollFailed as failure:
                if failure.retry_after is None:
                    self._size.was_too_slow()
                raise
            else:
                self._size.fitted(sum(memoryview(row).nbytes for row in raws))
                return raws, window

    def _readable(self, raws: Sequence[Raw], now: int) -> list[Row]:
        """Rows by which requests can be made; others are told in the log."""
        rows: list[Row] = []
        wrong: list[str] = []
        for raw in raws:
            try:
                rows.append(self._rows.row(raw, now))
            except NotARow as error:
                wrong.append(error.field)
        if wrong:
            fields = ", ".join(sorted(filter(None, set(wrong)))) or "the whole row"
            _log.warning("%d of %d requests of Helicone cannot be read: %s", len(wrong), len(raws), fields)
        return rows

    async def _compare(self, place: Following, comparing: ReadSpan, now: int) -> Following:
        """Goes on behind a part that is as Helicone has it, else into it. Totals that fail never hold up reading."""
        part = to_compare(comparing)
        try:
            theirs = await self._queries.totals(part.since, part.until)
        except KeyRefused:
            raise
        except PollFailed as failure:
            if failure.retry_after is not None:
                raise
            _log.warning("totals are compared again later: %s", failure)
            return compare_later(place, now)
        requests, nano = await asyncio.to_thread(self._known, part.since, part.until)
        if theirs.requests == requests and abs(theirs.cost.nano - nano) <= requests + _ROUNDING:
            return after_comparing(place, part.until)
        self._given.forget()
        return read_again(place, part)


class _PageSize:
    """How much is asked for at once: less when answers are too large or too slow, then again more."""

    def __init__(self, most_bytes: int) -> None:
        self._comfortable = most_bytes // 4
        self.limit = _FIRST_PAGE
        self.reach = _WIDEST
        """µs of time that one question is about."""

    def was_too_large(self) -> None:
        self.limit = max(1, self.limit // 2)

    def was_too_slow(self) -> None:
        self.limit = max(1, self.limit // 2)
        self.reach = max(_NARROWEST, self.reach // 2)

    def fitted(self, size: int) -> None:
        self.reach = min(_WIDEST, self.reach * 2)
        if size <= self._comfortable:
            self.limit = min(_LARGEST_PAGE, self.limit * 2)


class _Given:
    """Versions of requests that were given already, while what was given is known to be stored.

    That is so when the next step comes with the cursor that the last one gave back.
    """

    def __init__(self) -> None:
        self._cursor: str | None = None
        self._versions: dict[str, str] = {}

    def go_on_from(self, cursor: str | None) -> None:
        if cursor is None or cursor != self._cursor or len(self._versions) > _MOST_REMEMBERED:
            self.forget()

    def forget(self) -> None:
        """Give everything again: what is stored is not what was given."""
        self._versions.clear()

    def handed_back(self, cursor: str) -> None:
        self._cursor = cursor

    def unknown(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that were not given in this version."""
        return [row for row in rows if not row.updated_at or self._versions.get(row.request_id) != row.updated_at]

    def add(self, rows: Sequence[Row]) -> None:
        self._versions.update((row.request_id, row.updated_at) for row in rows if row.updated_at)


def _requests(rows: Sequence[Row], now: int) -> tuple[Request, ...]:
    return tuple(request_of(row, now) for row in rows)
