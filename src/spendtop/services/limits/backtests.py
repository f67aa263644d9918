"""Trying a limit on the requests that are stored: what it would have said."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from spendtop.domain.alerting.backtest import Backtest, CountedRequest, Firing, Replay, first_instant, periods, reached
from spendtop.domain.alerting.episode import thresholds
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.limits.limit import OWN_DIMENSION, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd
from spendtop.domain.windows import CALENDAR_KINDS, Bounds, Calendar, WindowKind
from spendtop.store.engine import Store
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.history import counted_requests, entities_from, spent_by_hour
from spendtop.store.reads.limits.uses import Ceiling
from spendtop.store.reads.spending.bucket_spans import Span, extent, in_slices
from spendtop.store.reads.spending.sums import oldest_hour, plan_spend, spend

LONGEST = 400
"""Days that can be looked back."""

_ENTITIES_AT_ONCE = 400

GoesOn = Callable[[float], bool]
"""Told how much is done, from 0 to 1; False ends the work."""


def backtest(
    store: Store,
    limit: Limit,
    calendar: Calendar,
    days: int,
    now: int,
    goes_on: GoesOn = lambda done: True,
    ceiling: Ceiling | None = None,
) -> Backtest | None:
    """What the limit would have said over the last `days` local days, today among them; None where it was ended.

    Calendar windows without a scope or a reserve of their own are read from totals, all others request by request.
    """
    since, by_totals = first_instant(days, now, calendar), is_by_totals(limit)
    with store.reading() as connection:
        oldest = oldest_hour(connection) if by_totals else extent(connection, Span(None, None)).since or None
        sums = spend if limit.measure is LimitedValue.SPEND else plan_spend
        unpriced = sums(connection, since, now + 1).unpriced
    data_since = oldest if oldest is not None and oldest > since else None
    tried = () if oldest is None or oldest > now else periods(limit, max(since, oldest), now, calendar)
    steps = _by_totals(store, limit, tried) if by_totals else _by_requests(store, limit, calendar, since, now, ceiling)
    firings: list[Firing] = []
    for done, fired in steps if tried else ():
        firings += (each for each in fired if each.at >= min(since, tried[0].start_us or 0))
        if not goes_on(done):
            return None
    return Backtest(
        limit=limit,
        since=since,
        until=now,
        data_since=data_since,
        periods=tuple(each.start_us for each in tried if each.start_us is not None),
        firings=tuple(firings),
        unpriced=unpriced,
    )


def is_by_totals(limit: Limit) -> bool:
    """Whether totals that are kept anyway say all about its windows."""
    return not limit.dimension.startswith(OWN_DIMENSION) and limit.window.kind in CALENDAR_KINDS


def _by_totals(store: Store, limit: Limit, windows: tuple[Bounds, ...]) -> Iterator[tuple[float, list[Firing]]]:
    """Some entities at a time, of those that spent enough altogether."""
    lowest, reader = limit.threshold(thresholds(limit)[0]), EntityUses()
    starts = [window.start_us or 0 for window in windows]
    whole = Bounds(starts[0], windows[-1].end_us)
    on_the_hour = all(at % HOUR == 0 for window in windows for at in (window.start_us or 0, window.end_us or 0))
    with store.reading() as connection:
        entities = entities_from(connection, limit, whole, lowest)
    for first in range(0, len(entities), _ENTITIES_AT_ONCE):
        some = entities[first : first + _ENTITIES_AT_ONCE]
        fired: list[Firing] = []
        with store.reading() as connection:
            most = _most_by_window(spent_by_hour(connection, limit, some, whole), starts)
            for place, sums in most.items():
                used = {entity: Usd(nano) for entity, nano in sums.items() if nano >= lowest.nano}
                if used and not on_the_hour:
                    exact = reader.uses(connection, limit, [*used], windows[place])
                    used = {entity: each.used for entity, each in exact.items()}
                fired += _reaching(limit, starts[place], used)
        yield (first + len(some)) / len(entities), fired


def _reaching(limit: Limit, start: int, used: Mapping[str, Usd]) -> Iterator[Firing]:
    for entity, amount in used.items():
        fraction = reached(limit, amount)
        if fraction:
            yield Firing(start, entity, 0.0, fraction)


def _most_by_window(hours: Iterable[CountedRequest], starts: Sequence[int]) -> dict[int, dict[str, int]]:
    """The most nano-USD that each entity can have used in each window, by the window's place among `starts`: an hour
    in which one ends and the next begins counts in both."""
    most: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for at, entity, nano in hours:
        first, last = max(bisect_right(starts, at) - 1, 0), bisect_left(starts, at + HOUR) - 1
        for place in range(first, last + 1):
            sums = most[place]
            sums[entity] = sums.get(entity, 0) + nano
    return most


def _by_requests(
    store: Store, limit: Limit, calendar: Calendar, since: int, now: int, ceiling: Ceiling | None
) -> Iterator[tuple[float, list[Firing]]]:
    """From before the span on, as far as that can matter for what lies in it."""
    replay = Replay(limit, calendar)
    begin: int | None = since
    match limit.window.kind:
        case WindowKind.SESSION | WindowKind.LIFETIME:
            begin = None
        case WindowKind.ROLLING:
            begin = since - 2 * (limit.window.length_us or 0)
        case WindowKind.BLOCK:
            begin = since - 2 * DAY
        case kind if kind in CALENDAR_KINDS:
            begin = periods(limit, since, since + 1, calendar)[0].start_us
    able = _able(store, limit, Bounds(begin, now + 1))
    if able is not None and not able:
        return
    first, done = None, 0.0
    for requests in in_slices(
        store,
        Span(begin, now + 1),
        lambda connection, part: list(counted_requests(connection, limit, part, ceiling)),
        newest_first=False,
    ):
        if requests:
            first = requests[0][0] if first is None else first
            done = (requests[-1][0] - first) / max(now - first, 1)
        yield done, list(replay.run(requests if able is None else (each for each in requests if each[1] in able)))
    yield 1.0, list(replay.finish())


def _able(store: Store, limit: Limit, span: Bounds) -> set[str] | None:
    """The entities that spent as much in the whole span as it takes to cross anything; None where totals do not say."""
    has_totals = limit.each is not None and not limit.dimension.startswith(OWN_DIMENSION)
    if not has_totals or limit.window.kind is WindowKind.REQUEST:
        return None
    with store.reading() as connection:
        return set(entities_from(connection, limit, span, limit.threshold(thresholds(limit)[0])))
