"""Sessions: which are listed, in which order, and their sums."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost, Status, Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.sessions.sessions import SessionRow, positions_in, session_costs, sessions
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import MANY, SPAN, START

CONTEXT = FilterContext(START + SPAN, Calendar())
NAMES = [None, "a", "A", "b/c", "ä"]
drawn = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(START, START + SPAN), st.none() | st.integers(0, 9), st.booleans()),
    max_size=30,
)


def listed(recorded: Recorded, query: RequestQuery, size: int) -> list[SessionRow]:
    rows: list[SessionRow] = []
    cursor = None
    while True:
        found = sessions(recorded.store, query, CONTEXT, cursor, size)
        assert len(found.rows) <= size
        rows += found.rows
        cursor = found.next_cursor
        if cursor is None:
            return rows


@MANY
@given(drawn, st.integers(1, 4))
def test_every_session_is_listed_once_by_its_newest_request(
    recorded: Recorded, requests: list[tuple[str | None, int, int | None, bool]], size: int
) -> None:
    recorded.clear()
    recorded.add(recorded.request(at, cost, session_id=name, counted=counts) for name, at, cost, counts in requests)
    rows = listed(recorded, RequestQuery(), size)
    assert sorted(row.session.raw for row in rows) == sorted({each[0] for each in requests if each[0] is not None})
    assert [row.last_at for row in rows] == sorted((row.last_at for row in rows), reverse=True)
    for row in rows:
        own = [each for each in requests if each[0] == row.session.raw]
        counted = [each for each in own if each[3]]
        assert (row.first_at, row.last_at) == (min(each[1] for each in own), max(each[1] for each in own))
        assert row.spend.cost == Usd(sum(each[2] or 0 for each in counted))
        assert row.spend.requests == len(counted)
        assert row.spend.unpriced == sum(each[2] is None for each in counted)


def test_only_what_the_query_selects_is_in_the_figures(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START, 5, session_id="s", user_id="alice", model="small"),
            recorded.request(START + 1, 7, session_id="s", user_id="bob", model="large"),
            recorded.request(START + 40 * DAY, 9, session_id="s", user_id="alice", model="large"),
            recorded.request(START + 50 * DAY, 9, session_id="t", user_id="bob"),
        ]
    )
    (of_alice,) = listed(recorded, RequestQuery(parse_filter("user:alice")), 5)
    assert (of_alice.spend.cost, of_alice.last_at, len(of_alice.models)) == (Usd(14), START + 40 * DAY, 2)
    assert [user.raw for user in of_alice.users] == ["alice"]
    (early,) = listed(recorded, RequestQuery(until=START + DAY), 5)
    assert {user.raw for user in early.users} == {"alice", "bob"}
    assert (early.spend.cost, [model.raw for model in early.models]) == (Usd(12), ["large", "small"])
    assert [row.session.raw for row in listed(recorded, RequestQuery(), 1)] == ["t", "s"]


def test_a_session_has_failed_while_its_last_request_did(recorded: Recorded) -> None:
    recorded.add(
        recorded.request(START + at, None, session_id=name, user_id=user, status=status)
        for at, name, user, status in [
            (1, "recovered", "ada", Status.ERROR),
            (2, "recovered", "bob", Status.OK),
            (3, "failed", "ada", Status.OK),
            (4, "failed", "bob", Status.ERROR),
            (5, "given up", "ada", Status.CANCELLED),
        ]
    )
    rows = listed(recorded, RequestQuery(), 5)
    states = {row.session.raw: row.state(row.last_at, frozenset(("given up",))).value for row in rows}
    assert states == {"recovered": "running", "failed": "failed", "given up": "loop"}
    assert {row.state(row.last_at + DAY, frozenset()) for row in rows} == {"idle", "failed"}
    (as_it_was,) = listed(recorded, RequestQuery(until=START + 2), 5)
    assert as_it_was.state(as_it_was.last_at, frozenset()) == "failed"


def test_a_foreign_cursor_is_refused(recorded: Recorded) -> None:
    for cursor in ("x", "W10", "äö", "WzEsMl0"):
        with pytest.raises(UsageError):
            sessions(recorded.store, RequestQuery(), CONTEXT, cursor, 5)


def test_an_expression_that_only_postgresql_cannot_read_is_refused(recorded: Recorded) -> None:
    query = RequestQuery(parse_filter(r"/a(?-i:b)/"))
    if recorded.store.is_sqlite:
        assert sessions(recorded.store, query, CONTEXT, None, 5).rows == ()
    else:
        with pytest.raises(UsageError):
            sessions(recorded.store, query, CONTEXT, None, 5)


def test_the_costs_of_a_session_are_by_model_and_of_counted_requests(recorded: Recorded) -> None:
    usage = Usage(prompt=10, completion=5)
    recorded.add(
        [
            recorded.request(START, 5, session_id="s", model="small", usage=usage, verified=True),
            recorded.request(START + 90 * DAY, 70, session_id="s", model="large", usage=usage),
            recorded.request(START + HOUR, 70, session_id="s", model="large", usage=usage, counted=False),
            recorded.request(START, None, session_id="s", usage=usage),
            recorded.request(START, 1_000, session_id="S", model="other"),
        ]
    )
    found = session_costs(recorded.store, "s")
    assert found is not None
    assert [(model, spend.cost, spend.tokens) for model, spend in found.by_model] == [
        ("large", Usd(70), 15),
        ("small", Usd(5), 15),
        (None, Usd(0), 15),
    ]
    assert (found.whole.cost, found.whole.requests, found.whole.unpriced, found.by_helicone) == (Usd(75), 3, 1, 2)
    assert found.all_by_helicone
    assert session_costs(recorded.store, "unknown") is None


def test_a_cost_is_helicones_own_only_where_helicone_gave_it(recorded: Recorded) -> None:
    computed = Cost(amount=Usd(5), basis=Basis.COMPUTED, computed=Usd(5))
    cases: dict[str, dict[str, Any]] = {
        "webhook": {},
        "api": {"source": HELICONE_API, "verified": True},
        "hit": {"cached": True, "cost": Cost(amount=Usd(0), basis=Basis.REPORTED)},
        "computed": {"source": HELICONE_API, "verified": True, "cost": computed},
        "pushed": {"source": INGEST},
        "unpriced": {"cost": Cost()},
    }
    recorded.add(replace(recorded.request(START, 5, session_id=name), **fields) for name, fields in cases.items())
    named, priced = (
        recorded.request(
            START, 5, source=source, external_id="joined", response_id="resp", model="m", session_id="joined"
        )
        for source in (LITELLM, HELICONE)
    )
    recorded.add([named, replace(priced, cost=Cost())])
    found = {name: session_costs(recorded.store, name) for name in (*cases, "joined")}
    assert {name for name, costs in found.items() if costs is not None and costs.all_by_helicone} == {
        "webhook",
        "api",
        "hit",
    }


def test_the_requests_of_a_session_come_in_time_order_in_parts(recorded: Recorded) -> None:
    ids = recorded.add(
        recorded.request(START + offset, session_id=name) for name, offset in [("s", 2), ("s", 1), ("S", 0), ("s", 1)]
    )
    with recorded.store.reading() as connection:
        first = positions_in(connection, "s", None, 2)
        rest = positions_in(connection, "s", first[-1], 2)
    assert [*first, *rest] == [(START + 1, ids[1]), (START + 1, ids[3]), (START + 2, ids[0])]
