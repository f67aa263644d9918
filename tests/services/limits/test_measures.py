"""A limit on API-equivalent value sums usage under a plan and nothing else, exactly, and says so wherever it speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.alerts.message_text import Dispatch, render
from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.raises import Raises
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.requests.request import Basis, Billing, Cost, Request
from spendtop.domain.windows import Bounds, Calendar, bounds
from spendtop.services.alerting.messages import spent_most
from spendtop.services.limits.backtests import backtest
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.scoped_totals import rebuild_changed
from spendtop.store.engine import Store
from spendtop.store.reads.limits.curves import curve
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.uses import Use, costliest_request, use
from spendtop.store.reads.spending.bucket_spans import Span
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, clear, limit, request, said, totals
from tests.services.recording.test_plan_calls import START, Desk, mixes

PLAN = LimitedValue.API_EQUIVALENT
RESERVE = Price.of({"input_tokens": Rate(5 * 10**12), "output_tokens": Rate(5 * 10**12)})
WINDOWED = (
    limit("spend"),
    limit("everyone", measure=PLAN),
    limit("lately", "90m", measure=PLAN),
    limit("users", each=Each.USER, measure=PLAN),
    limit("models", each=Each.MODEL, where="-user:noor", measure=PLAN),
    limit("families", each=Each.MODEL_FAMILY, measure=PLAN),
    limit("reserved", reserve="m", measure=PLAN),
)
BOOK = LimitBook(WINDOWED, Calendar(), {"reserved": RESERVE})


def entities(rule: Limit) -> list[str]:
    return {None: [""], Each.USER: ["mira", "noor"]}.get(rule.each, ["m", "unpriced"])


def summed(rule: Limit, entity: str, span: Bounds, requests: Sequence[Request]) -> Use:
    """What counts, one by one."""
    costs: list[Usd | None] = []
    for each in requests:
        is_counted = each.counted if rule.measure is LimitedValue.SPEND else each.is_plan
        whose = "" if rule.each is None else rule.each.value_of(each)
        if is_counted and whose == entity and each.occurred_at in span:
            equivalent = each.cost.reported if each.cost.computed is None else each.cost.computed
            costs.append(each.cost.amount if rule.measure is LimitedValue.SPEND else equivalent)
            if rule.reserve and costs[-1] is None:
                costs.append(RESERVE.priced(each.usage).amount or ZERO)
    return Use(sum((cost for cost in costs if cost is not None), ZERO), costs.count(None))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(mix=mixes(), ago=st.integers(0, 3 * HOUR))
def test_each_limit_sums_its_measure_alone_whoever_reads_it(store: Store, mix: list[Request], ago: int) -> None:
    clear(store)
    desk = Desk(store, BOOK)
    for each in mix:
        desk.record(each)
    known = [each.request for each in desk.known()]
    now, reader = START + 4 * HOUR - ago, EntityUses()
    with store.reading() as connection:
        for rule in WINDOWED:
            window, ceiling = bounds(rule.window, now, Calendar()), BOOK.ceilings.get(rule.name)
            right = {entity: summed(rule, entity, window, known) for entity in entities(rule)}
            assert {each: use(connection, rule, each, window, ceiling) for each in right} == right
            assert reader.uses(connection, rule, entities(rule), window, ceiling) == right
            if rule.measure is PLAN and rule.reserve is None and window.start_us is not None:
                for entity, found in right.items():
                    *points, last = curve(connection, rule, entity, window, found.used, START + 4 * HOUR)
                    assert last.used == found.used and all(point.used >= ZERO for point in points)
                    drivers = spent_most(connection, rule, entity, Span(window.start_us, window.end_us))
                    assert all(Usd(nano) <= found.used for _, _, nano in drivers)
    before = totals(store)
    with store.writing() as connection:
        rebuild_changed(connection, BOOK)
    assert totals(store) == before


def plan_call(number: object, at: int, nano: int, **fields: object) -> Request:
    known = request(number, at, None, counted=False, billing=Billing.SUBSCRIPTION, **fields)
    return replace(known, cost=Cost(basis=Basis.PLAN, computed=Usd(nano)))


@pytest.fixture
def rules() -> Iterator[tuple[Limit, Limit]]:
    yield limit("plan", usd=10, measure=PLAN), limit("bill", usd=10)


def test_it_speaks_of_api_equivalent_value_and_spend_speaks_of_money(
    store: Store, clock: SettableClock, rules: tuple[Limit, Limit]
) -> None:
    desk = Collecting(store, clock, *rules)
    desk.record(plan_call(1, clock(), 9 * DOLLAR, user_id="mira"), request(2, clock(), 3 * DOLLAR))
    assert said(desk.evaluate()) == ["approaching plan"]
    desk.record(plan_call(3, clock(), 2 * DOLLAR))
    assert said(desk.evaluate()) == ["exceeded plan"]
    desk.record(request(4, clock(), 8 * DOLLAR))
    assert said(desk.evaluate()) == ["exceeded bill"]
    told = {message.limit_name: render(message, Dispatch(sender="box", ref="r")) for message in desk.told()}
    assert told["plan"].title == "exceeded: plan ~$11.00 of $10.00 API-equivalent"
    assert "usage under a plan; it was not spent" in told["plan"].body and "user mira ~$9.00" in told["plan"].body
    assert "API" not in told["bill"].title + told["bill"].body
    tried = backtest(store, rules[0], Calendar(), 2, clock() + 1)
    draft = backtest(store, limit("draft", "20m", usd=10, measure=PLAN), Calendar(), 2, clock() + 1)
    assert tried is not None and [each.fraction for each in tried.firings][-1] == 1.0
    assert draft is not None and [each.fraction for each in draft.firings][-1] == 1.0


def test_one_call_alone_may_be_worth_too_much(store: Store, clock: SettableClock) -> None:
    single = limit("one", "request", usd=1, measure=PLAN)
    desk = Collecting(store, clock, single)
    desk.record(plan_call(1, clock(), 2 * DOLLAR), request(2, clock(), 5 * DOLLAR))
    assert said(desk.evaluate()) == ["exceeded one"]
    assert [message.kind for message in desk.told()] == [MessageKind.EXCEEDED]
    with store.reading() as connection:
        standing = costliest_request(connection, single, clock() + MINUTE, None, Raises())
    assert standing.used == Usd(2 * DOLLAR)
