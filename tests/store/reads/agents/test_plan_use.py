"""Usage under a plan by key and by step: exact, and apart from all spend."""

from __future__ import annotations

from spendtop.domain.breakdown.dimensions import dimension
from spendtop.domain.breakdown.measures import PLAN
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.agents.plan_use import plan_by_key, plan_calls, plan_per_step
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut, Times
from spendtop.store.reads.breakdown.grid import GridSize
from spendtop.store.reads.overview import overview
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.requests.property_names import property_names
from spendtop.store.reads.sessions.paths import branches, path_plans
from spendtop.store.reads.sessions.sessions import session_costs, sessions
from spendtop.store.reads.spending.bucket_spans import Span
from tests.services.conftest import request
from tests.services.recording.test_plan_calls import START, Desk, call


def steps(length: int, count: int) -> list[Span]:
    return [Span(START + number * length, START + (number + 1) * length) for number in range(count)]


def test_plans_are_summed_by_key_and_by_step_and_nothing_else_is(store: Store) -> None:
    Desk(store).record(
        call("a", START + MINUTE, user_id="mira", model="m"),
        call("b", START + HOUR + MINUTE, user_id="mira", model="m"),
        call("c", START + HOUR + 2 * MINUTE, user_id="noor", model="m-2026-01-01"),
        request(1, START, 10**9, model="m"),
    )
    with store.reading() as connection:
        assert plan_calls(connection) == 3
        users = plan_by_key(connection, "user", Span(START, None))
        assert [(row.key.raw, row.spend.requests, row.spend.cost) for row in users] == [
            ("mira", 2, Usd(46)),
            ("noor", 1, Usd(0)),
        ]
        (sources,) = plan_by_key(connection, "source", Span(START + HOUR, None))
        assert (sources.key.raw, sources.spend.requests) == ("claude-code", 2)
        by_hour = plan_per_step(connection, steps(HOUR, 2), HOUR)
        assert {at - START: spend.requests for at, spend in by_hour.items()} == {0: 1, HOUR: 2}
        by_minute = plan_per_step(connection, steps(MINUTE, 70), MINUTE)
        assert {at - START: spend.requests for at, spend in by_minute.items()} == {
            MINUTE: 1,
            HOUR + MINUTE: 1,
            HOUR + 2 * MINUTE: 1,
        }
        assert {at: each.requests for at, each in plan_per_step(connection, steps(HOUR, 3), None).items()} == {
            START: 1,
            START + HOUR: 2,
        }
        whole = overview(
            connection, (), Calendar(), START + 2 * HOUR, feed_size=5, window=Span(START, None), chart=None, top=5
        )
    assert whole.plan is not None
    assert (whole.plan.today.requests, whole.plan.last_hour.requests, whole.total.requests) == (3, 2, 1)
    assert {source.source: source.requests_today for source in whole.sources}["claude-code"] == 3


def test_a_store_without_plans_says_nothing_of_them(store: Store) -> None:
    Desk(store).record(request(1, START, 10**9, model="m"))
    with store.reading() as connection:
        assert plan_calls(connection) == 0
        assert (
            overview(connection, (), Calendar(), START, feed_size=1, window=Span(START, None), chart=None, top=5).plan
            is None
        )


def test_what_a_session_used_under_a_plan_stands_beside_what_it_cost(store: Store) -> None:
    Desk(store).record(
        call("a", START, session_id="s", session_path="/", model="m"),
        call("b", START + 1, session_id="s", session_path="/agent/x", model="m"),
        call("c", START + 2, session_id="mixed"),
        request(1, START + 3, 10**9, model="m", session_id="mixed"),
    )
    page = sessions(store, RequestQuery(), FilterContext(START, Calendar()), None, 10)
    mixed, plan = page.rows
    assert (mixed.session.raw, mixed.spend.requests, mixed.plan.requests) == ("mixed", 1, 1)
    assert (plan.spend.requests, plan.plan.requests, plan.plan.cost) == (0, 2, Usd(46))
    costs, both = session_costs(store, "s"), session_costs(store, "mixed")
    assert costs is not None and both is not None
    assert (costs.is_plan, costs.under_plan.cost, costs.whole.requests) == (True, Usd(46), 0)
    assert (both.is_plan, both.under_plan.requests, both.whole.cost) == (False, 1, Usd(10**9))
    tree = branches(path_plans(store, "s", Span(None, None)))
    assert [(str(branch.name), branch.spend.cost) for branch in tree] == [("/", Usd(23)), ("/agent/x", Usd(23))]


def test_a_breakdown_measures_plans_by_project_and_branch_and_is_kept_up(store: Store) -> None:
    desk = Desk(store)
    of_fix = {"project": "/src/willow", "branch": "fix"}
    desk.record(
        call("a", START, properties=of_fix),
        call("b", START + 1, properties={**of_fix, "branch": "main"}),
        request(1, START, 10**9, model="m"),
    )
    cut = Cut(dimension("prop.project"), dimension("prop.branch"), PLAN, Calendar())
    reading, times = BreakdownReading(cut), Times(Span(START, None), None, START + HOUR)

    def cells() -> dict[str, list[int]]:
        grid = reading.read(store, times, GridSize(rows=5, columns=5), lambda make, share: True)
        assert grid is not None
        return {row.head.key.raw: [cell.amount for cell in row.cells[: len(grid.columns)]] for row in grid.rows}

    assert cells() == {"/src/willow": [23, 23]}
    desk.record(call("c", START + 2, properties=of_fix))
    assert cells() == {"/src/willow": [46, 23]}
    with store.reading() as connection:
        assert set(property_names(connection)) == {"project", "branch"}
