"""Any dimension by any other, by any measure, against sums made one by one; and figures that are kept up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import reduce
from itertools import product

import pytest
from msgspec.structs import replace
from sqlalchemy import delete

from spendtop.domain.breakdown.dimensions import dimension, prefix_of
from spendtop.domain.breakdown.measures import COST, LATENCY, MEASURES, PLAN, Measure, Measured
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.model_names import family
from spendtop.domain.requests.request import Request, Status, Usage
from spendtop.domain.sources.records import HELICONE, INGEST
from spendtop.domain.windows import Calendar
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut, Times, unstored
from spendtop.store.reads.breakdown.grid import Grid, GridOrder, GridRow, GridSize
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

BERLIN = Calendar("Europe/Berlin", "04:30")
CHANGE_OF_CLOCKS = 1_792_890_000_000_000  # 2026-10-25 01:00 UTC, when Berlin goes back to winter time
EVERYTHING = GridSize(rows=1_000, columns=1_000)
MODELS = ("gpt-4o", "openai/gpt-4o-2024-08-06", None, "o3")
USERS = ("alice", "Alice", None, "jörg", "\x1b[31mmallory")
SESSIONS = ("pr-88", "pr-9", "nightly", None, "etl_1/2", "%_-x")
PROPERTIES = ({"env": "prod"}, {"env": 'te"st', "team": "a"}, None)

OF_SPEND = [measure for measure in MEASURES.values() if measure is not PLAN]
"""What is measured of counted requests."""


def requests_of(recorded: Recorded, start: int, count: int = 60) -> list[Request]:
    """About a day of them, with every sort of thing that they can say."""
    return [
        recorded.request(
            start + number * 31 * MINUTE,
            None if number % 7 == 0 else number * 1_000_003,
            source=INGEST if number % 3 else HELICONE,
            user_id=USERS[number % 5],
            model=MODELS[number % 4],
            provider="openai" if number % 4 else None,
            session_id=SESSIONS[number % 6],
            token=("tok-1", "tok-2", None)[number % 3],
            properties=PROPERTIES[number % 3],
            status=Status.ERROR if number % 11 == 0 else Status.OK,
            usage=Usage(prompt=number * 10 + 5, completion=number, cache_read=number % 5, reasoning=number // 2),
            latency_ms=None if number % 8 == 0 else number * number * 13,
        )
        for number in range(count)
    ]


def local_day(request: Request) -> str:
    wall = BERLIN.local(request.occurred_at).replace(tzinfo=None)
    return f"{wall - timedelta(hours=4, minutes=30):%Y-%m-%d}"


KEYS: dict[str, Callable[[Request], str]] = {
    "user": lambda one: one.user_id or "",
    "model_family": lambda one: family(one.model or ""),
    "model": lambda one: one.model or "",
    "provider": lambda one: one.provider or "",
    "token": lambda one: one.token or "",
    "session": lambda one: one.session_id or "",
    "session_prefix": lambda one: prefix_of(one.session_id or ""),
    "source": lambda one: one.source.name,
    "hour": lambda one: f"{BERLIN.local(one.occurred_at).hour:02}",
    "day": local_day,
    "prop.env": lambda one: (one.properties or {}).get("env", ""),
}


def rounded(latency: int) -> int:
    step = next(step for below, step in ((1_000, 10), (10_000, 100), (100_000, 1_000)) if latency < below)
    return (latency + step // 2) // step * step


def brute_force(measure: Measure, requests: Sequence[Request]) -> Measured:
    def total(values: Iterable[int | None]) -> int:
        return sum(value or 0 for value in values)

    count = len(requests)
    costs = [one.cost.amount.nano if one.cost.amount else None for one in requests]
    match measure.name:
        case "cost":
            return Measured(count, total(costs), costs.count(None))
        case "requests":
            return Measured(count, count, 0)
        case "tokens":
            return Measured(count, total((one.usage.prompt or 0) + (one.usage.completion or 0) for one in requests), 0)
        case "failed":
            failed = [cost for one, cost in zip(requests, costs, strict=True) if one.status is Status.ERROR]
            return Measured(len(failed), total(failed), failed.count(None))
        case "cache hit":
            return Measured(
                total(one.usage.prompt for one in requests), total(one.usage.cache_read for one in requests)
            )
        case "p95 latency":
            known = sorted(rounded(one.latency_ms) for one in requests if one.latency_ms is not None)
            return Measured(count, known[-(-len(known) * 95 // 100) - 1] if known else 0, count - len(known))
    field = {"prompt": "prompt", "completion": "completion", "cached": "cache_read", "reasoning": "reasoning"}
    return Measured(count, total(getattr(one.usage, field[measure.name.split()[0]]) for one in requests), 0)


def by(names: str, measure: Measure = COST) -> BreakdownReading:
    rows, _, columns = names.partition(" ")
    return BreakdownReading(Cut(dimension(rows), dimension(columns) if columns else None, measure, BERLIN))


def read(recorded: Recorded, reading: BreakdownReading, times: Times, size: GridSize = EVERYTHING) -> Grid:
    found = reading.read(recorded.store, times, size, lambda so_far, share: True)
    assert found is not None
    return found


def cells(grid: Grid) -> dict[tuple[str, str], Measured]:
    """What is not nothing."""
    return {
        (row.head.key.raw, column.key.raw): cell
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=False)
        if any(cell)
    }


def wholes(grid: Grid) -> dict[str, Measured]:
    return {row.head.key.raw: row.whole for row in grid.rows}


def within(span: Span, requests: Iterable[Request]) -> list[Request]:
    return [one for one in requests if (span.since or 0) <= one.occurred_at < (span.until or 2**62)]


def test_every_dimension_by_every_other_is_exact_and_so_is_every_measure(recorded: Recorded) -> None:
    start = CHANGE_OF_CLOCKS - 12 * HOUR
    requests = requests_of(recorded, start)
    recorded.add([*requests, recorded.request(start + 5, 10**9, user_id="alice", counted=False)])
    span = Span(start + 61 * MINUTE + 7, start + 29 * HOUR + 3)
    inside = within(span, requests)
    pairs = list(zip(KEYS, [*list(KEYS)[1:], "user"], strict=True))
    for (rows, columns), measure in [*product(pairs, [COST]), *product([("user", "model_family")], OF_SPEND)]:
        found = read(recorded, by(f"{rows} {columns}", measure), Times(span, None, start + 2 * DAY))
        expected: defaultdict[tuple[str, str], list[Request]] = defaultdict(list)
        for one in inside:
            expected[KEYS[rows](one), KEYS[columns](one)].append(one)
        sums = {pair: brute_force(measure, group) for pair, group in expected.items()}
        assert cells(found) == {pair: cell for pair, cell in sums.items() if any(cell)}, (rows, columns, measure)
        assert found.total.whole == brute_force(measure, inside)


def test_the_rest_of_rows_and_columns_is_what_is_missing(recorded: Recorded) -> None:
    requests = requests_of(recorded, START)
    recorded.add(requests)
    span = Span(START, START + 40 * HOUR)
    for measure in (COST, LATENCY):
        found = read(recorded, by("user model", measure), Times(span, span, START), GridSize(rows=2, columns=1))
        assert (
            len(
                read(recorded, by("user model", measure), Times(span, None, START), GridSize(rows=2, columns=3)).columns
            )
            == 4
        )
        shown, column = set(wholes(found)), found.columns[0].key.raw
        others = [one for one in requests if KEYS["user"](one) not in shown]
        apart = [one for one in others if KEYS["model"](one) != column]
        assert (found.other_keys, found.other_columns) == (3, 3)
        assert found.others.whole == found.others.before == brute_force(measure, others)
        assert found.others.cells[1] == brute_force(measure, apart)
        assert found.total.before == brute_force(measure, requests)


@pytest.mark.parametrize("name", ["user", "model_family", "model", "provider", "token", "session", "source"])
def test_by_one_dimension_totals_say_the_same_as_requests(recorded: Recorded, name: str) -> None:
    requests = requests_of(recorded, START)
    recorded.add(requests)
    span, earlier = Span(START + 9 * HOUR + 7, START + 29 * HOUR + 3), Span(START, START + 9 * HOUR + 7)
    for measure in (COST, MEASURES["tokens"], MEASURES["prompt tokens"], MEASURES["requests"]):
        found = read(recorded, by(name, measure), Times(span, earlier, START + DAY))
        for at, sums in ((span, wholes(found)), (earlier, {r.head.key.raw: r.before for r in found.rows})):
            groups: defaultdict[str, list[Request]] = defaultdict(list)
            for one in within(at, requests):
                groups[KEYS[name](one)].append(one)
            expected = {key: brute_force(measure, group) for key, group in groups.items()}
            assert {key: sums_of for key, sums_of in sums.items() if sums_of and any(sums_of)} == expected
    with recorded.store.reading() as connection:
        summary = spend(connection, *span)
    total = read(recorded, by(name), Times(span, earlier, START + DAY)).total.whole
    assert total == Measured(summary.requests, summary.cost.nano, summary.unpriced)


@pytest.mark.parametrize("name", ["user", "model", "session"])
def test_few_rows_are_the_first_of_all_and_the_rest_is_what_is_left(recorded: Recorded, name: str) -> None:
    recorded.add(requests_of(recorded, START))
    recorded.add(recorded.request(START + at * HOUR, 5, user_id="é", session_id=key) for at, key in enumerate("bBaé"))
    times = Times(Span(START + 9 * HOUR + 7, START + 29 * HOUR + 3), Span(START, START + 9 * HOUR + 7), START + DAY)
    by_name = read(recorded, by(name), times, GridSize(rows=99, columns=0, order=GridOrder.NAME))
    for order, descending, most in product((GridOrder.TOTAL, GridOrder.CHANGE), (True, False), (2,)):
        size = GridSize(rows=99, columns=0, order=order, descending=descending)
        every, few = read(recorded, by(name), times, size), read(recorded, by(name), times, replace(size, rows=most))
        assert sorted(map(repr, every.rows)) == sorted(map(repr, by_name.rows))
        assert few.rows == every.rows[:most]
        left = every.rows[most:]
        assert few.others.whole == reduce(Measured.plus, (row.whole for row in left), Measured())
        assert few.others.before == reduce(Measured.plus, (row.before or Measured() for row in left), Measured())
        assert few.other_keys == sum(any(row.whole) for row in left)
        assert few.total == every.total == by_name.total


def test_what_only_totals_know_any_more_is_counted(recorded: Recorded) -> None:
    recorded.add(recorded.request(START + day * DAY) for day in range(3))
    with recorded.store.writing() as connection:
        request = table_of(RequestTable)
        connection.execute(delete(request).where(request.c.occurred_at < START + DAY))
    with recorded.store.reading() as connection:
        assert unstored(connection, Span(START - 5, START + 9 * DAY)) == 1
        assert unstored(connection, Span(START - 5, START + HOUR)) == 1
        assert unstored(connection, Span(START + DAY, None)) == 0
    assert by("user").is_of_requests(Times(Span(START, START + HOUR), None, START + HOUR))


def test_orders_and_what_is_gone(recorded: Recorded) -> None:
    spent = {"alice": (9, 1), "bob": (5, 4), "Carl": (0, 7), "dora": (6, 0)}
    recorded.add(
        recorded.request(START + at * DAY, cost, user_id=user)
        for user, costs in spent.items()
        for at, cost in enumerate(costs)
        if cost
    )
    times = Times(Span(START + DAY, None), Span(START, START + DAY), START + 2 * DAY)

    def order(order: GridOrder, descending: bool) -> list[str]:
        size = GridSize(rows=9, columns=9, order=order, descending=descending)
        return list(wholes(read(recorded, by("user"), times, size)))

    assert order(GridOrder.TOTAL, True) == ["Carl", "bob", "alice", "dora"]
    assert order(GridOrder.CHANGE, True) == ["Carl", "bob", "dora", "alice"]
    assert order(GridOrder.NAME, True) == ["alice", "bob", "Carl", "dora"]
    (row,) = (row for row in read(recorded, by("user"), times).rows if row.head.key.raw == "dora")
    assert (row.whole, row.before) == (Measured(), Measured(1, 6, 0))


def test_trends_are_of_the_parts_of_the_time(recorded: Recorded) -> None:
    midnight = START // DAY * DAY
    recorded.add(recorded.request(midnight + hour * HOUR, hour + 1, user_id="alice") for hour in range(24))
    times = Times(Span(midnight, midnight + DAY), None, midnight + DAY)
    for names in ("user", "user model"):
        (row,) = read(recorded, by(names), times).rows
        assert row.trend == tuple(4 * n + 3 for n in range(12))


class TestKeptUp:
    """What was read once follows the store, and reads little of it."""

    TIMES = Times(Span(START, None), Span(START - DAY, START), START + 20 * HOUR)

    def told(self, recorded: Recorded, reading: BreakdownReading) -> tuple[Grid, list[float]]:
        shares: list[float] = []

        def progress(so_far: Callable[[], Grid], share: float) -> bool:
            shares.append(share)
            so_far()
            return True

        found = reading.read(recorded.store, self.TIMES, EVERYTHING, progress)
        assert found is not None
        return found, shares

    def test_after_every_sort_of_change(self, recorded: Recorded) -> None:
        requests = requests_of(recorded, START - 9 * HOUR)
        recorded.add(requests)
        reading = by("user model_family", LATENCY)
        first, shares = self.told(recorded, reading)
        assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 10
        late = recorded.request(START + 2 * HOUR, user_id="late", latency_ms=77)
        renamed = replace(requests[30], user_id="alice", latency_ms=123_456, received_at=START + 21 * HOUR)
        recorded.add([late, renamed])
        found, shares = self.told(recorded, reading)
        assert found != first
        assert found == self.told(recorded, by("user model_family", LATENCY))[0]
        assert len(shares) <= 6
        recorded.clear()
        emptied, _ = self.told(recorded, reading)
        assert (emptied.rows, emptied.total.whole) == ((), Measured())

    def test_the_first_figures_come_before_all_is_read_and_reading_can_be_ended(self, recorded: Recorded) -> None:
        recorded.add(requests_of(recorded, START))
        seen: list[GridRow] = []

        def progress(so_far: Callable[[], Grid], share: float) -> bool:
            seen.append(so_far().total)
            return len(seen) < 3

        reading = by("user model_family")
        assert reading.read(recorded.store, self.TIMES, EVERYTHING, progress) is None
        whole = self.told(recorded, reading)[0].total.whole
        assert 0 < seen[-1].whole.of < whole.of == 60
