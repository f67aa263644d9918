"""Usage under a plan is no spend: whatever is recorded of it, no total of spend, limit or mark knows of it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.limits.limit import Each
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.requests.request import Basis, Billing, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import AGENTS, HELICONE, OTLP, Source
from spendtop.domain.windows import Calendar
from spendtop.services.agents import billing as agent_billing
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.transaction import Recording
from spendtop.services.stores import reset as store_reset
from spendtop.sources.agents.requests import Machine, request_of
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.reads.limits.uses import uses
from spendtop.store.reads.requests.lists import RequestQuery, listed_spend
from spendtop.store.reads.spending.present import spent_today, under_plan_today
from spendtop.store.reads.spending.sums import plan_spend, spend
from spendtop.store.tables import LimitMarkTable, RequestTable
from spendtop.store.verification import verify
from tests.services.conftest import beside, clear, limit, request, rows, totals
from tests.sources.agents.homes import cases, lay_out, read
from tests.sources.receivers.otlp.test_agent_events import all_posted

START = 1_795_000_000_000_000 // HOUR * HOUR
CLAUDE = AGENTS[0]
PRICED = Pricer(
    {"m": Price.of({"input_tokens": Rate(2 * 10**12), "output_tokens": Rate(3 * 10**12)})},
    None,
    lambda provider, model, terms, at: None,
)
"""2 and 3 nano-USD per token."""
LIMITS = (limit("all"), limit("reserved", reserve="m"), limit("users", each=Each.USER), limit("one", window="request"))
CONTEXT = FilterContext(START + DAY, Calendar())


def call(key: str = "msg_1", at: int = START, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": CLAUDE,
        "external_id": key,
        "occurred_at": at,
        "received_at": at,
        "time_source": TimeSource.CLIENT,
        "model": "m",
        "usage": Usage(prompt=10, completion=1),
        "session_path": "/",
        "billing": Billing.UNKNOWN,
        "counted": False,
    }
    return Request(**{**values, **fields})


class Desk:
    """Records as a collector does."""

    def __init__(self, store: Store, book: LimitBook | None = None) -> None:
        self._store = store
        self._preparer = Preparer(PRICED, None, False)
        self.book = book or LimitBook(LIMITS, Calendar(), {})
        self.recording = Recording(store.write_engine.dialect, RequestIds(1), self.book, PRICED.cost)

    def record(self, *reports: Request) -> None:
        with self._store.writing() as connection:
            self.recording.record(connection, [self._preparer.prepare(each) for each in reports])

    def known(self) -> list[StoredRequest]:
        return [from_row(row) for row in rows(self._store, RequestTable)]


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


@st.composite
def mixes(draw: st.DrawFn) -> list[Request]:
    spent = [
        request(number, START + draw(st.integers(0, 3 * HOUR)), draw(st.none() | st.integers(0, 10**9)), model="m")
        for number in range(draw(st.integers(0, 4)))
    ]
    under_plan = [
        call(
            f"call-{draw(st.integers(0, 3))}",
            START + draw(st.integers(0, 3 * HOUR)),
            source=draw(st.sampled_from(AGENTS)),
            billing=draw(st.sampled_from([Billing.SUBSCRIPTION, Billing.UNKNOWN])),
            usage=Usage(prompt=draw(st.none() | st.integers(0, 99)), completion=draw(st.none() | st.integers(0, 99))),
            model=draw(st.sampled_from([None, "m", "unpriced"])),
            user_id=draw(st.sampled_from([None, "mira"])),
            session_id=draw(st.none() | st.just("s")),
            status=draw(st.sampled_from(Status)),
            cost=Cost(reported=draw(st.none() | st.just(Usd(7))), reported_by=Reporter.CLIENT),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return draw(st.permutations([*spent, *under_plan]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(mix=mixes(), cut=st.integers(0, 3 * HOUR))
def test_totals_are_those_of_the_same_store_without_plan_calls(store: Store, mix: list[Request], cut: int) -> None:
    found = []
    for reports in (mix, [each for each in mix if not each.is_plan]):
        clear(store)
        desk = Desk(store)
        for each in reports:
            desk.record(each)
        with store.reading() as connection:
            spans = [(None, None), (START, START + cut), (START + cut, None)]
            spent = [spend(connection, *span) for span in spans]
            used = [(use.limit.name, use.used, use.unpriced) for use in uses(connection, LIMITS, Calendar(), START, 1)]
            under_plan = plan_spend(connection, None, None)
            parts = plan_spend(connection, None, START + cut) + plan_spend(connection, START + cut, None)
            listed = listed_spend(connection, RequestQuery(parse_filter("time>2000-01-01")), CONTEXT)
            assert listed == listed_spend(connection, RequestQuery(), CONTEXT)
        assert parts == under_plan == listed.plan
        found.append((totals(store), spent, used, rows(store, LimitMarkTable), listed.counted, listed.shadow))
        assert under_plan.requests == len([each for each in desk.known() if each.request.is_plan])
    assert found[0] == found[1]


def test_what_a_plan_call_would_have_cost_is_known_and_is_no_cost(store: Store, desk: Desk) -> None:
    desk.record(call(usage=Usage(prompt=100, completion=10)), call("msg_2", model="x", cost=Cost(reported=Usd(9))))
    first, second = (each.request.cost for each in desk.known())
    assert (first.amount, first.basis, first.api_equivalent) == (None, Basis.PLAN, Usd(230))
    assert (second.amount, second.basis, second.api_equivalent) == (None, Basis.PLAN, Usd(9))
    assert beside(store)["plan", "claude-code"] == (2, 239)
    desk.record(call("msg_3", billing=Billing.API, counted=True))
    assert desk.known()[2].request.cost.amount == Usd(23)


GATEWAY = request(1, START + SECOND, 500, model="m", response_id="msg_1", usage=Usage(prompt=10, completion=7))
BY_FILE = call(response_id="msg_1", other_ids=((OTLP, "req_1"),), output_final=False)
TELEMETRY = call(
    "req_1",
    START + MINUTE,
    source=OTLP,
    usage=Usage(prompt=10, completion=7),
    response_id=None,
    session_path=None,
)


def test_a_call_that_a_gateway_reported_too_is_spend_at_the_gateways_cost(store: Store) -> None:
    for order in permutations((GATEWAY, BY_FILE)):
        clear(store)
        desk = Desk(store)
        for each in order:
            desk.record(each)
        (record,) = desk.known()
        assert (record.request.counted, record.request.cost.amount) == (True, Usd(500))
        assert (record.request.billing, record.request.output_final) == (Billing.UNKNOWN, True)
        with store.reading() as connection:
            assert (spend(connection, None, None).cost, plan_spend(connection, None, None).requests) == (Usd(500), 0)


def test_file_and_telemetry_meet_by_the_id_of_the_http_request_in_any_order(store: Store) -> None:
    for order in permutations((TELEMETRY, BY_FILE, BY_FILE)):
        clear(store)
        desk = Desk(store)
        for each in order:
            desk.record(each)
        (record,) = desk.known()
        assert set(record.sources) == {"otlp", "claude-code"}
        assert (record.request.usage.completion, record.request.output_final) == (7, True)
        assert record.request.occurred_at == START + MINUTE  # the more trusted one's
        with store.reading() as connection:
            assert plan_spend(connection, None, None).completion_tokens == 7


def test_a_gateways_two_requests_of_one_response_id_are_the_same_spend_in_any_order(store: Store) -> None:
    again = replace(GATEWAY, external_id="again", occurred_at=GATEWAY.occurred_at + SECOND)
    for order in permutations((GATEWAY, again, BY_FILE, TELEMETRY)):
        clear(store)
        desk = Desk(store)
        for each in (*order, *order):
            desk.record(each)
        with store.reading() as connection:
            spent, beside_it = spend(connection, None, None), plan_spend(connection, None, None)
        assert (spent.requests, spent.cost, spent.unpriced) == (2, Usd(1000), 0)
        assert beside_it.requests <= 1


def test_a_call_only_grows_and_a_subagents_copy_adds_nothing(store: Store, desk: Desk) -> None:
    whole = call(usage=Usage(prompt=10, completion=9))
    copy = call(usage=Usage(prompt=5000, completion=9), session_path="/agent/a", session_id="s")
    for order in permutations((call(output_final=False), whole, copy)):
        clear(store)
        desk = Desk(store)
        for each in (*order, *order):
            desk.record(each)
        (record,) = desk.known()
        assert record.request.usage == Usage(prompt=10, completion=9)
        assert (record.request.session_path, record.request.output_final) == ("/", True)
        assert beside(store)["plan", "claude-code"] == (1, 47)


def test_one_call_under_two_names_is_one(store: Store) -> None:
    derived = call("t:0:10-0-1-0")
    exact = call("t:resp_1", other_ids=((CLAUDE, "t:0:10-0-1-0"),))
    for order in permutations((derived, exact)):
        clear(store)
        desk = Desk(store)
        for each in (*order, derived, exact):
            desk.record(replace(each, received_at=START + 1))
        assert len(desk.known()) == 1


def test_today_it_stands_beside_the_spend(store: Store, desk: Desk) -> None:
    desk.record(call(), call("msg_2", model="x"))
    with store.reading() as connection:
        today = under_plan_today(connection, Calendar(), START + HOUR)
        assert (today.requests, today.known_cost, spent_today(connection, Calendar(), START + HOUR).requests) == (
            2,
            Usd(23),
            0,
        )


def test_filters_find_it_and_do_not_take_it_for_unpriced(store: Store, desk: Desk) -> None:
    desk.record(call(model="x"), request(2, START, None))
    with store.reading() as connection:
        for words, kinds in (("~plan", (0, 0, 1)), ("~unpriced", (1, 0, 0)), ("-~plan", (1, 0, 0))):
            listed = listed_spend(connection, RequestQuery(parse_filter(words)), CONTEXT)
            assert (listed.counted.requests, listed.shadow.requests, listed.plan.requests) == kinds
    assert HELICONE.name in desk.known()[1].sources


@pytest.mark.parametrize("name", ["join/claude", "join/codex"])
def test_files_and_telemetry_of_an_agent_are_one_set_of_calls_in_any_order(
    store: Store, name: str, tmp_path: Path
) -> None:
    machine = Machine(host="box", user="mira")
    now = 1_793_697_000_000_000 + HOUR
    by_file = [request_of(each, machine, Billing.UNKNOWN, now) for each in read(lay_out(name, tmp_path))]
    by_telemetry = all_posted(name)
    for order in ((*by_file, *by_telemetry), (*by_telemetry, *by_file), (*by_telemetry, *by_file, *by_telemetry)):
        clear(store)
        desk = Desk(store)
        for each in order:
            desk.record(each)
        records = cases()[name]["expected"]["records"]
        wanted = sorted((each["prompt"], each["completion"], each["cwd"], each["cache_write_1h"]) for each in records)
        assert wanted == sorted(
            (
                each.request.usage.prompt,
                each.request.usage.completion,
                (each.request.properties or {}).get("project"),
                (each.request.usage.units or {}).get("cache_write_1h_tokens", 0),
            )
            for each in desk.known()
        )
        assert all(each.request.output_final and each.request.is_plan for each in desk.known())


def test_who_says_how_an_agent_is_paid_moves_what_is_recorded_and_back(store: Store, desk: Desk) -> None:
    here = {"host": "box"}
    desk.record(
        call(properties=here),
        call("msg_2", START + 1, properties={**here, "plan": "plus"}),
        call("msg_3", START + 2, properties={"host": "elsewhere"}),
        request(1, START, 500, response_id="msg_9", model="m"),
    )
    before = (totals(store), beside(store), [each.request for each in desk.known()])
    for said, counted in ((Billing.API, 3), (Billing.UNKNOWN, 1)):
        with store.writing() as connection:
            assert agent_billing.reclassify(connection, desk.recording, CLAUDE, "box", said, 0, START) is None
        with store.reading() as connection:
            assert spend(connection, None, None).requests == counted
            assert plan_spend(connection, None, None).requests == 4 - counted
    after = [replace(each.request, billing=None) for each in desk.known()]
    assert (totals(store), beside(store)) == before[:2]
    assert after == [replace(each, billing=None) for each in before[2]]
    with store.writing() as connection:
        agent_billing.note_said(connection, "box", {"codex": Billing.API})
        assert agent_billing.said_before(connection, "box") == {"codex": Billing.API}
        assert agent_billing.said_before(connection, "elsewhere") == {}


def test_history_opens_no_alert_for_windows_that_are_over_and_what_happens_now_does(store: Store, desk: Desk) -> None:
    spent = {"billing": Billing.API, "counted": True, "usage": Usage(prompt=10**9, completion=1)}
    desk.record(call("old", START - 3 * DAY, received_at=START, **spent))
    assert rows(store, LimitMarkTable) == []
    with store.reading() as connection:
        assert spend(connection, None, None).requests == 1
    desk.record(call("new", START - MINUTE, received_at=START, **spent))
    assert {row.limit_name for row in rows(store, LimitMarkTable)} == {"all", "reserved"}


def test_after_a_reset_agents_calls_can_be_recorded_anew_and_what_others_reported_cannot(
    store: Store, desk: Desk, tmp_path: Path
) -> None:
    alone, joined = call("msg_a", other_ids=((OTLP, "req_a"),)), call("msg_1", START + SECOND, response_id="msg_1")
    gateway = request(1, START + SECOND, 500, model="m", response_id="msg_1", usage=Usage(prompt=10, completion=7))
    desk.record(alone, gateway, joined)
    assert len(desk.known()) == 2
    with store.writing() as connection:
        assert store_reset.reset(store, connection, tmp_path, START).deleted == 2
    desk.record(alone, gateway, joined)
    assert [record.external_ids for record in desk.known()] == [{"claude-code": "msg_a"}]


def test_verification_compares_the_totals_of_plans_with_the_calls(store: Store, desk: Desk) -> None:
    desk.record(call("a"), call("b", START + HOUR), request(1, START, 5, model="m"))
    assert verify(store, lambda share: None).flaws == ()
    with store.writing() as connection:
        connection.execute(text("UPDATE total SET cost_nano = cost_nano + 1 WHERE dimension = 'plan'"))
    assert len(verify(store, lambda share: None).flaws) == 2
    with store.writing() as connection:
        connection.execute(text("DELETE FROM total WHERE dimension = 'plan'"))
    first, _ = verify(store, lambda share: None).flaws
    assert first.startswith("The total of plan claude-code for the hour")


CODEX = next(each for each in AGENTS if each.name == "codex")


def by_value(source: Source, number: int, at: int) -> Request:
    """What a file, or telemetry, says of a call with the same counts in one session as all others here."""
    told = {} if source is CODEX else {"properties": {"agent": "codex"}, "session_path": None}
    return call(f"{source}-{number}", at, source=source, session_id="s", **told)


@pytest.mark.parametrize(("apart", "is_one"), [(0, True), (2 * MINUTE, True), (2 * MINUTE + 1, False)])
def test_telemetry_without_an_id_is_of_the_call_with_its_counts_within_two_minutes(
    store: Store, apart: int, is_one: bool
) -> None:
    for shift in (0, 61 * SECOND, 119 * SECOND):
        for sign in (-1, 1):
            pair = by_value(CODEX, 1, START + shift), by_value(OTLP, 1, START + shift + sign * apart)
            for order in (pair, pair[::-1]):
                clear(store)
                desk = Desk(store)
                for each in order:
                    desk.record(each)
                assert len(desk.known()) == (1 if is_one else 2)


def described(desk: Desk) -> list[tuple[list[tuple[str, str]], int]]:
    """What is stored, but for our own ids."""
    return sorted((sorted(each.external_ids.items()), each.request.occurred_at) for each in desk.known())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_equal_calls_and_their_telemetry_are_paired_the_nearest_first_in_any_order(
    store: Store, data: st.DataObject
) -> None:
    times = st.lists(st.integers(0, 260), min_size=1, max_size=3)
    reports = [
        by_value(source, number, START + seconds * SECOND)
        for source in (CODEX, OTLP)
        for number, seconds in enumerate(data.draw(times))
    ]
    found = []
    for order in (reports, reports[::-1], data.draw(st.permutations(reports))):
        clear(store)
        desk = Desk(store)
        for each in (*order, *order):
            desk.record(each)
        assert verify(store, lambda share: None).flaws == ()
        with store.reading() as connection:
            assert plan_spend(connection, None, None).requests == len(desk.known())
        found.append(described(desk))
    assert found == [found[0]] * 3
    names = sorted(name for ids, _ in found[0] for _, name in ids)
    assert names == sorted(each.external_id for each in reports)


def test_two_calls_of_an_agent_stay_two_whatever_their_telemetry_could_be_taken_for(store: Store, desk: Desk) -> None:
    told = ((OTLP, "same"),)
    first, second = call("msg_1", other_ids=told), call("msg_2", START + SECOND, other_ids=told)
    by_telemetry = call("same", START + MINUTE, source=OTLP, properties={"agent": "claude-code"})
    for order in permutations((first, second, by_telemetry)):
        clear(store)
        desk = Desk(store)
        for each in (*order, *order):
            desk.record(each)
        assert sorted(record.external_ids["claude-code"] for record in desk.known()) == ["msg_1", "msg_2"]
