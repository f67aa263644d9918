from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import Comparison, FilterContext, Op, Pattern, PatternKind, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import Order, RequestQuery, page
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import MANY, START, Drawn, within

CONTEXT = FilterContext(START, Calendar())
FILTERS: dict[str | None, Callable[[Drawn], bool]] = {
    None: lambda one: True,
    "user:alice": lambda one: one.user == "alice",
    "user:*li*": lambda one: one.user == "alice",
    "cost>=0.000000005": lambda one: (one.cost or 0) >= 5,
    "cost>=0.000000005 user:*li*": lambda one: one.user == "alice" and (one.cost or 0) >= 5,
    "time:-30m": lambda one: one.occurred_at >= START - HOUR // 2,
    "unpriced:yes": lambda one: one.cost is None,
}

hours = st.sampled_from([1, START, START + HOUR, START + 2 * HOUR, START + 30 * HOUR, START + 36_500 * DAY])
instants = st.builds(int.__add__, hours, st.sampled_from([0, 0, 1, HOUR // 2, HOUR - 1]))
drawn = st.builds(
    Drawn,
    instants,
    cost=st.sampled_from([None, 0, 0, 5, 5, 7, 10**13]),
    prompt=st.none(),
    status=st.just(Status.OK),
    user=st.sampled_from(["alice", "bob"]),
    model=st.none(),
    session=st.none(),
    counted=st.booleans(),
)


def listed(recorded: Recorded, query: RequestQuery, size: int) -> list[tuple[int | None, int]]:
    """Cost and id of what all pages hold."""
    with recorded.store.reading() as connection:
        one = page(connection, query, CONTEXT, None, size)
        rows = [*one.rows]
        while one.next_cursor is not None:
            one = page(connection, query, CONTEXT, one.next_cursor, size)
            rows += one.rows
    return [(Usd.nano_of(row.cost.amount), row.id) for row in rows]


@MANY
@given(
    st.lists(drawn, max_size=30),
    st.sampled_from(list(FILTERS)),
    st.tuples(st.none() | instants, st.none() | instants),
    st.booleans(),
    st.integers(1, 9),
)
def test_pages_are_the_requests_sorted_by_cost_and_id(
    recorded: Recorded,
    requests: list[Drawn],
    words: str | None,
    span: tuple[int | None, int | None],
    descending: bool,
    size: int,
) -> None:
    recorded.clear()
    ids = recorded.add(one.request(recorded) for one in requests)
    expected = [
        (one.cost, row_id)
        for one, row_id in zip(requests, ids, strict=True)
        if FILTERS[words](one) and within(*span, one.occurred_at)
    ]
    known = sorted(((cost, row_id) for cost, row_id in expected if cost is not None), reverse=descending)
    unknown = sorted((row_id for cost, row_id in expected if cost is None), reverse=descending)
    query = RequestQuery(parse_filter(words) if words else None, *span, Order.COST, descending)
    assert listed(recorded, query, size) == [*known, *((None, row_id) for row_id in unknown)]


@pytest.mark.parametrize(
    ("words", "costs", "most"),
    [
        pytest.param(None, [39, 39, 38, 38, 37], 1 + 4, id="as-many-as-have-requests-of-the-page"),
        pytest.param("user:*li*", [], 2 * (1 + 3 + 1), id="few-where-nothing-passes"),
        pytest.param("time:-90m", [39, 39, 38, 38], 2 * (1 + 3), id="those-of-the-time-that-the-filter-names"),
        pytest.param("cost>0.000000037", [39, 39, 38, 38], 2 * (1 + 2), id="those-with-the-costs-that-it-names"),
    ],
)
def test_hours_that_are_read_of_a_sqlite(sqlite_store: Store, words: str | None, costs: list[int], most: int) -> None:
    recorded = Recorded(sqlite_store)
    recorded.add(recorded.request(START + hour * HOUR + place, hour) for hour in range(40) for place in range(2))
    statements = []

    def remember(*of_statement: Any) -> None:
        statements.append(of_statement[2])

    context = FilterContext(START + 39 * HOUR + HOUR // 4, Calendar())
    query = RequestQuery(parse_filter(words) if words else None, order=Order.COST)
    with recorded.store.reading() as connection:
        event.listen(connection, "before_cursor_execute", remember)
        rows = page(connection, query, context, None, 5).rows
    assert [row.cost.amount for row in rows] == [Usd(cost) for cost in costs]
    assert len(statements) <= most


def plans(store: Store, query: RequestQuery) -> list[str]:
    """How SQLite looks for the requests of a first page."""
    statements: list[tuple[str, Any]] = []

    def remember(*of_statement: Any) -> None:
        statements.append((of_statement[2], of_statement[3]))

    with store.reading() as connection:
        event.listen(connection, "before_cursor_execute", remember)
        page(connection, query, CONTEXT, None, 5)
        event.remove(connection, "before_cursor_execute", remember)
        return [
            step[3]
            for sql, values in statements
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
            if " request" in step[3]
        ]


def test_sqlite_finds_hours_and_their_first_requests_by_the_index(sqlite_store: Store) -> None:
    recorded = Recorded(sqlite_store)
    recorded.add([recorded.request(START, 1), recorded.request(START + HOUR, 2)])
    steps = plans(sqlite_store, RequestQuery(parse_filter("error:no"), START, START + DAY, Order.COST))
    assert len(steps) >= 5 and all("USING INDEX request_cost" in step for step in steps)


@pytest.mark.parametrize(
    ("words", "since", "order"), [("user:*li*", START, Order.COST), ("user:*li* time:-1h", None, Order.LATENCY)]
)
def test_sqlite_reads_no_more_than_the_time_that_is_asked_for_where_nothing_passes(
    sqlite_store: Store, words: str, since: int | None, order: Order
) -> None:
    recorded = Recorded(sqlite_store)
    recorded.add(recorded.request(START + hour * HOUR, cost) for hour in range(3) for cost in (1, None))
    steps = plans(sqlite_store, RequestQuery(parse_filter(words), since, None, order))
    assert any("request_time" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_what_postgresql_cannot_search_is_refused(store: Store) -> None:
    recorded = Recorded(store)
    recorded.add([recorded.request(START, user_id="alice")])
    unsearchable = Comparison("user", Op.EQ, Pattern(PatternKind.REGEX, "a{300}"))
    query = RequestQuery(unsearchable, order=Order.COST)
    with store.reading() as connection, pytest.raises(UsageError, match="regular expression"):
        page(connection, query, CONTEXT, None, 5)
