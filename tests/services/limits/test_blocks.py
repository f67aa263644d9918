"""A limit of five-hour blocks counts each agent and user by itself, from the first call after the last block on."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.alerts.message_text import Dispatch, render
from spendtop.domain.agents.blocks import last_begin
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Billing, Cost, Request
from spendtop.domain.sources.records import AGENTS
from spendtop.domain.windows import Bounds, Calendar
from spendtop.services.limits.backtests import backtest
from spendtop.services.recording.scoped_totals import rebuild_changed
from spendtop.store.engine import Store
from spendtop.store.reads.limits.curves import curve
from spendtop.store.reads.limits.entities import limit_entities
from spendtop.store.reads.limits.uses import uses
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, clear, limit, request, said, totals
from tests.services.recording.test_plan_calls import START

RULE = limit("blocks", "5h-block", usd=10, each=Each.AGENT, measure=LimitedValue.API_EQUIVALENT)


def plan_call(number: object, at: int, dollars: int, user: str | None = "mira", agent: int = 0) -> Request:
    known = request(number, at, None, source=AGENTS[agent], counted=False, billing=Billing.SUBSCRIPTION, user_id=user)
    return replace(known, cost=Cost(basis=Basis.PLAN, computed=Usd(dollars * DOLLAR)))


calls = st.lists(
    st.tuples(st.integers(0, 16 * 60), st.integers(0, 5), st.sampled_from(["mira", None]), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(made=calls, minute=st.integers(0, 22 * 60))
def test_use_is_what_the_open_block_of_each_agent_and_user_holds(
    store: Store, clock: SettableClock, made: list[tuple[int, int, str | None, int]], minute: int
) -> None:
    clear(store)
    desk, now = Collecting(store, clock, RULE), START + minute * MINUTE
    for number, (at, dollars, user, agent) in enumerate(made):
        desk.record(plan_call(number, START + at * MINUTE, dollars, user, agent))
    expected = {}
    for user, agent in {(user, agent) for _, _, user, agent in made}:
        times = sorted(START + at * MINUTE for at, _, *named in made if named == [user, agent])
        begin = last_begin(at for at in times if at // HOUR * HOUR <= now)
        if begin is not None and now < begin + 5 * HOUR:
            within = [
                dollars
                for at, dollars, *named in made
                if named == [user, agent] and begin <= START + at * MINUTE < begin + 5 * HOUR
            ]
            expected[f"{AGENTS[agent].name} {user or ''}"] = (begin, sum(within) * DOLLAR)
    with store.reading() as connection:
        standing = uses(connection, [RULE], Calendar(), now, 9)
        (listed,) = limit_entities(connection, [RULE], Calendar(), now)
        for one in standing:
            window = Bounds(one.starts_at, one.ends_at)
            assert curve(connection, RULE, one.entity.raw, window, one.used, now)[-1].used == one.used
    assert {one.entity.raw: (one.starts_at, one.used.nano) for one in standing} == expected
    assert {one.entity.raw: (one.starts_at, one.used.nano) for one in listed.uses} == expected
    before = totals(store)
    with store.writing() as connection:
        rebuild_changed(connection, desk.book)
    assert totals(store) == before


def test_each_block_speaks_for_itself_says_that_it_is_a_guess_and_can_be_tried(
    store: Store, clock: SettableClock
) -> None:
    clock.now = START + DAY + 10 * MINUTE
    desk = Collecting(store, clock, RULE)
    desk.record(plan_call(1, clock(), 6), plan_call(2, clock(), 6, "noor"))
    assert said(desk.evaluate()) == []
    clock.now += HOUR
    desk.record(plan_call(3, clock(), 4))
    assert said(desk.evaluate()) == ["exceeded blocks claude-code mira"]
    (message,) = desk.told()
    words = render(message, Dispatch(sender="box", ref="r"))
    assert "5h-block (an estimate), " in words.body and "agent claude-code mira" in words.body
    clock.now += 4 * HOUR
    assert said(desk.revisit()) == []
    assert [row.state for row in desk.alerts()] == ["resolved"]
    desk.record(plan_call(4, clock(), 9))
    assert said(desk.evaluate()) == ["approaching blocks claude-code mira"]
    tried = backtest(store, RULE, Calendar(), 2, clock() + 1)
    assert tried is not None
    assert [(one.at - START - DAY, one.entity, one.fraction) for one in tried.firings] == [
        (0, "claude-code mira", 1.0),
        (5 * HOUR, "claude-code mira", 0.8),
    ]
