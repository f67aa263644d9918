"""What a limit would have said over the past: its windows and thresholds, run over requests that are stored.

Calendar windows are judged whole, by what each summed up to. Other windows are run through the state machine of
`alerting`, request by request, with a look at every instant at which use falls by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from spendtop.domain.alerting.episode import (
    Episode,
    EpisodeState,
    MessageKind,
    Reading,
    continues,
    decide,
    hysteresis,
    patience,
    thresholds,
)
from spendtop.domain.clock import HOUR
from spendtop.domain.counted import counted
from spendtop.domain.limits.limit import Limit, LimitState
from spendtop.domain.money import Usd
from spendtop.domain.percent import exact_percent
from spendtop.domain.windows import BLOCK_LENGTH, CALENDAR_KINDS, Bounds, Calendar, WindowKind, bounds, parse_window

_DATES = 5
"""Dates that a sentence names; of more it says how many there are."""


class Firing(Struct, frozen=True):
    """An alert that would have been: every threshold above `above` and up to `fraction` was crossed."""

    at: int
    """UTC µs; of a calendar window its beginning."""
    entity: str
    above: float
    fraction: float


CountedRequest = tuple[int, str, int]
"""What of a request counts against a limit: when it happened (UTC µs), for whom, and nano-USD. Plain, as there are
millions of them."""


class FiredThreshold(Struct, frozen=True):
    """How often one threshold would have fired."""

    fraction: float
    times: int
    """Of a limit of each user and the like, of all of them together."""
    periods: tuple[int, ...]
    """Beginnings of the windows, or of the local days, in which it did; UTC µs."""


class Backtest(Struct, frozen=True, kw_only=True):
    """What a limit would have said from `since` to `until`."""

    limit: Limit
    since: int
    until: int
    data_since: int | None
    """From when on there are requests, where that is later than was asked for; UTC µs."""
    periods: tuple[int, ...]
    """Beginnings of all windows of a calendar limit, or of all local days, in which there are data."""
    firings: tuple[Firing, ...]
    unpriced: int = 0
    """Requests of that time whose cost is not known, whoever sent them: they count nothing, but for a reserve."""

    @property
    def unit(self) -> str:
        """What its periods are: hour, day, week or month."""
        return self.limit.window.kind.value if self.limit.window.kind in CALENDAR_KINDS else "day"

    def thresholds(self, calendar: Calendar) -> tuple[FiredThreshold, ...]:
        """All of the limit's, ascending."""
        return tuple(self._of(fraction, calendar) for fraction in thresholds(self.limit))

    def _of(self, fraction: float, calendar: Calendar) -> FiredThreshold:
        fired = [each for each in self.firings if each.above < fraction <= each.fraction]
        periods = {_begin(self.limit, each.at, calendar) for each in fired}
        return FiredThreshold(fraction, len(fired), tuple(sorted(periods)))

    def sentence(self, calendar: Calendar) -> str:
        """`80% on 11 of 30 days, 100% on 3 (11-04, 11-09, 11-17)`."""
        if not self.periods:
            return "There are no requests in that time."
        parts: list[str] = []
        for each in self.thresholds(calendar):
            of = f" of {counted(len(self.periods), self.unit)}" if not parts else ""
            words = f"{exact_percent(each.fraction)} on {len(each.periods):,}{of}"
            if each.times > len(each.periods):
                words += f", {each.times:,} times"
            parts.append(words + _dates(each.periods, self.limit, calendar))
        return f"Would have fired {', '.join(parts)}."

    def remarks(self, calendar: Calendar) -> Iterator[str]:
        """What the sentence is to be read with."""
        if self.data_since is not None:
            yield f"There are data since {calendar.local(self.data_since):%Y-%m-%d %H:%M} only."
        if self.unpriced:
            has, it = ("requests have", "they count") if self.unpriced > 1 else ("request has", "it counts")
            yield f"{self.unpriced:,} {has} no known cost; {it} nothing."


def _dates(periods: Sequence[int], limit: Limit, calendar: Calendar) -> str:
    if not 0 < len(periods) <= _DATES:
        return ""
    form = "%m-%d %H:%M" if limit.window.kind is WindowKind.HOUR else "%m-%d"
    return f" ({', '.join(calendar.local(at).strftime(form) for at in periods)})"


def _begin(limit: Limit, at: int, calendar: Calendar) -> int:
    """Of the calendar window, or of the local day, that an instant lies in."""
    window = limit.window if limit.window.kind in CALENDAR_KINDS else parse_window("day")
    start = bounds(window, at, calendar).start_us
    assert start is not None
    return start


def first_instant(days: int, now: int, calendar: Calendar) -> int:
    """The beginning of the local day from which on there are so many days, today among them."""
    day = bounds(parse_window("day"), now, calendar)
    for _ in range(days - 1):
        assert day.start_us is not None
        day = bounds(parse_window("day"), day.start_us - 1, calendar)
    assert day.start_us is not None
    return day.start_us


def periods(limit: Limit, since: int, until: int, calendar: Calendar) -> tuple[Bounds, ...]:
    """The windows of a calendar limit, or the local days for any other, that `since`..`until` touches."""
    window = limit.window if limit.window.kind in CALENDAR_KINDS else parse_window("day")
    found = [bounds(window, since, calendar)]
    while (end := found[-1].end_us) is not None and end < until:
        found.append(bounds(window, end, calendar))
    return tuple(found)


def reached(limit: Limit, used: Usd) -> float:
    """The highest threshold that this use reaches; 0 for none."""
    if limit.state(used) is LimitState.EXCEEDED:
        return 1.0
    return max((t for t in thresholds(limit) if t < 1 and used >= limit.threshold(t)), default=0.0)


class Replay:
    """Runs a limit over requests in the order of time, one entity beside the other."""

    def __init__(self, limit: Limit, calendar: Calendar) -> None:
        self._limit = limit
        self._calendar = calendar
        self._entities: dict[str, _EntityReplay] = {}
        self._window = Bounds(0, 0)
        self._sums: dict[str, int] = {}
        self._blocks: dict[str, tuple[int, int]] = {}
        """By entity, when its last block begins, and its nano-USD."""

    def run(self, requests: Iterable[CountedRequest]) -> Iterator[Firing]:
        """What fires because of these requests; call `finish` behind the last ones."""
        kind = self._limit.window.kind
        if kind is WindowKind.REQUEST:
            return self._single(requests)
        if kind is WindowKind.BLOCK:
            return self._in_blocks(requests)
        return self._summed(requests) if kind in CALENDAR_KINDS else self._stepped(requests)

    def finish(self) -> Iterator[Firing]:
        """What the last calendar window, or the last block of each, comes to."""
        for entity in list(self._blocks):
            yield from self._end_block(entity)
        start, sums = self._window.start_us, self._sums
        self._sums = {}
        for entity, used in sums.items():
            highest = reached(self._limit, Usd(used))
            if highest and start is not None:
                yield Firing(start, entity, 0.0, highest)

    def _single(self, requests: Iterable[CountedRequest]) -> Iterator[Firing]:
        for at, entity, nano in requests:
            if nano > self._limit.amount.nano:
                yield Firing(at, entity, 0.0, 1.0)

    def _summed(self, requests: Iterable[CountedRequest]) -> Iterator[Firing]:
        ends_at = self._window.end_us or 0
        for at, entity, nano in requests:
            if at >= ends_at:
                yield from self.finish()
                self._window = bounds(self._limit.window, at, self._calendar)
                ends_at = self._window.end_us or 0
            self._sums[entity] = self._sums.get(entity, 0) + nano

    def _in_blocks(self, requests: Iterable[CountedRequest]) -> Iterator[Firing]:
        for at, entity, nano in requests:
            begin, used = self._blocks.get(entity, (None, 0))
            if begin is None or at >= begin + BLOCK_LENGTH:
                yield from self._end_block(entity)
                begin, used = at // HOUR * HOUR, 0
            self._blocks[entity] = begin, used + nano

    def _end_block(self, entity: str) -> Iterator[Firing]:
        begin, used = self._blocks.pop(entity, (0, 0))
        highest = reached(self._limit, Usd(used))
        if highest:
            yield Firing(begin, entity, 0.0, highest)

    def _stepped(self, requests: Iterable[CountedRequest]) -> Iterator[Firing]:
        for at, name, nano in requests:
            entity = self._entities.get(name)
            if entity is None:
                entity = self._entities[name] = _EntityReplay(self._limit, name)
            if not entity.passes_by(at, nano):
                yield from entity.take(at, nano)


class _EntityReplay:
    """One entity's use of a window that moves with time, or never ends."""

    def __init__(self, limit: Limit, entity: str) -> None:
        self._limit = limit
        self._entity = entity
        self._floor: float = -1
        """Nano-USD under which the episode begins to fall."""
        self._ceiling: float = limit.threshold(thresholds(limit)[0]).nano
        """Nano-USD from which on a further threshold is crossed."""
        self._falls = False
        """Whether use is under the floor, and it is only a question of time."""
        self._length = limit.window.length_us
        self._held: deque[tuple[int, int]] = deque()
        self._used = 0
        self._episode: Episode | None = None
        self._resolved_at: int | None = None

    def passes_by(self, at: int, nano: int) -> bool:
        """Take the next request where nothing comes of it; False where `take` has to look at it."""
        if self._falls:
            return False
        held = self._held
        if self._length is not None:
            since = at - self._length
            while held and held[0][0] < since:
                if self._used - held[0][1] < self._floor:
                    return False
                self._used -= held.popleft()[1]
        if self._used + nano >= self._ceiling:
            return False
        self._used += nano
        if self._length is not None:
            held.append((at, nano))
        return True

    def take(self, at: int, nano: int) -> Iterator[Firing]:
        """The next request, after what happened by itself before it."""
        if self._length is not None:
            yield from self._pass_time(at)
            self._held.append((at, nano))
        self._used += nano
        yield from self._judge(at)

    def _pass_time(self, until: int) -> Iterator[Firing]:
        """Let what is older than the window leave it; while an episode stands, look at each such instant."""
        assert self._length is not None
        while True:
            leaves = self._held[0][0] + self._length + 1 if self._held else None
            below = self._episode.below_since if self._episode else None
            falls = None if below is None else below + patience(self._limit)
            due = min((at for at in (leaves, falls) if at is not None), default=None)
            if due is None or due > until:
                return
            while self._held and self._held[0][0] + self._length < due:
                self._used -= self._held.popleft()[1]
            if self._episode is not None:
                yield from self._judge(due)

    def _judge(self, at: int) -> Iterator[Firing]:
        if self._resolved_at is not None and not continues(self._limit, self._resolved_at, at):
            self._episode, self._resolved_at = None, None
        before = self._episode
        reading = Reading(
            used=Usd(self._used),
            window_start=None if self._length is None else at - self._length,
            window_end=None,
            at=at,
            happened_at=at,
        )
        decision = decide(self._limit, before, reading)
        self._episode = decision.episode
        if decision.episode is None:
            return
        self._bound(decision.episode)
        is_over = decision.episode.state is EpisodeState.RESOLVED
        if is_over and self._resolved_at is None:
            self._resolved_at = at
        elif not is_over:
            self._resolved_at = None
        if decision.announce in (MessageKind.APPROACHING, MessageKind.EXCEEDED):
            above = 0.0 if before is None else before.announced
            yield Firing(at, self._entity, above, decision.episode.announced)

    def _bound(self, episode: Episode) -> None:
        """Between which uses nothing comes of a request, as the episode stands."""
        limit, announced = self._limit, episode.announced
        higher = [limit.threshold(t).nano for t in thresholds(limit) if t > announced]
        self._ceiling = higher[0] if higher else float("inf")
        self._floor = limit.amount.nano * announced * hysteresis(limit) if announced else -1
        self._falls = episode.below_since is not None
