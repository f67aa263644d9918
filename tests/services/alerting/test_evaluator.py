from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_micros
from spendtop.domain.limits.limit import Each
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.requests.request import Basis, Status, Usage
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.windows import Bounds, Calendar
from spendtop.services import tokens
from spendtop.services.alerting.announcements import Channel
from spendtop.store.engine import Store
from spendtop.store.reads.limits import uses as limit_reads
from spendtop.store.tables import AlertTable, DeliveryTable, LimitMarkTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, clear, limit, request, rows, said

Make = Callable[..., Collecting]


def test_400_further_requests_after_a_crossing_are_one_exceeded_message(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    assert spending.spend(7) == []
    assert spending.spend(2) == ["approaching daily"]
    assert spending.spend(2) == ["exceeded daily"]
    for _ in range(400):
        spending.clock.advance(1_000)
        assert spending.spend(1) == []
    assert [message.kind for message in spending.told()] == [MessageKind.APPROACHING, MessageKind.EXCEEDED]
    assert len(spending.alerts()) == 1


def test_a_jump_over_every_threshold_is_one_message(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=(0.5, 0.8)))
    assert spending.spend(13) == ["exceeded daily"]
    assert len(spending.told()) == 1


@pytest.mark.replaces("monitor/approaching-exceeded")
def test_exceeded_begins_at_exactly_the_amount_and_approaching_at_exactly_its_fraction(collecting: Make) -> None:
    spending = collecting(limit(usd=3, warn=(0.07,)))
    assert spending.spend(0.209999999) == []
    assert spending.spend(0.000000001) == ["approaching daily"]
    assert spending.spend(2.789999999) == []
    assert spending.spend(0.000000001) == ["exceeded daily"]


@pytest.mark.replaces("monitor/hour-day-month")
def test_the_next_calendar_window_speaks_again(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    assert spending.spend(10) == ["exceeded daily"]
    spending.clock.advance(DAY)
    assert spending.spend(9) == []
    assert spending.spend(1) == ["exceeded daily"]
    assert [row.window_start for row in spending.alerts()] == [
        to_micros(datetime(2026, 11, day, tzinfo=UTC)) for day in (20, 21)
    ]
    assert said_again(spending, 0) == []
    assert [row.state for row in spending.alerts()] == ["resolved", "exceeded"]


def said_again(spending: Collecting, after: int) -> list[str]:
    spending.clock.advance(after)
    return said(spending.revisit())


@pytest.mark.replaces("monitor/hour-day-month")
def test_a_rolling_window_resolves_by_itself_and_then_speaks_again(collecting: Make) -> None:
    spending = collecting(limit("hourly", "1h", usd=10, warn=()))
    assert spending.spend(10) == ["exceeded hourly"]
    assert said_again(spending, HOUR) == []
    assert said_again(spending, 1) == []  # now all of it has left the window
    assert said_again(spending, 15 * MINUTE) == ["resolved hourly"]
    assert spending.spend(10) == ["exceeded hourly"]
    assert len(spending.alerts()) == 1
    said_again(spending, 2 * HOUR)
    said_again(spending, 15 * MINUTE)
    spending.clock.advance(HOUR)
    assert spending.spend(10) == ["exceeded hourly"]
    assert len(spending.alerts()) == 2


def test_a_rolling_window_that_swings_around_its_limit_speaks_once(collecting: Make) -> None:
    spending = collecting(limit("hourly", "1h", usd=100, warn=()))
    start = spending.clock()
    for minute in range(60):
        spending.spend(1.67, at=start - HOUR + minute * MINUTE)
    heard = []
    for minute in range(60):
        spending.clock.advance(MINUTE)
        heard += spending.spend(1.67 + (0.9 if minute % 2 else -0.9))
        heard += said(spending.revisit())
    assert heard == ["exceeded hourly"] or (heard == [] and [m.kind for m in spending.told()] == [MessageKind.EXCEEDED])


def test_corrections_that_lower_resolve_after_a_minute_and_flapping_ends_silent(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    heard: list[str] = []
    for number in range(6):
        spending.record(request(f"swing-{number}", spending.clock(), 10 * DOLLAR))
        heard += said(spending.evaluate())
        lowered = {"source": HELICONE_API, "verified": True}
        spending.record(request(f"swing-{number}", spending.clock(), 1, **lowered))
        heard += said(spending.evaluate())
        heard += said_again(spending, MINUTE - 1)
        heard += said_again(spending, 1)
    assert heard.count("exceeded daily") == 4
    assert heard.count("resolved daily") == 3
    assert heard[:2] == ["exceeded daily", "resolved daily"]
    assert spending.alerts()[0].falls > 3


def test_a_correction_to_95_percent_resolves_nothing(collecting: Make) -> None:
    spending = collecting(limit(usd=100, warn=()))
    spending.record(request(1, spending.clock(), 100 * DOLLAR))
    assert said(spending.evaluate()) == ["exceeded daily"]
    spending.record(request(1, spending.clock(), 97 * DOLLAR, source=HELICONE_API))
    assert said(spending.evaluate()) + said_again(spending, HOUR) == []
    assert spending.alerts()[0].state == "exceeded"


def test_an_alert_keeps_the_use_of_when_it_spoke_last(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    spending.record(request("swing", spending.clock(), 12 * DOLLAR))
    assert said(spending.evaluate()) == ["exceeded daily"]
    spending.record(request("swing", spending.clock(), DOLLAR, source=HELICONE_API, verified=True))
    assert said(spending.evaluate()) == []
    (alert,) = spending.alerts()
    assert (alert.below_since is not None, alert.used_nano) == (True, 12 * DOLLAR)
    assert said_again(spending, MINUTE) == ["resolved daily"]
    assert [row.used_nano for row in spending.alerts()] == [DOLLAR]


def test_each_user_has_a_limit_of_their_own(collecting: Make) -> None:
    spending = collecting(limit("each user", each=Each.USER, usd=10, warn=()))
    assert spending.spend(10, user_id="alice") == ["exceeded each user alice"]
    assert spending.spend(9, user_id="bob") == []
    assert spending.spend(99) == []
    assert spending.spend(1, user_id="bob") == ["exceeded each user bob"]
    assert spending.spend(1, user_id="alice") == []
    first = spending.told()[0]
    assert (first.entity, first.each, first.contributors) == ("alice", "user", (("model", "", 10 * DOLLAR),))


@pytest.mark.parametrize("window", ["day", "3h"])
def test_each_family_of_models_has_a_limit_of_its_own(collecting: Make, window: str) -> None:
    spending = collecting(limit("each family", window, each=Each.MODEL_FAMILY, usd=10, warn=()))
    assert spending.spend(6, model="gpt-4o", user_id="alice") == []
    assert spending.spend(9, model="gpt-4o-mini") == []
    assert spending.spend(99) == []
    assert spending.spend(4, model="openai/gpt-4o-2024-08-06", user_id="bob") == ["exceeded each family gpt-4o"]
    (told,) = spending.told()
    users = (("user", "alice", 6 * DOLLAR), ("user", "bob", 4 * DOLLAR))
    assert (told.entity, told.each, told.contributors) == ("gpt-4o", "model_family", users)


def test_another_model_takes_the_cost_to_another_family(collecting: Make) -> None:
    spending = collecting(limit("each family", each=Each.MODEL_FAMILY, usd=10, warn=()))
    spending.record(request(1, spending.clock(), 10 * DOLLAR, model="gpt-4o"))
    spending.record(request(1, spending.clock(), 10 * DOLLAR, model="o3-2025-04-16", source=HELICONE_API))
    assert said(spending.evaluate()) == ["exceeded each family o3"]


def test_where_leaves_other_requests_out(collecting: Make) -> None:
    spending = collecting(limit("big", where="-model:gpt-4o-mini", usd=10, warn=()))
    assert spending.spend(99, model="gpt-4o-mini") == []
    assert spending.spend(9, model="gpt-4o") == []
    assert spending.spend(1) == ["exceeded big"]


def test_a_reserve_counts_unpriced_requests_at_its_ceiling_until_their_cost_is_known(collecting: Make) -> None:
    dollar_per_token = Price.of({"input_tokens": Rate(10**21), "output_tokens": Rate(10**21)})
    spending = collecting(limit("r", reserve="gpt-4o", usd=10, warn=()), reserves={"r": dollar_per_token})
    usage = Usage(prompt=4, completion=5)
    spending.record(request(1, spending.clock(), None, usage=usage))
    assert said(spending.evaluate()) == []
    assert spending.spend(1) == ["exceeded r"]
    assert (spending.told()[0].used_nano, spending.told()[0].unpriced) == (10 * DOLLAR, 1)
    spending.record(request(1, spending.clock(), DOLLAR, usage=usage, source=HELICONE_API))
    assert said(spending.evaluate()) == []
    assert said_again(spending, MINUTE) == ["resolved r"]


def test_a_reserve_counts_a_partial_cost_at_its_ceiling_where_that_is_more(collecting: Make) -> None:
    dollar_per_token = Price.of({"input_tokens": Rate(10**21), "output_tokens": Rate(10**21)})
    spending = collecting(limit("r", reserve="gpt-4o", usd=10, warn=()), reserves={"r": dollar_per_token})
    for number, used in ((1, 6), (2, 1)):
        partial = request(number, spending.clock(), 2 * DOLLAR, usage=Usage(prompt=used, completion=0))
        unpriced = replace(partial.cost, basis=Basis.COMPUTED, reported=None, unpriced_units={"web_searches": 1})
        spending.record(replace(partial, cost=unpriced))
    assert said(spending.evaluate()) == []
    assert spending.spend(2) == ["exceeded r"]
    assert (spending.told()[0].used_nano, spending.told()[0].unpriced) == (10 * DOLLAR, 2)


@pytest.mark.replaces("flow/one-request")
def test_every_request_above_a_request_limit_is_one_message(collecting: Make) -> None:
    spending = collecting(limit("one", "request", usd=10))
    assert spending.spend(10, user_id="alice") == []
    assert spending.spend(10.000000001, user_id="bob", model="o3") == ["exceeded one"]
    assert spending.spend(11) == ["exceeded one"]
    spending.record(request("spend-2", spending.clock(), 12 * DOLLAR, source=HELICONE_API))
    assert said(spending.evaluate()) == []
    assert [message.used_nano for message in spending.told()] == [10_000_000_001, 11 * DOLLAR]
    assert spending.told()[0].contributors == (("user", "bob", 10_000_000_001), ("model", "o3", 10_000_000_001))
    assert [str(message.request) for message in spending.told()] == [row.entity for row in spending.alerts()]
    assert [message.alert for message in spending.told()] == [row.id for row in spending.alerts()]
    assert said_again(spending, 2 * HOUR) == []
    assert [row.state for row in spending.alerts()] == ["resolved"] * 2


def test_a_request_above_a_request_limit_by_its_reserve_is_told_with_that_amount(collecting: Make) -> None:
    dollar_per_token = Price.of({"input_tokens": Rate(10**21), "output_tokens": Rate(10**21)})
    one = limit("one", "request", usd=10, reserve="gpt-4o")
    spending = collecting(one, reserves={"one": dollar_per_token})
    spending.record(request(1, spending.clock(), None, usage=Usage(prompt=6, completion=5), user_id="bob", model="o3"))
    assert said(spending.evaluate()) == ["exceeded one"]
    assert spending.told()[0].contributors == (("user", "bob", 11 * DOLLAR), ("model", "o3", 11 * DOLLAR))


def test_a_session_limit_counts_for_as_long_as_the_session_lives(collecting: Make) -> None:
    spending = collecting(limit("s", "session", each=Each.SESSION, usd=10, warn=()))
    assert spending.spend(6, session_id="s-1") == []
    spending.clock.advance(40 * DAY)
    assert spending.spend(6, session_id="s-2") == []
    assert spending.spend(6, session_id="s-1") == ["exceeded s s-1"]
    assert said_again(spending, DAY) == []
    assert spending.spend(6, session_id="s-1") == []


def test_what_was_crossed_when_the_collector_died_is_told_at_the_next_start_as_late(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    crossed_at = spending.clock()
    spending.record(request(1, crossed_at, 10 * DOLLAR))
    spending.clock.advance(3 * HOUR)
    after_start = collecting(limit(usd=10, warn=()))
    assert said(after_start.evaluate()) == ["exceeded daily"]
    assert after_start.told()[0].late_by == 3 * HOUR
    assert [(row.crossed_at, row.late) for row in after_start.alerts()] == [(crossed_at, True)]
    assert after_start.evaluate() == []


def test_a_late_event_moves_yesterday_over_its_limit_and_leaves_today_alone(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    yesterday = spending.clock() - 20 * HOUR
    assert spending.spend(1) == []
    assert spending.spend(9.5, at=yesterday) == []
    assert spending.spend(0.5, at=yesterday + 1) == ["exceeded daily"]
    (message,) = spending.told()
    assert message.late_by == 20 * HOUR - 1
    assert message.window_end == to_micros(datetime(2026, 11, 20, tzinfo=UTC))
    assert said_again(spending, 0) == []
    assert [row.state for row in spending.alerts()] == ["resolved"]


def test_a_window_that_ended_a_day_ago_is_recorded_without_a_word(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    assert spending.spend(10, at=spending.clock() - 3 * DAY) == []
    assert [row.state for row in spending.alerts()] == ["exceeded"]


def test_both_windows_that_meet_within_one_hour_are_evaluated(store: Store, clock: SettableClock) -> None:
    zone = Calendar("Asia/Kolkata")  # its midnight is 18:30 UTC
    spending = Collecting(store, clock, limit(usd=10, warn=()), calendar=zone)
    clock.now = to_micros(datetime(2026, 11, 20, 18, 31, tzinfo=UTC))
    midnight = clock() - MINUTE
    spending.record(request(1, midnight - 1, 10 * DOLLAR), request(2, midnight, DOLLAR))
    assert said(spending.evaluate()) == ["exceeded daily"]
    assert spending.told()[0].window_end == midnight
    spending.record(request(3, midnight + 5, 9 * DOLLAR))
    spending.record(request(4, midnight - 5, DOLLAR))
    assert said(spending.evaluate()) == ["exceeded daily"]
    assert spending.told()[1].window_start == midnight


def test_a_request_of_a_clock_ahead_counts_for_the_window_that_it_lies_in(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()))
    midnight = to_micros(datetime(2026, 11, 21, tzinfo=UTC))
    spending.clock.now = midnight - 1
    assert spending.spend(9, at=midnight - 1) == []
    assert spending.spend(10, at=midnight + MINUTE) == ["exceeded daily"]
    assert spending.told()[0].window_start == midnight
    assert said_again(spending, 0) == []
    assert [(row.window_start, row.state) for row in spending.alerts()] == [(midnight, "exceeded")]


def test_contributors_are_those_that_the_limit_counts(collecting: Make) -> None:
    spending = collecting(limit(each=Each.USER, usd=10, where="-model:mini"))
    spending.record(request(1, spending.clock(), 90 * DOLLAR, user_id="alice", model="mini"))
    assert spending.spend(10, user_id="alice", model="o3") == ["exceeded daily alice"]
    assert spending.told()[0].contributors == (("model", "o3", 10 * DOLLAR),)


def test_channels_hear_what_is_routed_to_them_and_severe_enough(collecting: Make) -> None:
    channels = [Channel("all"), Channel("pager", "critical"), Channel("other")]
    spending = collecting(limit(usd=10, notify=("all", "pager")), channels=channels)
    assert spending.spend(8) == ["approaching daily"]
    assert spending.spend(2) == ["exceeded daily"]
    assert [(row.channel, row.kind) for row in rows(spending.store, DeliveryTable)] == [
        ("all", "approaching"),
        ("all", "exceeded"),
        ("pager", "exceeded"),
    ]


def test_a_limit_that_is_removed_ends_silently(collecting: Make) -> None:
    collecting(limit(usd=10, warn=())).spend(10)
    without = collecting()
    assert said(without.revisit()) == []
    assert [(row.state, row.resolved_at) for row in without.alerts()] == [("resolved", without.clock())]


def test_marks_of_a_limit_that_is_gone_are_cleared(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    spending.record(request(1, spending.clock()))
    assert collecting().evaluate() == []
    assert rows(spending.store, LimitMarkTable) == []


def test_marks_of_a_limit_that_became_one_of_single_requests_are_cleared(collecting: Make) -> None:
    before = collecting(limit(each=Each.USER, usd=10))
    before.record(request(1, before.clock(), user_id="alice"))
    single = collecting(limit(window="request", usd=10), limit("hourly", "1h", usd=1))
    single.record(request(2, single.clock(), 11 * DOLLAR))
    assert sorted(said(single.evaluate())) == ["exceeded daily", "exceeded hourly"]
    assert rows(single.store, LimitMarkTable) == []


def test_a_limit_that_is_raised_while_it_fires_resolves_and_is_armed_again(collecting: Make) -> None:
    collecting(limit(usd=10, warn=())).spend(10)
    raised = collecting(limit(usd=50, warn=()))
    assert said(raised.revisit()) == []
    assert said_again(raised, MINUTE) == ["resolved daily"]
    raised.record(request("more", raised.clock(), 40 * DOLLAR))
    assert said(raised.evaluate()) == ["exceeded daily"]


def test_a_limit_whose_window_is_changed_begins_anew(collecting: Make) -> None:
    collecting(limit(usd=10, warn=())).spend(10)
    rolling = collecting(limit(window="24h", usd=10, warn=()))
    rolling.record(request("more", rolling.clock(), 1))
    assert said(rolling.evaluate()) == ["exceeded daily"]
    assert said_again(rolling, 0) == []
    assert [(row.state, row.window_end is None) for row in rolling.alerts()] == [
        ("resolved", False),
        ("exceeded", True),
    ]


def test_a_changed_zone_neither_repeats_nor_loses_what_was_said(store: Store, clock: SettableClock) -> None:
    Collecting(store, clock, limit(usd=10, warn=())).spend(10)
    moved = Collecting(store, clock, limit(usd=10, warn=()), calendar=Calendar("Europe/Berlin"))
    assert said(moved.revisit()) == []
    assert len(moved.alerts()) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spent=st.lists(st.tuples(st.integers(-3 * HOUR, 0), st.integers(0, DOLLAR)), max_size=15),
    looked=st.lists(st.integers(0, 2 * HOUR), min_size=1, max_size=5),
)
def test_rolling_use_is_exact_at_every_instant(
    store: Store, clock: SettableClock, spent: list[tuple[int, int]], looked: list[int]
) -> None:
    clear(store)
    rolling = limit("hourly", "1h", usd=1)
    now = clock()
    collector = Collecting(store, clock, rolling)
    collector.record(*(request(n, now + ago, nano) for n, (ago, nano) in enumerate(spent)))
    with store.reading() as connection:
        for at in [now + after for after in looked] + [now + ago + HOUR for ago, _ in spent]:
            used, _ = limit_reads.use(connection, rolling, "", Bounds(at - HOUR, None))
            assert used.nano == sum(nano for ago, nano in spent if now + ago >= at - HOUR)


def test_a_thousand_random_events_never_repeat_a_message(collecting: Make) -> None:
    spending = collecting(
        limit(usd=10, warn=(0.5, 0.8)), limit("hourly", "1h", usd=4), limit("e", each=Each.USER, usd=3)
    )
    dice = random.Random(7)
    for _ in range(150):
        spending.clock.advance(dice.randrange(20 * MINUTE))
        at = spending.clock() - dice.choice([0, 0, 0, dice.randrange(2 * DAY)])
        status = dice.choice(list(Status))
        spending.spend(dice.random(), at=at, user_id=dice.choice(["a", "b"]), status=status)
        spending.revisit()
    refs = [row.ref for row in rows(spending.store, DeliveryTable)]
    assert len(refs) == len(set(refs)) > 10
    told = [(row.alert_id, row.kind) for row in rows(spending.store, DeliveryTable) if row.kind == "exceeded"]
    reopened = {row.id for row in rows(spending.store, AlertTable) if row.falls}
    repeated = {alert for alert, kind in told if told.count((alert, kind)) > 1}
    assert repeated <= reopened


def test_a_message_about_a_token_names_it(collecting: Make, store: Store) -> None:
    with store.writing() as connection:
        tokens.create(connection, "Production App", 0, value="t-1")
    spending = collecting(limit(usd=10, each=Each.TOKEN))
    assert spending.spend(11, token="t-1") == ["exceeded daily Production App"]
    assert [message.entity for message in spending.told()] == ["Production App"]
    assert [row.entity for row in spending.alerts()] == ["t-1"]
