"""What screens and the API read from a full store, and what deciding about limits costs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from sqlalchemy import Connection

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.filters.parser import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer, Terms
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.services.alerting.evaluator import Evaluator
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.transaction import Recording
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.store import facts
from spendtop.store.day_totals import UNTIL
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.reads.limits.uses import use
from spendtop.store.reads.overview import Chart, overview
from spendtop.store.reads.requests.lists import Order, RequestQuery, newest_id, page
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import by_key, per_bucket, spend
from spendtop.tui.sessions.questions import SessionsQuestion
from spendtop.tui.sources.questions import SourcesQuestion
from tests.benchmarks.filling import SPAN, filled
from tests.benchmarks.measuring import Figure, Taken, in_millis, in_turn, ratio, say, taken_by
from tests.benchmarks.webhooks import webhooks
from tests.benchmarks.workshop import Workshop

_CALENDAR = Calendar()
_PAGE = 50
_YEAR = 365 * DAY
_FAR = Usd.of("1000000")

Read = Callable[[Connection], object]


def limits() -> list[Limit]:
    """The usual ones."""
    windows = {"hourly": "1h", "rolling": "24h", "daily": "day", "monthly": "month"}
    everyone = [Limit(name=name, window=parse_window(window), amount=_FAR) for name, window in windows.items()]
    return [*everyone, Limit(name="each user", window=parse_window("day"), amount=_FAR, each=Each.USER)]


def reads(workshop: Workshop) -> list[Figure]:
    """Times of single reads at the full size, and totals and limits against a store of a tenth."""
    full, tenth = (
        Store(f"sqlite:///{path}")
        for path in (workshop.filled, filled(workshop.own("tenth") / "tenth.db", workshop.requests // 10))
    )
    now = time.time_ns() // 1000
    questions = _questions(now, full)
    taken = in_turn({name: partial(_read, full, read) for name, read in questions.items()}, workshop.rounds)
    figures = []
    for name, goal in _GOALS_MS.items():
        figures.append(in_millis(f"{name} at {workshop.requests:,}", taken[name], goal))
    sums = _sums(now)
    for name, read in sums.items():
        pairs = [(_read(tenth, read).cpu, _read(full, read).cpu) for _ in range(20 * workshop.rounds)]
        small, large = (median(each) for each in zip(*pairs, strict=True))
        detail = f"CPU; {small:.2f} → {large:.2f} ms"
        figures.append(Figure(f"{name}, against a tenth", large / small, 1.2, at_most=True, detail=detail))
    full.close()
    tenth.close()
    return figures


def year(workshop: Workshop) -> list[Figure]:
    """Reads of a year, by days against by hours as it was before there were totals by day."""
    path = filled(workshop.own("year") / "year.db", workshop.requests, users=200, span=_YEAR)
    by_days = Store(f"sqlite:///{path}")
    by_hours = Store(f"sqlite:///{shutil.copy(path, path.with_name('hours.db'))}")
    with by_hours.writing() as connection:
        facts.drop(connection, UNTIL)
    now = time.time_ns() // 1000
    questions: Mapping[str, Read] = {
        "users of a year": lambda connection: by_key(connection, "user", now - _YEAR, now, 12),
        "models of a year": lambda connection: by_key(connection, "model", now - _YEAR, now, 12),
        "days of a year": lambda connection: per_bucket(connection, (now - _YEAR) // DAY * DAY, None, DAY),
    }
    by_day = {name: partial(_read, by_days, read) for name, read in questions.items()}
    by_hour = {f"{name} by hours": partial(_read, by_hours, read) for name, read in questions.items()}
    taken = in_turn({**by_day, **by_hour}, workshop.rounds)
    figures = []
    for name in questions:
        before, after = ([each.cpu for each in taken[key]] for key in (f"{name} by hours", name))
        detail = f"CPU; {median(before):.1f} → {median(after):.1f} ms"
        figures.append(Figure(f"{name} against by hours", ratio(after, before), 0.8, at_most=True, detail=detail))
    by_days.close()
    by_hours.close()
    return figures


def evaluation(workshop: Workshop) -> list[Figure]:
    """Deciding after one request, with 10,000 entities of an `each` limit against 10."""
    folder = workshop.own("evaluation")
    stores = {users: filled(folder / f"{users}.db", 200_000, users) for users in (10, 10_000)}
    measured = in_turn(
        {str(users): partial(_evaluated, path, users) for users, path in stores.items()},
        workshop.rounds,
    )
    for users, times in measured.items():
        say(f"  {users:>6} entities: {median(times):.2f} ms of CPU time per request")
    value = ratio(measured["10000"], measured["10"])
    return [Figure("evaluation, 10,000 entities against 10", value, 1.5, at_most=True)]


_GOALS_MS = {
    "Overview whole": 150,
    "first page": 300,
    "page at 90 %": 300,
    "page by cost": 300,
    "page of one user": 300,
    "page of one user by cost": 300,
    "page of one model": 300,
    "top users of a month": 100,
    "Sessions": 300,
    "Sources": 300,
}


def _questions(now: int, store: Store) -> Mapping[str, Read]:
    context = FilterContext(now, _CALENDAR)

    def listed(query: RequestQuery, cursor: str | None = None) -> Read:
        return lambda connection: page(connection, query, context, cursor, _PAGE)

    with store.reading() as connection:
        late = page(connection, RequestQuery(until=now - SPAN * 9 // 10), context, None, 1).next_cursor
    one_user, one_model = parse_filter("user:user-7"), parse_filter("model:gpt-5-3")
    return {
        "Overview whole": lambda connection: overview(
            connection,
            limits(),
            _CALENDAR,
            now,
            feed_size=15,
            window=Span(now - DAY, None),
            chart=Chart(Span(now // HOUR * HOUR - DAY, now // MINUTE * MINUTE + MINUTE), 10 * MINUTE),
            top=12,
        ),
        "first page": listed(RequestQuery()),
        "page at 90 %": listed(RequestQuery(), late),
        "page by cost": listed(RequestQuery(order=Order.COST)),
        "page of one user": listed(RequestQuery(filter=one_user)),
        "page of one user by cost": listed(RequestQuery(filter=one_user, order=Order.COST)),
        "page of one model": listed(RequestQuery(filter=one_model)),
        "top users of a month": lambda connection: by_key(connection, "user", now - SPAN, now, 12),
        "Sessions": lambda connection: SessionsQuestion(
            now=now, calendar=_CALENDAR, query=RequestQuery(), size=_PAGE
        ).ask_in(store),
        "Sources": SourcesQuestion(now=now, calendar=_CALENDAR).ask,
    }


def _sums(now: int) -> Mapping[str, Read]:
    def used(limit: Limit) -> Read:
        entity = "" if limit.each is None else "user-7"
        return lambda connection: use(connection, limit, entity, bounds(limit.window, now, _CALENDAR))

    return {
        "total of all time": lambda connection: spend(connection, None, None),
        "total of a month": lambda connection: spend(connection, now - SPAN + 1, now),
        **{f"limit {limit.name}": used(limit) for limit in limits()},
    }


def _read(store: Store, read: Read) -> Taken:
    with store.reading() as connection:
        return taken_by(lambda: read(connection))


def _evaluated(path: Path, users: int, requests: int = 150) -> float:
    """Median milliseconds of CPU time of an evaluation after one request each."""
    store = Store(f"sqlite:///{path}")
    book = LimitBook(limits(), _CALENDAR, {})
    evaluator = Evaluator(book, [])
    with store.reading() as connection:
        ids = RequestIds(0, newest_id(connection))
    preparer = Preparer(Pricer({}, None, no_price), None, keep_bodies=False)
    recording = Recording(store.write_engine.dialect, ids, book, preparer.cost)
    receiver, taken = HeliconeReceiver(), []
    for webhook in islice(webhooks(time.time_ns(), int(time.time()), users), requests):
        now = time.time_ns() // 1000
        event = preparer.prepare(receiver.parse(webhook.body, now))
        with store.writing() as connection:
            recording.record(connection, [event])
        with store.writing() as connection:
            taken.append(taken_by(lambda: evaluator.evaluate(connection, now)).cpu)  # noqa: B023
    store.close()
    return median(taken)


def no_price(provider: str | None, model: str, terms: Terms, at: int) -> None:
    return None
